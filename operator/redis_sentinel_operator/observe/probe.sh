# Reads a host in one go and changes nothing. POSIX sh with what EL7 to EL10 have at least: coreutils, sed, systemctl, busctl,
# ip, ss, rpm; no python. Each process that is started costs a millisecond or two a host and pass: builtins where they serve,
# and `exec` in $(...), which is a process already.
#
# Set before (lists are separated by line feeds): RSO_SECTIONS RSO_FILES RSO_UNITS RSO_CONFS RSO_DIRS; RSO_ADDRESS and
# RSO_CLAIM RSO_PACKAGES. And what the host told before, so that it need not be told again while it holds: RSO_KNOWN, the
# stamps of contents; RSO_MARK_PACKAGES, RSO_MARK_DATA (with RSO_PLACES) and RSO_MARK_FIREWALL.
# Answers with one block a section:
#     [name]
#     word value ...
#     [/name ok]          or          [/name failed why]
# Every line between begins with a lower-case word, so that no content can look like a mark. The content of a file is base64
# after `=`, or `~` and its stamp where that is known. Behind a row `mark MARK` or `follows STAMPS`
# stands what may be `known` the next time.

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

# rpm's database in its three formats: no package comes or goes without a change of the file.
database="/var/lib/rpm/Packages
/var/lib/rpm/Packages.db
/var/lib/rpm/rpmdb.sqlite"

read_packages() {
    for each in $RSO_FILES; do # what an update or a removal of the package leaves beside a file that was changed
        for ending in rpmnew rpmsave; do
            [ ! -e "$each.$ending" ] || printf 'left %s\n' "$each.$ending"
        done
    done
    if command -v rpm >/dev/null && known_by "$RSO_MARK_PACKAGES" "$database"; then
        printf 'follows %s\nknown\n' "$mark"
        return
    fi
    # shellcheck disable=SC2086
    if ! found=$(exec timeout 3 rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n' $RSO_PACKAGES 2>/dev/null); then
        why="rpm -qa failed or took longer than 3 s"
        return
    fi
    printf 'follows %s\n' "$mark"
    rows package "$found"
}

# -- units and processes

has_unit() { # name: whether systemd can know it: from a file, or as it runs
    for each in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system /run/systemd/system \
        /usr/local/lib/systemd/system /run/systemd/generator /run/systemd/generator.early /run/systemd/generator.late \
        /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /etc/systemd/system.attached \
        /run/systemd/system.attached /sys/fs/cgroup/system.slice /sys/fs/cgroup/systemd/system.slice; do
        if [ -e "$each/$1" ] || [ -L "$each/$1" ]; then
            return 0
        fi
    done
    return 1
}

read_units() { # those asked for, and the two firewalls in the same question
    asked=
    for name in $RSO_UNITS firewalld.service $tool.service; do # of each that it looks for systemd searches all its paths
        if has_unit "$name"; then
            asked=$asked$nl$name
        else
            printf 'without %s\n' "$name"
        fi
    done
    firewalld=inactive
    iptables=inactive
    [ -n "$asked" ] || return 0
    # shellcheck disable=SC2086
    if ! found=$(exec timeout 3 systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState -p MainPID $asked 2>&1); then
        why="systemctl show failed or took longer than 3 s${found:+: $found}"
        firewalld=
        iptables=
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
    age_of "$1" "$status"
    status=${status#* }
    case $2 in
    *-sentinel) sentinel=1 ;;
    *) is_sentinel "$1" ;;
    esac
    printf 'process %s %s %s %s\n' "$1" "${status%% *}" "$sentinel" "$2"
    limits_of "$1"
    is_replaced "$1" "${2%%-*}"
    { while read -r line; do # its place in systemd's tree, in cgroup v1 and v2
        case $line in
        *:name=systemd:* | 0::*) printf 'cgroup %s %s\n' "$1" "${line#*:*:}" ;;
        esac
    done <"/proc/$1/cgroup"; } 2>/dev/null
}

is_replaced() { # pid redis|valkey: its program is not the one of the package, nor any other that is still there
    [ "/proc/$1/exe" -ef "/usr/bin/$2-server" ] || case $(exec readlink "/proc/$1/exe" 2>/dev/null) in
    *' (deleted)') printf 'replaced %s\n' "$1" ;;
    esac
}

