# Lets units start again; starts nothing. $1 name of the drop-in that keeps them from it, then units.
rso_guard
name=$1
shift
for unit; do
    rm -f "/etc/systemd/system/$unit.d/$name" || {
        echo "/etc/systemd/system/$unit.d/$name could not be removed" >&2
        exit 70
    }
    rmdir "/etc/systemd/system/$unit.d" 2>/dev/null
done
systemctl daemon-reload 9>&-
