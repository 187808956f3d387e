# Says how a unit is and what its log holds; changes nothing. $1 unit, $2 log file.
systemctl show -p ActiveState "$1" | sed 's/^ActiveState=//'
[ ! -r "$2" ] || tail -n 15 "$2"
timeout 5 journalctl -q --no-pager -n 15 -o cat -u "$1" 2>/dev/null | grep -v '^>>>'
:
