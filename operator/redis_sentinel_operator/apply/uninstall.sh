# Removes a package that nobody else uses, and data before it. $1 package ("" for none); then the paths of the data.
# Exits 67 where others use the package: then nothing is removed.
rso_guard
name=$1
shift

in_use() { # who
    printf 'the package %s is used by others: %s\n' "$name" "$1" >&2
    exit 67
}

if [ -n "$name" ] && rpm -q "$name" >/dev/null 2>&1; then
    units=$(grep -lsE '^Exec[A-Za-z]*=.*(redis|valkey)-(server|sentinel)' /etc/systemd/system/*.service | tr '\n' ' ')
    [ -z "$units" ] || in_use "${units% }"
    said=$(rpm -e --test "$name" 2>&1 9>&-) || in_use "$(printf '%s' "$said" | tail -n 3 | tr '\n\t' '  ')"
fi
for path; do
    rm -f "$path" || exit 70
    rmdir "${path%/*}" 2>/dev/null # Redis 7 has a directory for its append-only files; one with other files stays
done
if [ -n "$name" ] && rpm -q "$name" >/dev/null 2>&1; then
    said=$(rpm -e "$name" 2>&1 9>&-)
    if rpm -q "$name" >/dev/null 2>&1; then
        printf 'rpm did not remove %s: %s\n' "$name" "$(printf '%s' "$said" | tail -n 3 | tr '\n' ' ')" >&2
        exit 1
    fi
fi
systemctl daemon-reload 9>&-
