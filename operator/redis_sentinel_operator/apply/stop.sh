# Stops a unit. $1 unit.
rso_guard
systemctl stop "$1" 9>&-
