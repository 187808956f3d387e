# Reads a host in one go and changes nothing. POSIX sh with what EL7 to EL10 have at least: coreutils, sed, systemctl, busctl,
# ip, ss, rpm; no python. Each process that is started costs a millisecond or two a host and pass: builtins where they serve.
#
# Set before (lists are separated by line feeds): RSO_SECTIONS RSO_FILES RSO_UNITS RSO_CONFS RSO_DIRS; RSO_ADDRESS and
# RSO_CLAIM RSO_PACKAGES. Answers with one block a section:
#     [name]
#     word value ...
#     [/name ok]          or          [/name failed why]
# Every line between begins with a lower-case word, so that no content can look like a mark; content of files is base64.

nl='
'
IFS=$nl # lists are split at line feeds only, and no word of them is a pattern
set -f
unfit="the login user is not root and sudo is not used"
while IFS='	 ' read -r key _ effective _; do
    case "$key $effective" in
    "Uid: 0") unfit= && break ;;
    esac
done </proc/self/status

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

rows() { # word text: each line of the text after the word, blank ones too
    [ -n "$2" ] || return 0
    while read -r line; do
        printf '%s %s\n' "$1" "$line"
    done <<EOF
$2
EOF
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
    # shellcheck disable=SC2086
    if ! found=$(timeout 3 rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n' $RSO_PACKAGES 2>/dev/null); then
        why="rpm -qa did not succeed"
        return
    fi
    rows package "$found"
    for each in $RSO_FILES; do # what an update or a removal of the package leaves beside a file that was changed
        for ending in rpmnew rpmsave; do
            [ ! -e "$each.$ending" ] || printf 'left %s\n' "$each.$ending"
        done
    done
}

# -- files

files_at() { # paths
    present=
    for each; do
        if [ -f "$each" ]; then
            present=$present$nl$each
        elif [ -e "$each" ] || [ -L "$each" ]; then
            why="$each is no regular file"
        else
            printf 'absent %s\n' "$each"
        fi
    done
    [ -n "$present" ] || return 0
    # shellcheck disable=SC2086 # a list
    for each in $(stat -L -c '%a %U %G %s %n' -- $present 2>/dev/null); do
        one_file "$each"
    done
}

one_file() { # mode owner group size path
    path=/${1#*/}
    meta=${1%% /*}
    if [ "${meta##* }" -gt 1048576 ]; then
        why="$path is larger than 1 MiB"
    elif content=$(base64 -w 0 2>/dev/null <"$path"); then
        printf 'file %s =%s %s\n' "${meta% *}" "$content" "$path"
    else
        why="$path cannot be read"
    fi
}

read_files() {
    # shellcheck disable=SC2086
    files_at $RSO_FILES
}

read_claim() {
    files_at "$RSO_CLAIM"
}

# -- units and processes

firewalld=
iptables=
case $RSO_ADDRESS in
*:*) tool=ip6tables ;;
*) tool=iptables ;;
esac

read_units() { # those asked for, and the two firewalls in the same question
    # shellcheck disable=SC2086
    if ! found=$(timeout 3 systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p MainPID \
        $RSO_UNITS firewalld.service $tool.service 2>&1); then
        why="systemctl show did not succeed: $found"
        return
    fi
    rows unit "$found"
    id=
    state=
    while read -r line; do
        case $line in
        Id=*) id=${line#Id=} ;;
        ActiveState=*) state=${line#ActiveState=} ;;
        '') remember_firewall ;;
        esac
    done <<EOF
$found

EOF
}

remember_firewall() {
    case $id in
    firewalld.service) firewalld=$state ;;
    "$tool.service") iptables=$state ;;
    esac
    id=
}

read_processes() {
    set +f
    for dir in /proc/[0-9]*; do
        { read -r name <"$dir/comm"; } 2>/dev/null || continue
        case $name in
        *redis-ser* | *redis-sen* | *valkey-ser* | *valkey-sen*) one_process "${dir#/proc/}" "$name" ;;
        esac
    done
    set -f
}

one_process() { # pid name
    { read -r status <"/proc/$1/stat"; } 2>/dev/null || return 0
    status=${status##*) }
    [ "${status%% *}" != Z ] || return 0
    status=${status#* }
    case $2 in
    *-sentinel) sentinel=1 ;;
    *) is_sentinel "$(tr '\000\n' '  ' 2>/dev/null <"/proc/$1/cmdline")" ;;
    esac
    printf 'process %s %s %s %s\n' "$1" "${status%% *}" "$sentinel" "$2"
    { while read -r line; do # its place in systemd's tree, in cgroup v1 and v2
        case $line in
        *:name=systemd:* | 0::*) printf 'cgroup %s %s\n' "$1" "${line#*:*:}" ;;
        esac
    done <"/proc/$1/cgroup"; } 2>/dev/null
}

is_sentinel() { # command line, by redis' own title or as it was started
    case "$1 " in
    *"[sentinel]"* | *" --sentinel "*) sentinel=1 ;;
    *) sentinel=0 ;;
    esac
}

# -- listening sockets

read_listeners() {
    if found=$(ss -ltnp 2>/dev/null); then
        rows socket "$found"
    else
        bare_ports
    fi
}

bare_ports() {
    for table in /proc/net/tcp /proc/net/tcp6; do
        [ -r "$table" ] || continue
        while IFS=' ' read -r _ local _ state _; do
            [ "$state" != 0A ] || printf 'port %d\n' "0x${local##*:}"
        done <"$table"
    done
}

# -- data

read_data() {
    dirs=$RSO_DIRS
    names="dump.rdb${nl}appendonly.aof"
    trees=appendonlydir
    for conf in $RSO_CONFS; do
        [ -r "$conf" ] || continue
        for line in $(data_directives "$conf"); do
            value=${line#* }
            case $line in
            dir\ /*) dirs=$dirs$nl$value ;;
            dir\ *) ;; # EL10's `dir ./`: the unit's directory, which is among those that were asked for
            appenddirname\ *) trees=$trees$nl$value ;;
            *) names=$names$nl$value ;;
            esac
        done
    done
    found=
    for dir in $dirs; do
        data_in "$dir"
    done
    # shellcheck disable=SC2086
    [ -z "$found" ] || stat -L -c 'data %s %n' -- $found 2>/dev/null || why="a data file vanished while it was read"
}

data_directives() { # file: the directives that say where data lies, without quotes
    sed -n -e "s/^[[:space:]]*\([a-zA-Z]\{1,\}\)[[:space:]]\{1,\}[\"']\{0,1\}\([^\"']*[^\"'[:space:]]\)[\"']\{0,1\}[[:space:]]*\$/\1 \2/" \
        -e 's/^[dD][iI][rR] /dir /p' -e 's/^dbfilename /&/Ip' -e 's/^appendfilename /&/Ip' -e 's/^appenddirname /appenddirname /Ip' "$1"
}

data_in() { # directory
    [ -d "$1" ] || return 0
    if ! { [ -r "$1" ] && [ -x "$1" ]; }; then
        why="$1 cannot be listed"
        return
    fi
    for name in $names; do
        data_file "$1/$name"
    done
    set +f
    for path in "$1"/*.rdb "$1"/*.aof; do
        data_file "$path"
    done
    for tree in $trees; do
        for path in "$1/$tree"/*; do
            data_file "$path"
        done
    done
    set -f
}

data_file() { # path, which may not exist
    [ -f "$1" ] || return 0
    case $1 in
    */temp-*.rdb) ;; # a save that goes on or was broken off
    *"$nl"*) why="a file name in the data directory holds a line feed" ;;
    *) found=$found$nl$1 ;;
    esac
}

