# Reads a host in one go and changes nothing. POSIX sh, coreutils and sed, as EL7 to EL10 and dash have them; no python.
#
# Set before (newline separated lists): RSO_SECTIONS RSO_FILES RSO_UNITS RSO_CONFS RSO_DIRS; RSO_ADDRESS, RSO_CLAIM.
# Answers with one block a section:
#     [name]
#     word value ...
#     [/name ok]          or          [/name failed why]
# Every line between begins with a lower-case word, so that no content can look like a mark; content of files is base64.

nl='
'
tab='	'
unfit=
[ "$(id -u)" = 0 ] || unfit="the login user is not root and sudo is not used"

section() { # name: run read_<name>, which sets $why when it could not read all
    printf '[%s]\n' "$1"
    why=$unfit
    [ -n "$why" ] || "read_$1"
    if [ -z "$why" ]; then
        printf '[/%s ok]\n' "$1"
    else
        printf '[/%s failed %s]\n' "$1" "$(printf '%s' "$why" | tr '\n\r' '  ')"
    fi
}

rows() { # word text: each line of the text after the word
    [ -z "$2" ] || printf '%s\n' "$2" | sed "s/^/$1 /"
}

read_os() {
    if ! [ -r /etc/os-release ]; then
        why="there is no /etc/os-release"
        return
    fi
    while IFS='=' read -r key value || [ -n "$key" ]; do
        case $key in
        ID) printf 'id %s\n' "$value" ;;
        VERSION_ID) printf 'version %s\n' "$value" ;;
        esac
    done </etc/os-release
    { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null && printf 'boot %s\n' "$boot"
}

read_packages() {
    if ! found=$(timeout 3 rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n' 'redis*' 'valkey*' 2>/dev/null); then
        why="rpm -qa did not succeed"
        return
    fi
    rows package "$found"
}

# -- files

one_file() { # path
    if ! said=$(stat -L -c '%a %U %G %s %F' -- "$1" 2>&1); then
        case $said in
        *"No such file or directory"* | *"Not a directory"*) printf 'absent %s\n' "$1" ;;
        *) why="$1 cannot be read: ${said##*: }" ;;
        esac
        return
    fi
    path=$1
    # shellcheck disable=SC2086 # words on purpose
    set -- $said
    case $said in
    *" regular file" | *" regular empty file") ;;
    *) why="$path is no regular file" && return ;;
    esac
    if [ "$4" -gt 1048576 ]; then
        why="$path is larger than 1 MiB"
        return
    fi
    if content=$(base64 -w 0 2>/dev/null <"$path"); then
        printf 'file %s %s %s =%s %s\n' "$1" "$2" "$3" "$content" "$path"
    else
        why="$path cannot be read"
    fi
}

read_files() {
    IFS=$nl
    set -f
    # shellcheck disable=SC2086
    set -- $RSO_FILES
    set +f
    unset IFS
    for each; do
        one_file "$each"
    done
}

read_claim() {
    one_file "$RSO_CLAIM"
}

# -- units and processes

read_units() {
    IFS=$nl
    set -f
    # shellcheck disable=SC2086
    set -- $RSO_UNITS
    set +f
    unset IFS
    if found=$(timeout 3 systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p MainPID "$@" 2>&1); then
        rows unit "$found"
    else
        why="systemctl show did not succeed: $found"
    fi
}

read_processes() {
    for dir in /proc/[0-9]*; do
        { read -r name <"$dir/comm"; } 2>/dev/null || continue
        case $name in
        *redis-ser* | *redis-sen* | *valkey-ser* | *valkey-sen*) ;;
        *) continue ;;
        esac
        { read -r status <"$dir/stat"; } 2>/dev/null || continue
        # shellcheck disable=SC2086
        set -- ${status##*) }
        [ "$1" != Z ] || continue
        command=$(tr '\000\n' '  ' 2>/dev/null <"$dir/cmdline") || continue
        sentinel=0
        case "$name|$command " in
        *-sentinel\|* | *"[sentinel]"* | *" --sentinel "*) sentinel=1 ;;
        esac
        printf 'process %s %s %s %s\n' "${dir#/proc/}" "$2" "$sentinel" "$name"
        one_cgroup "${dir#/proc/}"
    done
}

one_cgroup() { # pid: its place in systemd's tree, in cgroup v1 and v2
    { while read -r line; do
        case $line in
        *:name=systemd:* | 0::*) printf 'cgroup %s %s\n' "$1" "${line#*:*:}" ;;
        esac
    done <"/proc/$1/cgroup"; } 2>/dev/null
}

read_listeners() {
    if found=$(timeout 3 ss -ltnp 2>/dev/null); then
        rows socket "$found"
        return
    fi
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while read -r _ local _ state _; do
            [ "$state" != 0A ] || printf 'port %d\n' "0x${local##*:}"
        done <"$table"
    done
}

# -- data

conf_value() { # file directive: the last value, without quotes
    [ -r "$1" ] || return 0
    sed -n "s/^[ $tab]*$2[ $tab]\{1,\}[\"']\{0,1\}\([^\"'$tab]*[^\"' $tab]\)[\"']\{0,1\}[ $tab]*\$/\1/Ip" "$1" | tail -n 1
}

