# Gives a file another SELinux type. By a rule of the local policy where the host has semanage, so that a relabelling
# keeps it; else until the next one. $1 path, $2 type.
rso_guard
rule=$(printf '%s' "$1" | sed 's/\./\\./g')
if command -v semanage >/dev/null; then
    said=$(semanage fcontext -a -t "$2" "$rule" 2>&1 9>&-) || said=$(semanage fcontext -m -t "$2" "$rule" 2>&1 9>&-)
    restorecon "$1" 9>&-
fi
case $(stat -L -c %C "$1") in
*:"$2":*) exit 0 ;;
esac
said=$(chcon -t "$2" "$1" 2>&1) && exit 0
printf '%s could not be labelled %s: %s\n' "$1" "$2" "$said" >&2
exit 1
