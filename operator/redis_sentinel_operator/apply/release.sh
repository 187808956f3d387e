rso_guard
rm -f "$rso_state"
