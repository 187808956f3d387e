# Opens and closes in firewalld, in force and permanently apart: a reload would drop other people's runtime rules.
# Stdin: a change a line, `add|remove|forget runtime|permanent ZONE WORDS`, where WORDS are `6379/tcp`, `service redis` or
# a rich rule. What we open is noted before it is opened, and forgotten after it was closed: what is not noted is others'.
# Over D-Bus, as firewalld's own client takes 400 ms for each call; that client where the bus does not do.
rso_guard
base=/org/fedoraproject/FirewallD1
name=org.fedoraproject.FirewallD1
noted=$rso_dir/firewall
changes=$(cat)

bus() { # path interface method arguments
    timeout 5 busctl --system call $name "$@" 2>/dev/null </dev/null 9>&-
}

permanent_zone() { # zone: sets $found to its path
    found=$(bus $base/config $name.config getZoneByName s "$1") || return 1
    found=${found#*\"}
    found=${found%\"*}
}

over_bus() { # add|remove|query layer zone words
    act=$1 where=$2 within=$3
    case $4 in
    rule*) set -- RichRule s "$4" ;;
    service\ *) set -- Service s "${4#service }" ;;
    *) set -- Port ss "${4%/*}" "${4#*/}" ;;
    esac
    method=$act$1 signature=$2
    shift 2
    case $where-$act in
    permanent-*) permanent_zone "$within" && bus "$found" $name.config.zone "$method" "$signature" "$@" ;;
    runtime-add) bus $base $name.zone "$method" "s${signature}i" "$within" "$@" 0 ;;
    *) bus $base $name.zone "$method" "s$signature" "$within" "$@" ;;
    esac
}

by_command() { # add|remove layer zone words
    case $4 in
    rule*) option=--$1-rich-rule=$4 ;;
    service\ *) option=--$1-service=${4#service } ;;
    *) option=--$1-port=$4 ;;
    esac
    permanent=
    [ "$2" = runtime ] || permanent=--permanent
    # shellcheck disable=SC2086 # no word where it is empty
    timeout 30 firewall-cmd $permanent --zone="$3" "$option" >/dev/null 2>&1 </dev/null 9>&-
    case "$1 $?" in
    *' 0' | 'remove 112') ;; # 112: there is no such zone any more
    *) return 1 ;;
    esac
}

one() { # add|remove layer zone words
    over_bus "$@" >/dev/null && return
    case "$1 $(over_bus query "$2" "$3" "$4")" in
    'add b true' | 'remove b false') ;; # it was so before
    *) by_command "$@" ;;
    esac
}

rest_of() { # a verb, or a pattern of verbs: what is to be done so
    printf '%s\n' "$changes" | sed -n "s/^$1 //p"
}

if [ -n "$(rest_of add)" ]; then
    { [ ! -r "$noted" ] || cat "$noted"; rest_of add; } | sort -u | rso_replace "$noted" 0600 root root || exit 70
fi
while read -r verb layer zone words; do
    [ "$verb" = forget ] || one "$verb" "$layer" "$zone" "$words" || {
        echo "firewalld did not $verb $words in zone $zone ($layer)" >&2
        exit 1
    }
done <<END
$changes
END
gone=$(rest_of '[rf][a-z]*')
if [ -r "$noted" ] && [ -n "$gone" ]; then
    grep -vxF "$gone" "$noted" | rso_replace "$noted" 0600 root root || exit 70
fi