age_of() { # pid status: how long it runs, in hundredths of a second, as the kernel counts its start since the boot
    age=$2
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
        age=${age#* }
    done
    { read -r up </proc/uptime && up=${up%% *} && printf 'age %s %s\n' "$1" "$((${up%.*}${up#*.} - ${age%% *}))"; } \
        2>/dev/null
}

limits_of() { # pid: how many files it may open at most, and its umask where the kernel tells it (since 4.7)
    { while IFS=' ' read -r _ what _ _ hard _; do
        [ "$what" != open ] || printf 'limit %s %s\n' "$1" "$hard"
    done <"/proc/$1/limits"; } 2>/dev/null
    { read -r _ && IFS='	' read -r what value && [ "$what" != Umask: ] || printf 'umask %s %s\n' "$1" "$value"; } \
        2>/dev/null <"/proc/$1/status"
}

is_sentinel() { # pid: by redis' own title or as it was started
    sentinel=0
    words=
    { while read -r line || [ -n "$line" ]; do
        words="$words $line"
    done <"/proc/$1/cmdline"; } 2>/dev/null
    case $words in # without what parts them
    *sentinel*) words=$(exec tr '\000\n' '  ' 2>/dev/null <"/proc/$1/cmdline") ;;
    esac
    case "$words " in
    *"[sentinel]"* | *" --sentinel "*) sentinel=1 ;;
    esac
}

# -- listening sockets

read_listeners() {
    if found=$(exec ss -ltnp 2>/dev/null); then
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

# -- the machine: what its kernel has

read_machine() {
    # Not by `read`: dash reads byte by byte, and the kernel gives numbers only at once.
    rows sysctl "$(exec cat /proc/sys/vm/overcommit_memory /proc/sys/net/core/somaxconn 2>/dev/null)"
    { read -r value </sys/kernel/mm/transparent_hugepage/enabled; } 2>/dev/null && printf 'hugepages %s\n' "$value"
    while IFS=' ' read -r name value _; do
        case $name in
        MemTotal: | MemAvailable:) printf 'memory %s %s\n' "${name%:}" "$value" ;;
        SwapTotal:) break ;; # all that is asked for stands above
        esac
    done </proc/meminfo
    refusals
    disks
    held
    { read -r value </sys/fs/selinux/enforce; } 2>/dev/null || return 0
    printf 'selinux %s\n' "$value"
    ! command -v semanage >/dev/null || printf 'semanage there\n'
    redis_ports
    for conf in $RSO_CONFS; do
        [ ! -f "$conf" ] || stat -L -c 'label %C %n' -- "$conf" 2>/dev/null
    done
}

redis_ports() { # what semanage added, in the place where it keeps that: EL8 and newer, EL7, EL7 before 7.3
    policy=targeted
    { while IFS='=' read -r key value || [ -n "$key" ]; do
        [ "$key" != SELINUXTYPE ] || policy=$value
    done </etc/selinux/config; } 2>/dev/null
    for added in /var/lib/selinux/"$policy"/active /etc/selinux/"$policy"/active /etc/selinux/"$policy"/modules/active; do
        [ -r "$added/ports.local" ] || continue
        while IFS=' ' read -r word protocol port context; do
            case "$word $protocol $context" in
            "portcon tcp "*:redis_port_t | "portcon tcp "*:redis_port_t:*) printf 'redisport %s\n' "$port" ;;
            esac
        done <"$added/ports.local"
        return
    done
}

disks() { # blocks that are free and in all, bytes of a block, of the data directories that there are
    there=
    for dir in $RSO_DIRS; do
        [ ! -d "$dir" ] || there=$there$nl$dir
    done
    # shellcheck disable=SC2086 # a list
    [ -z "$there" ] || stat -f -c 'disk %a %b %S %n' -- $there 2>/dev/null
}

held() { # the units that our fence keeps from starting
    set +f
    for each in /etc/systemd/system/*.service.d/zz-redis-sentinel-operator-fence.conf; do
        [ -f "$each" ] || continue
        each=${each%/*}
        each=${each##*/}
        printf 'held %s\n' "${each%.d}"
    done
    set -f
}

refusals() { # what the kernel did not take from us since this boot, as noted beside our claim
    { read -r boot </proc/sys/kernel/random/boot_id; } 2>/dev/null || return 0
    [ -r "${RSO_CLAIM%/*}/refused" ] || return 0
    while IFS=' ' read -r since name; do
        [ "$since" != "$boot" ] || printf 'refused %s\n' "$name"
    done <"${RSO_CLAIM%/*}/refused"
}

answer() {
    [ ! -s /var/lib/rpm/rpmdb.sqlite-wal ] || database= # a change is in its log and not in the file yet
    [ -n "$unfit" ] || look
    # In one piece: a packet a line would cost both sides more than all that is read.
    said=$(
        for wanted in $RSO_SECTIONS; do
            section "$wanted"
        done
    )
    printf '\n%s\n[done]\n' "$said"
}
