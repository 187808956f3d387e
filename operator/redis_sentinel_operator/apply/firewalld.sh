# Opens TCP ports, in force and permanently apart: a reload would drop other people's runtime rules.
# $1 zone ("" = the default one), $2 ports now, $3 ports permanently (words).
rso_guard

opened() { # "--permanent" or "" first, then ports
    permanent=$1
    shift
    for port; do
        # shellcheck disable=SC2086 # no word where it is empty
        timeout 20 firewall-cmd $permanent $zone --add-port="$port/tcp" >/dev/null 9>&- || return 1
        # shellcheck disable=SC2086
        timeout 20 firewall-cmd $permanent $zone --query-port="$port/tcp" >/dev/null 9>&- || return 1
    done
}

zone=${1:+--zone=$1}
# shellcheck disable=SC2086 # words on purpose
opened "" $2 && opened --permanent $3 || {
    echo "firewalld did not open port $port" >&2
    exit 1
}
