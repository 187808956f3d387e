"""Proof that something changed nothing on a host: its state before and after, compared line by line."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from lab.hosts import Host
from lab.resp import Resp, RespError

# Services that come and go by themselves: sessions, timers, and what a question over D-Bus wakes.
_VOLATILE = re.compile(
    r"^(user@|user-runtime-dir@|systemd-(tmpfiles-clean|hostnamed|timedated|localed)|polkit|logrotate|fstrim|apt-|man-db"
    r"|dpkg-db-backup|e2scrub)"
)
_SECRET = {"requirepass", "masterauth", "masteruser"}

# Each section is a set of lines. POSIX sh; `cd /` keeps names absolute; nft -s leaves counters out. Kernel settings
# are only those of the host's own namespaces: what all hosts of this machine share is changed by nobody's steps.
# What is enabled or masked is seen as links: list-unit-files keeps systemd itself busy for a second (EL7), and the
# operator's own question waited behind that of all four hosts for more than the three that it may take.
_SCRIPT = r"""
LC_ALL=C; export LC_ALL
echo '== packages'; rpm -qa --qf '%{NAME}-%{EPOCHNUM}:%{VERSION}-%{RELEASE}.%{ARCH}\n'
echo '== files'
for top in /etc /var/lib/redis-sentinel-operator /var/spool/cron /usr/local /usr/lib/systemd/system /usr/lib/sysctl.d \
  /usr/lib/tmpfiles.d /root/.ssh /home; do
  [ -e "$top" ] || continue
  find "$top" ! -type f -printf '%p %y %m %u:%g %l\n'
  find "$top" -type f -printf '%p %y %m %u:%g\n'
  find "$top" -type f -exec sha256sum {} +
done
echo '== units'; systemctl list-units --no-legend --plain --full --type=service,timer,socket --state=active,failed |
  while read -r unit load active sub rest; do echo "$unit $active $sub"; done
systemctl show -p Id -p MainPID -p ExecMainStartTimestampMonotonic '*.service' |
  sed -n '/./{H;$!d};x;s/\n/ /g;p' | grep -v 'MainPID=0 '
echo '== enabled until the next boot'; find /run/systemd/system -type l -printf '%p %l\n'
echo '== firewall, runtime' # what is permanent is among the files; firewall-cmd takes half a second to ask
zones() {
  busctl --system --auto-start=no call org.fedoraproject.FirewallD1 /org/fedoraproject/FirewallD1 \
    org.fedoraproject.FirewallD1.zone "$@" 2>&1
}
for zone in $(zones getZones | tr -d '"' | cut -d ' ' -f 3-); do
  echo "$zone: $(zones getZoneSettings2 s "$zone")"
done
echo '== firewall, kernel'; nft -s list ruleset
echo '== kernel'; sysctl net.core.somaxconn; mount | grep -v /run/user/
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is on a host: sections of lines, in no order."""

    host: str
    sections: dict[str, frozenset[str]]

    def changes(self, later: Snapshot) -> list[str]:
        """What is different later: `- host: section: line` is gone, `+ ...` has come."""
        found = []
        for name in sorted({*self.sections, *later.sections}):
            before, after = self.sections.get(name, frozenset()), later.sections.get(name, frozenset())
            found += [f"- {self.host}: {name}: {line}" for line in sorted(before - after)]
            found += [f"+ {self.host}: {name}: {line}" for line in sorted(after - before)]
        return found


def snapshot(host: Host, *, ports: tuple[int, ...] = (6379,)) -> Snapshot:
    """The host's state: packages, /etc and the operator's own directory, units, firewall, live settings of redis.

    Secrets among the settings are hashed: the snapshot may be shown. Raises LabError.
    """
    sections: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in host.run(["/bin/sh", "-s"], stdin=_SCRIPT, timeout=600).stdout.splitlines():
        if line.startswith("== "):
            current = sections.setdefault(line[3:], set())
        elif line.strip() and not _is_volatile(line):
            current.add(line.rstrip())
    for port in ports:
        sections[f"CONFIG GET * on {port}"] = _settings(host, port)
    return Snapshot(host.name, {name: frozenset(lines) for name, lines in sections.items()})


@contextmanager
def untouched(*hosts: Host, ports: tuple[int, ...] = (6379,), but: str = "") -> Iterator[None]:
    """Fail with every difference if a host is not the same afterwards. Lines that match `but` may differ.

    Raises AssertionError. A failover in between changes what Sentinel writes: then `but` names those files.
    """
    with ThreadPoolExecutor() as pool:
        before = list(pool.map(partial(snapshot, ports=ports), hosts))
        yield
        after = list(pool.map(partial(snapshot, ports=ports), hosts))
    changes = [line for one, two in zip(before, after, strict=True) for line in one.changes(two)]
    told = [line for line in changes if not (but and re.search(but, line))]
    assert not told, "the host was touched:\n" + "\n".join(told)


def _is_volatile(line: str) -> bool:
    unit = re.search(r"Id=(\S+)", line)
    return bool(_VOLATILE.match(unit.group(1) if unit else line))


def _settings(host: Host, port: int) -> set[str]:
    try:
        with Resp.to(host, port, password=_password(host)) as redis:
            words = redis.call("CONFIG", "GET", "*")
    except ConnectionRefusedError:
        return {"not running"}
    except ConnectionError:  # it hung up on a question in RESP
        return {"not a redis"}
    except RespError as refused:
        return {f"refused: {refused}"}
    assert isinstance(words, list)
    pairs = zip([str(word) for word in words[::2]], [str(word) for word in words[1::2]], strict=True)
    return {f"{key} {_hash(value) if key in _SECRET and value else value}" for key, value in pairs}


def _password(host: Host) -> str | None:
    conf = host.family.redis_conf
    found = host.run(f"sed -n 's/^requirepass //p' {conf} | tail -n1", check=False).stdout.strip().strip('"')
    return found or None


def _hash(value: str) -> str:
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()[:16]
