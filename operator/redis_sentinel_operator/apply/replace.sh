# Replaces a file by what comes on stdin, where it still is the one that was read.
# $1 path, $2 sha256 of the file that was read ("" for none), $3 sha256 of the new one, $4 owner, $5 group, $6 mode,
# $7 a command that reads the new one and says whether it is good ("" for none).
rso_guard
path=$1 before=$2 after=$3 good=$7
[ ! -L "$path" ] || path=$(readlink -f "$path") || exit 70

digest() {
    [ ! -e "$1" ] || sha256sum <"$1" | cut -c1-64
}

rso_check() { # path temporary: right before the one replaces the other
    if [ "$(digest "$2")" != "$after" ]; then
        echo "the new text did not arrive whole" >&2
        exit 70
    fi
    # shellcheck disable=SC2086 # a command and its options
    if [ -n "$good" ] && ! $good <"$2" >/dev/null 9>&-; then
        echo "$good refuses the new text" >&2
        exit 70
    fi
    if [ "$(digest "$1")" != "$before" ]; then
        echo "$1 was changed after it was read" >&2
        exit 65
    fi
}

rso_replace "$path" "$6" "$4" "$5" || {
    echo "$path could not be replaced" >&2
    exit 70
}
