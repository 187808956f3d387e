# Keeps units from starting, whatever asks for them and also at a boot, then stops them. $1 name of the drop-in, then units.
# The condition is about the drop-in itself: where it is gone, nothing of it is left.
rso_guard
name=$1
shift
for unit; do
    path=/etc/systemd/system/$unit.d/$name
    mkdir -p -m 0755 "${path%/*}" && chmod 0755 "${path%/*}" && rso_replace "$path" 0644 root root <<EOF || {
# Written by redis-sentinel-operator, as spec.fencedHosts of its resource names this host; taken away when it does not.
# Where the operator is gone: remove this file, then \`systemctl daemon-reload\`.
[Unit]
ConditionPathExists=!$path
EOF
        echo "$path could not be written" >&2
        exit 70
    }
done
systemctl daemon-reload 9>&- || exit 70
for unit; do
    said=$(systemctl stop "$unit" 2>&1 9>&-) || said=${said:-failed}
    case $(systemctl show -p LoadState "$unit") in
    *=not-found) continue ;; # one that there is not any more, or not yet
    esac
    if systemctl is-active -q "$unit"; then
        echo "systemctl stop $unit did not succeed: $said" >&2
        exit 1
    fi
    case $(systemctl show -p DropInPaths "$unit") in
    *"/$unit.d/$name"*) ;;
    *)
        echo "systemd does not use the drop-in of $unit that keeps it from starting" >&2
        exit 1
        ;;
    esac
done
