# Stops a unit, which saves its data, and starts it without waiting. $1 unit.
rso_guard
case $(systemctl show -p NeedDaemonReload "$1") in
*=yes) systemctl daemon-reload 9>&- ;;
esac
systemctl stop "$1" 9>&- || {
    echo "systemctl stop $1 did not succeed" >&2
    exit 1
}
systemctl reset-failed "$1" 2>/dev/null 9>&-
systemctl start --no-block "$1" 9>&-
