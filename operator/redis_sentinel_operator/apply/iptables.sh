# Fills our own chain and leads to it, all at once. $1 iptables or ip6tables; stdin: what its -restore reads.
rso_guard
rules=$(cat)

restore() { # options
    printf '%s\n' "$rules" | "$tool-restore" "$@" --noflush 2>&1 9>&-
}

tool=$1
said=$(restore -w 5) && exit
case $said in # before 1.4.21-18 it knew no lock
*option*) said=$(restore) && exit ;;
esac
printf '%s\n' "$said" >&2
exit 1
