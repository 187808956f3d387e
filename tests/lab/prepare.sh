#!/bin/bash
# Refuse machines the lab was not made for, and install what is missing; says what it waits for. Run by the Makefile before Python is there.
set -euo pipefail
refuse() { echo "$1" >&2; exit 2; }

[ "$(id -u)" = 0 ] || refuse "The lab boots machines, so it needs root: run it as root (make test-unit does not)."
# shellcheck source=/dev/null
. /etc/os-release
[ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ] ||
    refuse "The lab was made for Debian 12 and this is ${PRETTY_NAME:-another system}: run it on a Debian 12 machine or VM."

# What Python and the unit tests need; what the lab needs beyond it is in machine.py.
packages=(ca-certificates make openssh-client openssh-server python3-venv)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
echo "installing with apt-get: ${missing[*]}"
log=$(mktemp)
# Services of these packages must not start on this machine: the lab runs its own.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod +x "$policy"; trap 'rm -f "$policy" "$log"' EXIT; }
export DEBIAN_FRONTEND=noninteractive
{ apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } > "$log" 2>&1 ||
    { tail -n 30 "$log" >&2; refuse "apt-get could not install them; its last lines are above."; }
# The package enables its sshd for the next boot of this machine, and the lab needs the program only.
case " ${missing[*]} " in
*" openssh-server "*) DPKG_MAINTSCRIPT_PACKAGE=openssh-server deb-systemd-helper disable ssh.service ;;
esac
echo "installed"
