# The prelude of every script that changes a host: one change at a time, and only by the host's owner.
# Set before: RSO_OWNER RSO_EPOCH. Exits 75 where the host is not ours (any more), 73 where another change does not end.
# POSIX sh and coreutils as EL7 has them; file descriptor 9 is the lock and is closed in every child that may outlive us.

rso_dir=/var/lib/redis-sentinel-operator
rso_state=$rso_dir/state.json

rso_value() { # key: its value in state.json, which is written one key a line
    [ -r "$rso_state" ] || return 0
    sed -n '/^ *"'"$1"'": *"\{0,1\}\([^",]*\)"\{0,1\},\{0,1\} *$/{s//\1/p;q;}' "$rso_state"
}

rso_lock() {
    exec 9>>"$rso_dir/lock" || exit 70
    flock -w 20 9 || {
        echo "another change on this host has not ended for 20 s" >&2
        exit 73
    }
}

rso_later() { # exits where a later lease epoch was here
    rso_had=$(rso_value leaseEpoch)
    case $rso_had in
    '' | *[!0-9]*) rso_had=0 ;;
    esac
    [ "$rso_had" -le "$RSO_EPOCH" ] && return
    echo "a later operator process has changed this host: its lease epoch is $rso_had, ours $RSO_EPOCH" >&2
    exit 75
}

rso_replace() { # path mode owner group: atomically by what comes on stdin; on disk when it returns
    rm -f "$1".rso-???????? # of one that was killed: we hold the lock, so nobody is at work with it
    rso_tmp=$(mktemp "$1.rso-XXXXXXXX") || return 1
    trap 'rm -f "$rso_tmp"' EXIT
    trap 'exit 70' HUP INT TERM
    dd of="$rso_tmp" bs=65536 conv=fsync 2>/dev/null &&
        chown "$3:$4" "$rso_tmp" &&
        chmod "$2" "$rso_tmp" || return 1
    # SELinux: the label of a temporary name may follow another rule than that of the file it becomes.
    [ ! -e "$1" ] || chcon --reference="$1" "$rso_tmp" 2>/dev/null || :
    if command -v rso_check >/dev/null; then rso_check "$1" "$rso_tmp"; fi
    mv -f "$rso_tmp" "$1" || return 1
    trap - EXIT
    if command -v restorecon >/dev/null; then restorecon "$1" 2>/dev/null || :; fi
}

rso_object() { # keys|notes|operation: what we set, what was seen, what goes on; one JSON object on one line
    rso_had_object=
    [ ! -r "$rso_state" ] ||
        rso_had_object=$(sed -n 's/^ *"'"$1"'": *\({.*}\),\{0,1\} *$/\1/p' "$rso_state" | head -n 1)
    [ -n "$rso_had_object" ] || rso_had_object='{}'
    printf '%s' "$rso_had_object"
}

rso_write_state() { # owner bootstrap-id first-master lease-epoch keys notes operation
    printf '{\n "owner": "%s",\n "bootstrapId": "%s",\n "firstMaster": "%s",\n "leaseEpoch": %s,\n "keys": %s,\n "notes": %s,\n "operation": %s\n}\n' "$@" |
        rso_replace "$rso_state" 0600 root root
}

rso_keep_state() { # keys notes operation: all else in it stays, but for the lease epoch, which is ours
    rso_write_state "$RSO_OWNER" "$(rso_value bootstrapId)" "$(rso_value firstMaster)" "$RSO_EPOCH" "$1" "$2" "$3"
}

rso_guard() {
    if [ "$(rso_value owner)" != "$RSO_OWNER" ]; then
        rso_found=$(rso_value owner)
        echo "this host belongs to ${rso_found:-nobody}" >&2
        exit 75
    fi
    rso_lock
    if [ "$(rso_value owner)" != "$RSO_OWNER" ]; then # it changed hands while we waited
        echo "this host belongs to $(rso_value owner)" >&2
        exit 75
    fi
    rso_later
    [ "$rso_had" -eq "$RSO_EPOCH" ] || rso_keep_state "$(rso_object keys)" "$(rso_object notes)" "$(rso_object operation)" || exit 70
}
