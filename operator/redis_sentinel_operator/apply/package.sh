# Installs a package that is missing. $1 name, $2 version or "", $3 seconds for yum, $4 the only repositories or "",
# $5 module stream or "", then units: with them one of another version is replaced, and what runs has the new program.
# Exits 66 where no repository has it. yum's exit code says nothing: yum 3 gives 0 with a package skipped.
rso_guard
name=$1
version=$2
wanted=$name${version:+-$version}
seconds=$3
only=$4
stream=$5
shift 5

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

is_there() { # in the version that it is to have, where it may be replaced
    if [ "$upgrades" ]; then rpm -q "$wanted"; else rpm -q "$name"; fi >/dev/null 2>&1
}

pid_of() { # unit: its main process, 0 for none
    pid=$(systemctl show -p MainPID "$1")
    pid=${pid#MainPID=}
}

runs_the_old() { # pid: its program was replaced, and is only there until it ends
    case $(readlink "/proc/$1/exe") in
    *' (deleted)') ;;
    *) return 1 ;;
    esac
}

renew() { # unit: what the package left as it was, or down, has the new program; nobody waits for a replica's data
    pid_of "$1"
    [ "${pid:-0}" = 0 ] || runs_the_old "$pid" || return 0
    systemctl daemon-reload 9>&-
    systemctl stop "$1" 9>&- || {
        echo "systemctl stop $1 did not succeed" >&2
        exit 1
    }
    systemctl reset-failed "$1" 2>/dev/null 9>&-
    systemctl start --no-block "$1" 9>&-
}

upgrades=
run= # the units that run: what is down is left so
for unit; do
    upgrades=1
    pid_of "$unit"
    [ "${pid:-0}" = 0 ] || run="$run $unit"
done
if ! is_there; then
    if [ -n "$stream" ]; then # another stream of it may be enabled: what is installed of it is left, or replaced
        run_yum -q module reset "${stream%%:*}"
        run_yum -q module enable "$stream"
        case $said in
        *"Unable to resolve argument"* | *"No match"* | *"missing groups or modules"*)
            echo "no enabled repository has the module stream $stream" >&2
            exit 66
            ;;
        esac
        [ "$code" -eq 0 ] || no_yum "enable the module stream $stream"
    fi
    run_yum install "$wanted"
    if ! is_there; then
        case $said in
        *"No package "*" available"* | *"No match for argument"* | *"Unable to find a match"*)
            echo "no enabled repository has $wanted" >&2
            exit 66
            ;;
        esac
        no_yum "install $wanted"
    fi
fi
if [ "$(rpm -q "$name" | wc -l)" -gt 1 ]; then
    echo "rpm knows several versions of $name, as an update of it was cut short: remove the older one (rpm -e)" >&2
    exit 1
fi
for unit in $run; do
    renew "$unit"
done
rpm -q --qf '%{VERSION}-%{RELEASE}\n' "$name" | head -n 1
[ -z "$version" ] || rpm -q "$wanted" >/dev/null || {
    echo "installed is $(rpm -q "$name"), not $wanted" >&2
    exit 1
}
