# Lets units come up with the machine; starts nothing. $@ the units. Exits 1 where one of them still would not.
rso_guard
systemctl enable "$@" >/dev/null 9>&-
for unit; do
    state=$(systemctl is-enabled "$unit") || {
        printf '%s %s\n' "$unit" "$state"
        exit 1
    }
done
