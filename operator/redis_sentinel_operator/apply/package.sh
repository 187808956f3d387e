# Installs a package that is missing. $1 name, $2 version or "", $3 seconds for yum.
# Exits 66 where no repository has it. yum's exit code says nothing: yum 3 gives 0 with a package skipped.
rso_guard
wanted=$1${2:+-$2}
if ! rpm -q "$1" >/dev/null 2>&1; then
    said=$(timeout -k 5 "$3" yum -y install "$wanted" 2>&1 </dev/null 9>&-)
    code=$?
    if ! rpm -q "$1" >/dev/null 2>&1; then
        case $said in
        *"No package "*" available"* | *"No match for argument"* | *"Unable to find a match"*)
            echo "no enabled repository has $wanted" >&2
            exit 66
            ;;
        esac
        case "$code $said" in
        124*"holding the yum lock"* | 124*"is running as pid"* | 124*"Waiting for process"*)
            echo "another yum holds the lock for longer than $3 s" >&2
            ;;
        124*) echo "yum did not end within $3 s" >&2 ;;
        *) printf 'yum did not install %s: %s\n' "$wanted" "$(printf '%s\n' "$said" | grep -v '^ *$' | tail -n 3 | tr '\n' ' ')" >&2 ;;
        esac
        exit 1
    fi
fi
rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$1" | head -n 1
[ -z "$2" ] || rpm -q "$wanted" >/dev/null || {
    echo "installed is $(rpm -q "$1"), not $wanted" >&2
    exit 1
}
