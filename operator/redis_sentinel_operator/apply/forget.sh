# The host is as it was before a procedure: disarms what would open a fence, and strikes the record.
rso_guard
systemctl stop redis-sentinel-operator-unfence.timer 2>/dev/null 9>&-
rm -f "$rso_dir/unfence"
rso_keep_state "$(rso_object keys)" "$(rso_object notes)" '{}' || exit 70
