# Installs a package that is missing. $1 name, $2 version or "", $3 seconds for yum, $4 the only repositories or "",
# $5 module stream or "".
# Exits 66 where no repository has it. yum's exit code says nothing: yum 3 gives 0 with a package skipped.
rso_guard
wanted=$1${2:+-$2}
seconds=$3
only=$4

run_yum() { # sets $said and $code; what [main] excludes from updates is excluded from them, not from us
    said=$(timeout -k 5 "$seconds" yum -y --disableexcludes=main ${only:+"--disablerepo=*" "--enablerepo=$only"} "$@" 2>&1 </dev/null 9>&-)
    code=$?
}

last_words() {
    printf '%s\n' "$said" | grep -v '^ *$' | tail -n 3 | tr '\n' ' '
}

no_yum() { # what was to be done: where it was yum itself that did not come to it
    case "$code $said" in
    124*"holding the yum lock"* | 124*"is running as pid"* | 124*"Waiting for process"*)
        echo "another yum holds the lock for longer than $seconds s" >&2
        ;;
    124*) echo "yum did not end within $seconds s" >&2 ;;
    *) printf 'yum did not %s: %s\n' "$1" "$(last_words)" >&2 ;;
    esac
    exit 1
}

if ! rpm -q "$1" >/dev/null 2>&1; then
    if [ -n "$5" ]; then # another stream of it may be enabled: nothing of it is installed, so it can be left
        run_yum -q module reset "${5%%:*}"
        run_yum -q module enable "$5"
        case $said in
        *"Unable to resolve argument"* | *"No match"* | *"missing groups or modules"*)
            echo "no enabled repository has the module stream $5" >&2
            exit 66
            ;;
        esac
        [ "$code" -eq 0 ] || no_yum "enable the module stream $5"
    fi
    run_yum install "$wanted"
    if ! rpm -q "$1" >/dev/null 2>&1; then
        case $said in
        *"No package "*" available"* | *"No match for argument"* | *"Unable to find a match"*)
            echo "no enabled repository has $wanted" >&2
            exit 66
            ;;
        esac
        no_yum "install $wanted"
    fi
fi
rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$1" | head -n 1
[ -z "$2" ] || rpm -q "$wanted" >/dev/null || {
    echo "installed is $(rpm -q "$1"), not $wanted" >&2
    exit 1
}
