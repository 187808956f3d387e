# Writes a file of ours that sets the kernel at each boot from stdin, and sets the kernel now as far as it lets itself.
# $1 path of the file; then pairs of a path in /proc/sys or /sys and a value. Says each path that the kernel refused, and
# notes it for the time until the next boot.
rso_guard
rso_replace "$1" 0644 root root || {
    echo "$1 could not be written" >&2
    exit 70
}
shift
read -r boot </proc/sys/kernel/random/boot_id || exit 70
note=$rso_dir/refused

took() { # path value
    case $(cat "$1") in
    "$2" | *"[$2]"*) return 0 ;;
    esac
    return 1
}

refused() { # path value ...: each that is not as wanted afterwards
    while [ $# -ge 2 ]; do
        { printf '%s\n' "$2" >"$1"; } 2>/dev/null
        took "$1" "$2" || printf '%s\n' "$1"
        shift 2
    done
}

said=$(refused "$@")
[ -n "$said" ] || exit 0
printf '%s\n' "$said"
{
    [ ! -r "$note" ] || grep "^$boot " "$note"
    printf '%s\n' "$said" | sed "s|^|$boot |"
} | sort -u | rso_replace "$note" 0600 root root
