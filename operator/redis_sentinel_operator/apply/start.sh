# Starts a unit without waiting: a replica of Redis 6.0 is ready only after its first synchronisation. $1 unit.
rso_guard
case $(systemctl show -p NeedDaemonReload "$1") in
*=yes) systemctl daemon-reload 9>&- ;;
esac
systemctl reset-failed "$1" 2>/dev/null 9>&-
systemctl start --no-block "$1" 9>&-
