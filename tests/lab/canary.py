"""Proof that a password shows nowhere that it should not.

While it watches, the command line and environment of every process on this machine (the hosts' are among them) are
sampled; at the end every log, journal and file of the hosts is searched, and what the caller adds: Events, status,
the operator's log. Looked for is the word itself and its base64.
"""

from __future__ import annotations

import base64
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lab.families import FAMILIES
from lab.hosts import Host
from lab.labs import Lab

_EVERY = 0.02  # seconds between two looks at the process list
_ALL_EVERY = 50  # looks: old processes may change their command line too, but seldom
_YOUNG = 0.3  # seconds: a process is looked at again and again until its exec is surely behind it

# Where people and logs look; the data of redis itself is not searched. Patterns come on stdin, never in argv.
_SEARCH = r"""
cat >/run/.canary; chmod 600 /run/.canary
where="/etc /var/log /var/tmp /var/spool /var/lib/redis-sentinel-operator /var/cache /tmp /root /home /run"
grep -rlF -f /run/.canary $where /usr/local --exclude=.canary --exclude-dir=journal 2>/dev/null |
  while read -r file; do stat -c '%a %U:%G %n' "$file"; done
journalctl --no-pager -o cat | grep -cF -f /run/.canary | sed 's/^/journal /'
cat /var/log/redis/sentinel.log /var/log/valkey/sentinel.log 2>/dev/null | grep -F -f /run/.canary |
  grep -vc ' +set master .* auth-pass ' | sed 's/^/sentinel.log /'
rm -f /run/.canary
"""
# The files whose business the password is: they must not be readable for everybody.
_KEEPERS = {path for family in FAMILIES.values() for path in (family.redis_conf, family.sentinel_conf)}
_SENTINEL_LOG = "/var/log/redis/sentinel.log"  # Redis 3.2 writes `+set ... auth-pass PASSWORD` there; EL's mode is 0640


@dataclass(slots=True)
class Canary:
    """What has been seen so far. The password itself is in no message."""

    secret: str = field(repr=False)
    lab: Lab
    files: tuple[Path, ...] = ()
    texts: Callable[[], Mapping[str, str]] | None = None
    processes: set[str] = field(default_factory=set)
    seen: list[str] = field(default_factory=list)  # by earlier searches
    _since: dict[str, float] = field(default_factory=dict, repr=False)  # by pid, when it was first seen
    _looks: int = 0

    def findings(self) -> list[str]:
        """Every place where it shows or was seen, as a sentence."""
        self.search_hosts()
        self.search_texts()
        return list(dict.fromkeys([*sorted(self.processes), *self.seen]))

    def search_hosts(self) -> None:
        """Search the hosts now, as before they are reset."""
        for found in self.lab.at_once(self._on, [host for host in self.lab.hosts if host.on]):
            self.seen += found

    def search_texts(self) -> None:
        """Search the files on this machine and the texts now, as before something of them is removed."""
        for file in self.files:
            if file.exists():
                self.search(str(file), file.read_text(errors="replace"))
        for name, text in (self.texts() if self.texts else {}).items():
            self.search(name, text)

    def search(self, name: str, text: str) -> None:
        """Search a text, which is called `name` where the secret shows in it."""
        if any(pattern in text for pattern in self.patterns):
            self.seen.append(f"{name} shows it")

    @property
    def patterns(self) -> tuple[str, str]:
        """The word and its base64."""
        return (self.secret, base64.b64encode(self.secret.encode()).decode())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at the processes inside, search all at the end; AssertionError with every place where it showed."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(_EVERY):
                self.look_at_processes()

        looker = threading.Thread(target=look, daemon=True)
        looker.start()
        try:
            yield
        finally:
            over.set()
            looker.join()
        found = self.findings()
        assert not found, "the secret shows:\n" + "\n".join(found)

    def look_at_processes(self) -> None:
        """One look at the process list."""
        now = time.monotonic()
        pids = {entry for entry in os.listdir("/proc") if entry.isdigit()} - {str(os.getpid())}
        self._since = {pid: self._since.get(pid, now) for pid in pids}
        self._looks += 1
        for pid, since in self._since.items():
            if now - since < _YOUNG or self._looks % _ALL_EVERY == 0:
                self._look_at(pid)

    def _look_at(self, pid: str) -> None:
        words = [pattern.encode() for pattern in self.patterns]
        of_package = _is_shutdown(pid)  # asked before: once it is gone nobody can tell who started it
        for kind in ("cmdline", "environ"):
            text = _read(f"/proc/{pid}/{kind}")
            if any(word in text for word in words) and not (of_package and text.startswith(b"/usr/bin/redis-cli\0")):
                self.processes.add(f"the {kind} of a process {_name(pid)} shows it")

    def _on(self, host: Host) -> list[str]:
        found = []
        text = "".join(f"{pattern}\n" for pattern in self.patterns)
        for line in host.run(["/bin/sh", "-c", _SEARCH], stdin=text, timeout=600).stdout.splitlines():
            kind, _, rest = line.partition(" ")
            if kind in {"journal", "sentinel.log"}:
                if rest != "0":
                    found.append(f"{host.name}: {rest} lines of {kind} show it")
                continue
            owner, _, path = rest.partition(" ")
            keeper = path in _KEEPERS or path == _SENTINEL_LOG
            if not keeper or int(kind, 8) & 0o007:
                found.append(f"{host.name}: {path} ({kind} {owner}) shows it")
        return found


@contextmanager
def canary(
    secret: str,
    lab: Lab,
    *,
    files: tuple[Path, ...] = (),
    texts: Callable[[], Mapping[str, str]] | None = None,
) -> Iterator[Canary]:
    """Fail with every place where `secret` showed inside or shows at the end. Raises AssertionError.

    `files` are logs on this machine, `texts()` names what else is searched at the end: Events, status, a log.
    """
    bird = Canary(secret, lab, files, texts)
    with bird.watching():
        yield bird


def _is_shutdown(pid: str) -> bool:
    """EL's own /usr/libexec/redis-shutdown calls `redis-cli -a PASSWORD`: the package's doing, not the operator's.

    Before its exec the one that it calls has its own name.
    """
    head, _, rest = _read(f"/proc/{pid}/stat").rpartition(b")")
    if head.partition(b"(")[2] not in {b"redis-cli", b"redis-shutdown"}:
        return False
    return b"redis-shutdown" in _read(f"/proc/{rest.split()[1].decode()}/cmdline")


def _name(pid: str) -> str:
    return _read(f"/proc/{pid}/comm").decode(errors="replace").strip() or pid


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
