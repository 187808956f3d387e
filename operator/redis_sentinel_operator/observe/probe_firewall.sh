# The probe's part about the firewall. The units are read before: they tell which one runs.

case $RSO_ADDRESS in
*:*) tool=ip6tables ;;
*) tool=iptables ;;
esac
firewalld= # the state of each of the two units
iptables=
firewall_files="/etc/firewalld/zones/*.xml
/usr/lib/firewalld/zones/*.xml
/etc/sysconfig/$tool"

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
    device=$(exec ip -o addr show to "$RSO_ADDRESS" 2>/dev/null)
    device=${device#*: }
    device=${device%%[ @]*}
}

# firewalld over D-Bus, as its own client takes 400 ms for each question; by dbus-send where there is one: it shows the
# serial of an answer, and firewalld counts all that it sends. No change in it goes without a signal.
bus() { # interface method argument: sets $said
    if command -v dbus-send >/dev/null; then
        said=$(exec dbus-send --system --print-reply --reply-timeout=2000 --dest=org.fedoraproject.FirewallD1 \
            /org/fedoraproject/FirewallD1 "$1.$2" ${3:+"string:$3"} 2>/dev/null) || return 1
        count_answer
    else
        said=$(exec timeout 2 busctl --system call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 \
            "$1" "$2" ${3:+s} ${3:+"$3"} 2>/dev/null) # words of their own: IFS holds no blank
    fi
}

count_answer() { # sets $serial (sender and number) and $paces, how far each answer is from the one before
    line=${said%%"$nl"*} # method return time=1.2 sender=:1.2 -> destination=:1.9 serial=94 reply_serial=2
    sender=${line#*sender=}
    sender=${sender%% *}
    number=${line#* serial=}
    number=${number%% *}
    case $sender$number in
    *[!0-9:.]*) # an older dbus-send shows none
        serial=
        return
        ;;
    esac
    [ -z "$serial" ] || paces="$paces $((number - ${serial#* }))"
    serial="$sender $number"
}

of_zone() { # method argument
    bus org.fedoraproject.FirewallD1.zone "$1" "$2"
}

unquote() { # sets $word to what an answer of one string holds
    word=${said#*\"}
    word=${word%\"*}
}

default_zone() { # sets $zone
    zone=
    [ -r /etc/firewalld/firewalld.conf ] && while IFS='=' read -r key value; do
        [ "$key" != DefaultZone ] || zone=$value
    done </etc/firewalld/firewalld.conf
    [ -z "$zone" ] || return 0
    bus org.fedoraproject.FirewallD1 getDefaultZone || return 1
    unquote
    zone=$word
}

firewalld_over_bus() {
    interface
    zone=
    serial=
    paces=
    if [ -n "$device" ]; then
        of_zone getZoneOfInterface "$device" || return 1
        unquote
        zone=$word
    fi
    first=$serial
    [ -n "$zone" ] || default_zone || return 1
    for path in "/etc/firewalld/zones/$zone.xml" "/usr/lib/firewalld/zones/$zone.xml"; do
        [ -f "$path" ] || continue
        content_of "$path" && runtime || return 1
        printf 'zone %s\npermanent xml %s %s\n' "$zone" "$content" "$path"
        firewalld_noted
        printf '%s\n' "$found"
        return 0
    done
    return 1
}

# The mark is what the first answer will be if firewalld says nothing until then, and the pace of its serials: two where
# it asks the bus who we are. There is one only where all answers follow at one pace: then nothing came between them.
runtime() { # sets $found to the rows
    case $RSO_MARK_FIREWALL in
    "$first $device $zone "[12])
        pace=${RSO_MARK_FIREWALL##* }
        found=known
        ;;
    *)
        # Not getZoneSettings: of what is empty now it tells what was there when firewalld started (seen in 1.3.0).
        of_zone getPorts "$zone" && ports=$said && of_zone getRichRules "$zone" && rules=$said &&
            of_zone getServices "$zone" || return 1
        found=$(rows 'runtime ports' "$ports" && rows 'runtime rules' "$rules" && rows 'runtime services' "$said")
        case $first$paces in
        :*' 1 1 1') pace=1 ;;
        :*' 2 2 2') pace=2 ;;
        *) return 0 ;;
        esac
        ;;
    esac
    found="mark ${serial% *} $((${serial#* } + pace)) $device $zone $pace$nl$found"
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
    [ -r "${RSO_CLAIM%/*}/firewall" ] || return 0
    while read -r line; do
        printf 'opened %s\n' "$line"
    done <"${RSO_CLAIM%/*}/firewall"
}

iptables_rules() {
    if ! found=$(exec timeout 2 $tool -w -S 2>/dev/null); then
        why="$tool -S did not succeed"
        return
    fi
    rows rule "$found"
    files_at /etc/sysconfig/$tool
}
