# Writes down which directives of redis.conf are ours, before they are set: one JSON object on one line, from stdin.
rso_guard
rso_new=$(cat)
case $rso_new in
'{'*'}') ;;
*)
    echo "the directives did not arrive whole" >&2
    exit 70
    ;;
esac
rso_write_state "$RSO_OWNER" "$(rso_value bootstrapId)" "$(rso_value firstMaster)" "$RSO_EPOCH" "$rso_new" || exit 70
