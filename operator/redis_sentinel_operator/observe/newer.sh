# Asks the repositories of a host for newer versions of what is installed; changes nothing but yum's own cache.
# $1 seconds for yum, then names of packages. Says `newer name version` for each that has one, and `asked` at the end.
seconds=$1
shift
for name; do
    rpm -q "$name" >/dev/null 2>&1 || continue
    found=$(timeout -k 5 "$seconds" yum -q --disableexcludes=main list updates "$name" 2>/dev/null </dev/null)
    printf '%s\n' "$found" | while read -r package version _; do
        case $package in
        "$name".*) printf 'newer %s %s\n' "$name" "$version" ;;
        esac
    done | head -n 1
done
echo asked
