# Lets units not come up with the machine; stops nothing. $@ the units. Exits 1 where one of them still would.
rso_guard
systemctl disable "$@" >/dev/null 9>&-
for unit; do
    state=$(systemctl is-enabled "$unit")
    case $state in
    enabled*)
        printf '%s %s\n' "$unit" "$state"
        exit 1
        ;;
    esac
done
exit 0
