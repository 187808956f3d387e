# Removes passwords from files that a package kept as it went ($1, blanks between), then files of ours (the rest), then
# what the operator keeps on the host. The claim goes last: until then a next one goes on.
rso_guard
blank=$(printf ' \t')
secret="^[$blank]*(requirepass|masterauth|primaryauth|sentinel[$blank]+auth-pass)[$blank]"
for path in $1; do
    [ ! -e "$path" ] || sed -i -E "/$secret/Id" "$path" || {
        echo "the passwords in $path could not be removed" >&2
        exit 70
    }
done
shift
systemctl stop redis-sentinel-operator-unfence.timer 2>/dev/null 9>&-
for path; do
    rm -f "$path" || {
        echo "$path could not be removed" >&2
        exit 70
    }
    case $path in
    *.service.d/*) rmdir "${path%/*}" 2>/dev/null ;;
    esac
done
systemctl daemon-reload 9>&-
rm -f "$rso_dir/unfence" "$rso_dir/refused" "$rso_dir/firewall"
rm -f "$rso_state" && rm -rf "$rso_dir"
