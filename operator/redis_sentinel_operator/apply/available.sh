# Asks the repositories of the host for a package; changes nothing but yum's own cache. $1 package, $2 seconds for yum.
# Exits 66 where none has it, 1 where yum cannot tell.
said=$(timeout -k 5 "$2" yum -q list available "$1" 2>&1 </dev/null) && exit 0
code=$?
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
