# Writes a unit drop-in from stdin and lets systemd read it. $1 path.
rso_guard
mkdir -p -m 0755 "${1%/*}" && chmod 0755 "${1%/*}" && rso_replace "$1" 0644 root root || {
    echo "$1 could not be written" >&2
    exit 70
}
systemctl daemon-reload 9>&-
