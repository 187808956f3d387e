# $1 bootstrap id, $2 address of its first master, $3 "force" where a person said adopt-claim.
mkdir -p "$rso_dir" && chmod 0700 "$rso_dir" && chown root:root "$rso_dir" || exit 70
rso_lock
rso_found=$(rso_value owner)
if [ -s "$rso_state" ] && [ "$rso_found" != "$RSO_OWNER" ] && [ "$3" != force ]; then
    case $(cat "$rso_state") in
    '{}' | *'"owner": ""'*) ;; # given up, with what a procedure left
    *)
        echo "this host belongs to ${rso_found:-nobody that can be told from a damaged $rso_state}" >&2
        exit 75
        ;;
    esac
fi
rso_had=0
rso_had_keys='{}' # of another owner they tell nothing
rso_had_notes='{}'
if [ "$rso_found" = "$RSO_OWNER" ]; then
    rso_later
    rso_had_keys=$(rso_object keys)
    rso_had_notes=$(rso_object notes)
fi
rso_write_state "$RSO_OWNER" "$1" "$2" "$RSO_EPOCH" "$rso_had_keys" "$rso_had_notes" "$(rso_object operation)" || exit 70
