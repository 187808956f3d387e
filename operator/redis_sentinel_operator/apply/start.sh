# Starts a unit without waiting: a replica of Redis 6.0 is ready only after its first synchronisation.
# $1 unit, $2 "stop" where it is stopped before, which saves its data.
rso_guard
case $(systemctl show -p NeedDaemonReload "$1") in
*=yes) systemctl daemon-reload 9>&- ;;
esac
[ "$2" != stop ] || systemctl stop "$1" 9>&- || {
    echo "systemctl stop $1 did not succeed" >&2
    exit 1
}
systemctl reset-failed "$1" 2>/dev/null 9>&-
systemctl start --no-block "$1" 9>&-
