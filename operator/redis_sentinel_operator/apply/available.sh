# Asks the repositories of the host for a package; changes nothing but yum's own cache. $1 package, $2 seconds for yum,
# $3 the only repositories or "", $4 module stream or "", $5 "fetch" where it is put into that cache, too.
# Exits 66 where none has it, 1 where yum cannot tell.
only=$3
run_yum() { # sets $said and $code
    said=$(timeout -k 5 "$seconds" yum -q --disableexcludes=main ${only:+"--disablerepo=*" "--enablerepo=$only"} "$@" 2>&1 </dev/null)
    code=$?
}
seconds=$2
if [ -n "$4" ]; then # of a stream that is not enabled yet yum lists no package: its module is what can be asked for
    run_yum module list "$4"
    [ "$code" -ne 0 ] || exit 0
    case $said in
    *"o matching "[Mm]"odules"*)
        echo "no enabled repository has the module stream $4" >&2
        exit 66
        ;;
    esac
else
    run_yum list available "$1"
    if [ "$code" -eq 0 ] && [ "$5" = fetch ]; then # yum 3 does not say by its status whether it did
        run_yum -y install --downloadonly "$1"
        case "$code $said" in
        0* | *"exiting because "*) ;;
        *) echo "$1 cannot be fetched: $(printf '%s\n' "$said" | grep -v '^ *$' | tail -n 1)" >&2; exit 1 ;;
        esac
        exit 0
    fi
    [ "$code" -ne 0 ] || exit 0
fi
case "$code $said" in
*"o matching "[Pp]"ackages"* | *"no enabled repo"*)
    repos=$(timeout -k 5 30 yum -q repolist 2>/dev/null </dev/null | sed '1d; s/[ /!*].*//' | tr '\n' ' ')
    repos=${repos% }
    echo "no enabled repository (${repos:-there is none}) has $1" >&2
    exit 66
    ;;
124*) echo "yum did not say within $2 s whether it can install $1" >&2 ;;
*) printf 'yum cannot tell whether it can install %s: %s\n' "$1" "$(printf '%s\n' "$said" | grep -v '^ *$' | tail -n 1)" >&2 ;;
esac
exit 1
