# Proves that a dump was written: $1 its path, $2 the second of the host's clock since when. Changes nothing.
rso_guard
[ -s "$1" ] || {
    echo "$1 is not there, or is empty" >&2
    exit 1
}
written=$(stat -L -c %Y "$1") && [ "$written" -ge "$2" ] || {
    echo "$1 is older than the save" >&2
    exit 1
}
