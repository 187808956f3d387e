# Arms what opens a fence by itself. $1 seconds, $2 address and $3 port of redis; stdin: what it is told then, which holds
# the password and so travels in no argument. Arming again begins anew.
rso_guard
rso_name=redis-sentinel-operator-unfence
rso_cli=$(command -v redis-cli || command -v valkey-cli) || {
    echo "neither redis-cli nor valkey-cli is installed: the host could not take writes again by itself" >&2
    exit 70
}
systemctl stop "$rso_name.timer" 2>/dev/null 9>&-
systemctl reset-failed "$rso_name.timer" "$rso_name.service" 2>/dev/null 9>&-
rso_replace "$rso_dir/unfence" 0600 root root || exit 70
# shellcheck disable=SC2016 # its own arguments
systemd-run --unit="$rso_name" --on-active="$1" --timer-property=AccuracySec=100ms \
    /bin/sh -c '"$1" -h "$2" -p "$3" <"$4" && rm -f "$4"' sh "$rso_cli" "$2" "$3" "$rso_dir/unfence" 9>&- || {
    echo "systemd-run set no timer" >&2
    exit 70
}
