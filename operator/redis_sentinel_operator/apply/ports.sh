# Lets redis and sentinel use TCP ports under SELinux, by rules of the local policy. $@ ports.
# What semanage says it did is read where the probe reads it: its exit status tells little.
rso_guard
policy=$(sed -n 's/^SELINUXTYPE=//p' /etc/selinux/config 2>/dev/null)
added() { # port
    grep -Eqs "^portcon tcp $1 [^ ]*:redis_port_t(:|\$)" /var/lib/selinux/"${policy:-targeted}"/active/ports.local \
        /etc/selinux/"${policy:-targeted}"/active/ports.local /etc/selinux/"${policy:-targeted}"/modules/active/ports.local
}

for port in "$@"; do
    # One that the policy has for others already cannot be added, only changed.
    said=$(semanage port -a -t redis_port_t -p tcp "$port" 2>&1 9>&-) ||
        said=$(semanage port -m -t redis_port_t -p tcp "$port" 2>&1 9>&-)
    added "$port" && continue
    printf 'SELinux does not let redis use port %s: %s\n' "$port" "${said:-semanage says nothing, and has not added it}" >&2
    exit 1
done