# -- firewall

read_firewall() {
    if [ -z "$firewalld$iptables" ]; then
        why="systemctl does not tell which firewall runs"
        return
    fi
    case $firewalld in
    active | activating | reloading)
        printf 'backend firewalld\n'
        firewalld_over_bus || firewalld_by_command || why="firewalld does not answer"
        return
        ;;
    esac
    if [ "$iptables" = active ]; then
        printf 'backend iptables\n'
        iptables_rules
    else
        printf 'backend none\n'
    fi
}

interface() { # sets $device to the one that holds our address, or to nothing
    device=$(ip -o addr show to "$RSO_ADDRESS" 2>/dev/null)
    device=${device#*: }
    device=${device%%[ @]*}
}

bus() { # path interface method arguments: firewalld over D-Bus; its own client takes 400 ms for each question
    timeout 2 busctl --system call org.fedoraproject.FirewallD1 "$@" 2>/dev/null
}

unquote() { # sets $word to what `s "public"` holds
    word=${1#*\"}
    word=${word%\"}
}

default_zone() { # sets $zone
    zone=
    [ -r /etc/firewalld/firewalld.conf ] && while IFS='=' read -r key value; do
        [ "$key" != DefaultZone ] || zone=$value
    done </etc/firewalld/firewalld.conf
    [ -z "$zone" ] || return 0
    said=$(bus /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1 getDefaultZone) || return 1
    unquote "$said"
    zone=$word
}

of_zone() { # method
    bus /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone "$1" s "$zone"
}

firewalld_over_bus() {
    interface
    zone=
    if [ -n "$device" ]; then
        said=$(bus /org/fedoraproject/FirewallD1 org.fedoraproject.FirewallD1.zone getZoneOfInterface s "$device") || return 1
        unquote "$said"
        zone=$word
    fi
    [ -n "$zone" ] || default_zone || return 1
    # Not getZoneSettings: of what is empty now it tells what was there when firewalld started (seen in 1.3.0).
    ports=$(of_zone getPorts) && rules=$(of_zone getRichRules) && services=$(of_zone getServices) || return 1
    for path in "/etc/firewalld/zones/$zone.xml" "/usr/lib/firewalld/zones/$zone.xml"; do
        [ -f "$path" ] || continue
        permanent=$(base64 -w 0 <"$path") || return 1
        printf 'zone %s\npermanent xml %s\n' "$zone" "$permanent"
        printf 'runtime %s\n' "ports $ports" "rules $rules" "services $services"
        firewalld_noted
        return 0
    done
    return 1
}

firewalld_by_command() {
    interface
    zone=
    [ -z "$device" ] || zone=$(timeout 3 firewall-cmd --get-zone-of-interface="$device" 2>/dev/null) || zone=
    [ -n "$zone" ] || zone=$(timeout 3 firewall-cmd --get-default-zone 2>/dev/null) || return 1
    runtime=$(timeout 3 firewall-cmd --zone="$zone" --list-all 2>/dev/null) || return 1
    permanent=$(timeout 3 firewall-cmd --permanent --zone="$zone" --list-all 2>/dev/null) || return 1
    printf 'zone %s\n' "$zone"
    rows 'runtime list' "$runtime"
    rows 'permanent list' "$permanent"
    firewalld_noted
}

firewalld_noted() { # what we opened ourselves, beside our claim
    [ ! -r "${RSO_CLAIM%/*}/firewall" ] || rows opened "$(cat "${RSO_CLAIM%/*}/firewall")"
}

iptables_rules() {
    if ! found=$(timeout 2 $tool -w -S 2>/dev/null); then
        why="$tool -S did not succeed"
        return
    fi
    rows rule "$found"
    files_at /etc/sysconfig/$tool
}

printf '\n'
for wanted in $RSO_SECTIONS; do
    section "$wanted"
done
printf '[done]\n'
