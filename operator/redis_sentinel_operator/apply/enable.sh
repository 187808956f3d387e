# Lets a unit come up with the machine; starts nothing. $1 unit.
rso_guard
systemctl enable "$1" >/dev/null 9>&-
systemctl is-enabled "$1"
