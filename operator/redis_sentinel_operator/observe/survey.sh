# Asks a host at length what no pass asks: its clock, disk and unit, and whether it reaches the servers of the others.
# Changes nothing. $1 directories where data may be and $2 units of redis, separated by blanks; then address and port of
# each server of the others.
stamp() {
    printf '%s %s\n' "$1" "$(date +%s.%N)"
}

reach() { # address port: bash has sockets, and is on every EL
    # shellcheck disable=SC2016 # bash's own
    said=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/$1"' "$1" "$2" 2>&1 </dev/null)
    case $? in
    0) return ;;
    124) said="no answer within 2 s" ;;
    *) said=$(printf '%s\n' "$said" | head -n 1) && said=${said##*: } ;;
    esac
    printf 'unreached %s %s %s\n' "$1" "$2" "$said"
}

units_of_redis() { # those that a redis runs in, whatever their names; a sentinel may be a redis-server too
    for process in /proc/[0-9]*; do
        { read -r name <"$process/comm"; } 2>/dev/null || continue
        case $name in
        *redis-ser* | *valkey-ser*)
            grep -qa sentinel "$process/cmdline" ||
                sed -n 's,^\(.*:name=systemd\|0:\):.*/\([^/]*\.service\)$,\2,p' "$process/cgroup"
            ;;
        esac
    done 2>/dev/null
}

stamp begins
for dir in $1; do
    [ ! -d "$dir" ] || df -Pk "$dir" 2>/dev/null | sed -n '2s/^/disk /p'
done
# shellcheck disable=SC2046,SC2086 # lists
systemctl show -p Restart $2 $(units_of_redis) 2>/dev/null | sed -n 's/^Restart=/restart /p'
ss -ltn 2>/dev/null | while read -r _ _ _ local _; do
    case ${local##*:} in
    *[!0-9]* | '') ;;
    *) printf 'listens %s\n' "${local##*:}" ;;
    esac
done
if [ -r /sys/fs/selinux/enforce ] && command -v semanage >/dev/null; then
    semanage port -l 2>/dev/null | sed -n 's/^redis_port_t *tcp */ports /p'
fi
shift 2
at=0
while [ $# -ge 2 ]; do
    reach "$1" "$2" &
    shift 2
    at=$((at + 1))
    [ $((at % 16)) -ne 0 ] || wait # not all at once where there are many
done
wait
stamp ends
