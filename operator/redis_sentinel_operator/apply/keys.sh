# Writes into state.json which directives of redis.conf are ours ($1 keys), what was seen of the host ($1 notes), or which
# procedure goes on ($1 operation): one JSON object on one line, from stdin.
rso_guard
rso_new=$(cat)
case $rso_new in
'{'*'}') ;;
*)
    echo "what was to be written down did not arrive whole" >&2
    exit 70
    ;;
esac
case $1 in
keys) rso_keep_state "$rso_new" "$(rso_object notes)" "$(rso_object operation)" ;;
notes) rso_keep_state "$(rso_object keys)" "$rso_new" "$(rso_object operation)" ;;
*) rso_keep_state "$(rso_object keys)" "$(rso_object notes)" "$rso_new" ;;
esac || exit 70
