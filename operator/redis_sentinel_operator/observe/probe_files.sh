# The probe's parts about files: those that are asked for, and redis' data.

format='%a %U %G %s %d.%i.%.9Y.%.9Z %n' # the stamp: device, inode, and when it was modified and changed
metas= # of each file that is looked at a line in this format
fresh= # what was read after that, and is not told by its stamp alone

look() { # one stat for all that will be read, data files where they were before too
    present=
    set +f
    for each in $RSO_FILES $RSO_CLAIM $firewall_files; do
        [ ! -f "$each" ] || present=$present$nl$each
    done
    set -f
    data_files "$RSO_PLACES"
    # What is in /proc comes into being when it is looked at: it tells the time.
    # shellcheck disable=SC2086 # lists
    metas=$(exec stat -L -c "$format" -- /proc/self/stat $present $database $found 2>/dev/null)
}

find_line() { # list path: sets $line to what stands before the path in the list, or to nothing
    for line in $1; do
        case $line in
        *" $2")
            line=${line%" $2"}
            return
            ;;
        esac
    done
    line=
}

content_of() { # path that was looked at: sets $content
    find_line "$metas" "$1"
    case $nl$RSO_KNOWN$nl in
    *"$nl${line##* }$nl"*) content="~${line##* }" ;;
    *)
        content=$(exec base64 -w 0 2>/dev/null <"$1") && content="=$content"
        fresh=$fresh$nl$1
        ;;
    esac
}

known_by() { # mark paths: whether they are as when that mark was told; sets $mark to the stamps that they have now
    mark=
    for each in $2; do
        find_line "$metas" "$each"
        [ -z "$line" ] || mark=$mark${mark:+,}${line##* }
    done
    [ -z "$mark" ] || [ "$mark" != "$1" ] || return 0
    fresh=$fresh$nl$2
    return 1
}

# What was read is kept under a stamp that is the same after the reading as before, and not so young that within the same
# tick of the clock another change would not show.
read_stamps() {
    [ -n "$fresh" ] || return 0
    find_line "$metas" /proc/self/stat
    now=${line%.*}
    now=${now##*.}
    # shellcheck disable=SC2086 # a list
    for line in $(exec stat -L -c "$format" -- $fresh 2>/dev/null); do
        case $nl$metas$nl in
        *"$nl$line$nl"*) ;;
        *) continue ;;
        esac
        path=/${line#*/}
        line=${line%" $path"}
        changed=${line%.*}
        [ $((now - ${changed##*.})) -le 2 ] || printf 'stamp %s %s\n' "${line##* }" "$path"
    done
}

files_at() { # paths that were looked at
    for each; do
        if [ -f "$each" ]; then
            one_file "$each"
        elif [ -e "$each" ] || [ -L "$each" ]; then
            why="$each is no regular file"
        else
            printf 'absent %s\n' "$each"
        fi
    done
}

one_file() { # path
    find_line "$metas" "$1"
    meta=${line% *}
    if [ -z "$meta" ]; then
        why="$1 came while the host was read"
    elif [ "${meta##* }" -gt 1048576 ]; then
        why="$1 is larger than 1 MiB"
    elif content_of "$1"; then
        printf 'file %s %s %s\n' "${meta% *}" "$content" "$1"
    else
        why="$1 cannot be read"
    fi
}

read_files() {
    # shellcheck disable=SC2086
    files_at $RSO_FILES
}

read_claim() {
    files_at "$RSO_CLAIM"
}

# -- data

read_data() {
    told=
    places=
    if known_by "$RSO_MARK_DATA" "$RSO_CONFS"; then
        told=known
        places=$RSO_PLACES
    else
        for conf in $RSO_CONFS; do
            [ ! -r "$conf" ] || places=$places$nl$(data_directives "$conf")
        done
    fi
    data_files "$places"
    for path in $found; do
        find_line "$metas" "$path"
        [ -z "$line" ] || continue
        # shellcheck disable=SC2086 # that one and others were not looked at yet
        metas=$metas$nl$(exec stat -L -c "$format" -- $found 2>/dev/null)
        break
    done
    find_line "$metas" /proc/self/stat
    modified "${line##* }"
    now=$second
    for path in $found; do
        find_line "$metas" "$path"
        modified "${line##* }"
        line=${line% *}
        if [ -n "$line" ]; then
            printf 'data %s %s\nage %s %s\n' "${line##* }" "$path" $((now - second)) "$path"
        else
            why="a data file vanished while it was read"
        fi
    done
    printf 'follows %s\n' "$mark"
    for line in ${told:-$places}; do
        printf '%s\n' "${told:-place $line}"
    done
}

modified() { # stamp: sets $second to when that file was modified
    second=${1#*.*.}
    second=${second%%.*}
}

data_files() { # places: sets $found
    dirs=$RSO_DIRS
    names="dump.rdb${nl}appendonly.aof"
    trees=appendonlydir
    for line in $1; do
        value=${line#* }
        case $line in
        dir\ /*) dirs=$dirs$nl$value ;;
        dir\ *) ;; # EL10's `dir ./`: the unit's directory, which is among those that were asked for
        appenddirname\ *) trees=$trees$nl$value ;;
        *) names=$names$nl$value ;;
        esac
    done
    found=
    for dir in $dirs; do
        data_in "$dir"
    done
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
    *)
        case $found$nl in
        *"$nl$1$nl"*) ;;
        *) found=$found$nl$1 ;;
        esac
        ;;
    esac
}
