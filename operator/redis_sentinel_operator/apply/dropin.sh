# Writes a unit drop-in from stdin and lets systemd read it, for a stopped unit when that is started. $1 path.
rso_guard
mkdir -p -m 0755 "${1%/*}" && chmod 0755 "${1%/*}" && rso_replace "$1" 0644 root root || {
    echo "$1 could not be written" >&2
    exit 70
}
unit=${1%/*}
unit=${unit##*/}
systemctl is-active -q "${unit%.d}" 9>&- || exit 0
systemctl daemon-reload 9>&-