read_data() {
    IFS=$nl
    set -f
    # shellcheck disable=SC2086
    set -- $RSO_CONFS
    dirs=$RSO_DIRS
    names=
    for each; do
        value=$(conf_value "$each" dir)
        case $nl$dirs$nl in
        *"$nl$value$nl"*) ;;
        *) [ -z "$value" ] || dirs=$dirs$nl$value ;;
        esac
        for directive in dbfilename appendfilename appenddirname; do
            names=$names$nl$(conf_value "$each" "$directive")
        done
    done
    # shellcheck disable=SC2086
    set -- $dirs
    for each; do
        data_of "$each"
    done
    set +f
    unset IFS
}

data_of() { # directory; called with IFS newline and without globbing
    if ! said=$(stat -L -c %F -- "$1" 2>&1); then
        case $said in
        *"No such file or directory"* | *"Not a directory"*) ;;
        *) why="$1 cannot be read: ${said##*: }" ;;
        esac
        return
    fi
    if ! { [ -r "$1" ] && [ -x "$1" ]; }; then
        why="$1 cannot be listed"
        return
    fi
    for name in $names; do
        [ -z "$name" ] || data_file "$1/$name"
    done
    set +f
    for found in "$1"/*.rdb "$1"/*.aof "$1"/appendonlydir/*; do
        data_file "$found"
    done
    for name in $names; do
        [ -d "$1/$name" ] || continue
        for found in "$1/$name"/*; do
            data_file "$found"
        done
    done
    set -f
}

data_file() { # path, which may not exist
    [ -f "$1" ] || return 0
    case $1 in
    *"$nl"*) why="a file name in the data directory holds a line feed" && return ;;
    esac
    size=$(stat -L -c %s -- "$1" 2>/dev/null) || return 0
    printf 'data %s %s\n' "$size" "$1"
}

# -- firewall

read_firewall() {
    # shellcheck disable=SC2046 # one word a unit
    set -- $(timeout 2 systemctl is-active firewalld.service iptables.service 2>/dev/null)
    if [ $# -ne 2 ]; then
        why="systemctl is-active did not answer"
        return
    fi
    case "$1 $2" in
    active* | activating* | reloading*)
        printf 'backend firewalld\n'
        firewalld_over_bus || firewalld_by_command || why="firewalld does not answer"
        ;;
    *" active")
        printf 'backend iptables\n'
        iptables_rules
        ;;
    *) printf 'backend none\n' ;;
    esac
}

interface() { # the one that holds our address, or nothing
    ip -o addr show 2>/dev/null | while read -r _ device _ address _; do
        [ "${address%/*}" != "$RSO_ADDRESS" ] || printf '%s\n' "$device"
    done | head -n 1
}

bus() { # path interface method arguments: firewalld over D-Bus; its own client needs 400 ms for each question
    timeout 2 busctl --system call org.fedoraproject.FirewallD1 "$@" 2>/dev/null
}

word_of() { # s "public" -> public
    case $1 in
    *'"'*'"') word=${1#*'"'} && printf '%s' "${word%'"'}" ;;
    esac
}

firewalld_over_bus() {
    base=/org/fedoraproject/FirewallD1
    name=org.fedoraproject.FirewallD1
    device=$(interface)
    zone=
    if [ -n "$device" ]; then
        said=$(bus $base $name.zone getZoneOfInterface s "$device") || return 1
        zone=$(word_of "$said")
    fi
    if [ -z "$zone" ]; then
        said=$(bus $base $name getDefaultZone) || return 1
        zone=$(word_of "$said")
    fi
    [ -n "$zone" ] || return 1
    runtime=$(bus $base $name.zone getPorts s "$zone") || return 1
    said=$(bus $base/config $name.config getZoneByName s "$zone") || return 1
    permanent=$(bus "$(word_of "$said")" $name.config.zone getPorts) || return 1
    printf 'zone %s\nruntime %s\npermanent %s\n' "$zone" "$runtime" "$permanent"
}

firewalld_by_command() {
    device=$(interface)
    zone=
    [ -z "$device" ] || zone=$(timeout 2 firewall-cmd --get-zone-of-interface="$device" 2>/dev/null) || zone=
    [ -n "$zone" ] || zone=$(timeout 2 firewall-cmd --get-default-zone 2>/dev/null) || return 1
    runtime=$(timeout 2 firewall-cmd --zone="$zone" --list-ports 2>/dev/null) || return 1
    permanent=$(timeout 2 firewall-cmd --permanent --zone="$zone" --list-ports 2>/dev/null) || return 1
    printf 'zone %s\nruntime list %s\npermanent list %s\n' "$zone" "$runtime" "$permanent"
}

iptables_rules() {
    case $RSO_ADDRESS in
    *:*) tool=ip6tables ;;
    *) tool=iptables ;;
    esac
    if ! found=$(timeout 2 $tool -w -S INPUT 2>/dev/null); then
        why="$tool -S INPUT did not succeed"
        return
    fi
    rows rule "$found"
    [ ! -r /etc/sysconfig/$tool ] || rows saved "$(cat /etc/sysconfig/$tool)"
}

printf '\n'
for wanted in $RSO_SECTIONS; do
    section "$wanted"
done
printf '[done]\n'
