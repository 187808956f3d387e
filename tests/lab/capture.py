"""Which commands reached the Redis and Sentinel of a lab, and whose they were, from packets.

Redis' own MONITOR hides administrative commands, so the packets are read: tcpdump on every interface of each host, `lo`
included, where the operator's tunnels end. A connection is *ours*, the operator's, when its client end is held by
the host's sshd or a process below it, or comes from this machine's address in the lab, or when nobody could be found
who holds it: a doubt counts against the operator, unless it came from a host's own address, as those of its servers do.
The tests' own connections come from 127.0.0.77 (lab.resp); a `redis-cli` of theirs at the console may be gone before it
is found, and then counts as a doubt.
"""

from __future__ import annotations

import secrets
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.hosts import Host
from lab.labs import Lab
from lab.machine import LabError, find
from lab.namespaces import in_network_of
from lab.packets import Stream, commands_in, streams_of
from lab.processes import Process, reap, spawn, wait_until
from lab.resp import TESTER
from lab.socketowner import OwnerWatch

PORTS = (6379, 26379)
_MARK_PORT = 9  # discard; a datagram to it marks a place in the capture
# What may be sent at any time: it changes nothing.
_READING = {"INFO", "ROLE", "PING", "AUTH", "SELECT", "HELLO", "PSUBSCRIBE", "SUBSCRIBE", "QUIT"}
_READING_OF = {"CONFIG": {"GET"}, "CLIENT": {"SETNAME", "SETINFO", "LIST"}}
_SWITCHING_OF_SENTINEL = {"FAILOVER", "RESET", "REMOVE", "MONITOR", "SIMULATE-FAILURE", "DEBUG"}
_ROLE = {"SLAVEOF", "REPLICAOF", "FAILOVER"}
_ROLE_OF = {
    "CONFIG": {"REWRITE"},
    "SENTINEL": {"SET", "MONITOR", "REMOVE", "RESET", "FAILOVER", "FLUSHCONFIG", "SIMULATE-FAILURE", "CONFIG"},
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it went over the wire; passwords in it are masked."""

    host: str
    at: float  # seconds since the epoch, of the packet that began it
    port: int
    client: str  # address and port of the client end
    owner: str  # ssh, operator, tester, peer, unknown, or the name of the process that holds the client end
    words: tuple[str, ...]

    @property
    def ours(self) -> bool:
        """Whether it is the operator's."""
        return self.owner in {"ssh", "operator", "unknown"}

    @property
    def decides_roles(self) -> bool:
        """Whether it changes who is master, or what a sentinel believes or keeps."""
        name, *rest = [word.upper() for word in self.words[:2]]
        return name in _ROLE or (bool(rest) and rest[0] in _ROLE_OF.get(name, ()))

    @property
    def affects_writes(self) -> bool:
        """Whether it may change who takes writes or what becomes of them, or makes sentinels do that."""
        name, *rest = [word.upper() for word in self.words[:2]]
        if name == "SENTINEL":
            return bool(rest) and rest[0] in _SWITCHING_OF_SENTINEL
        return name not in _READING and not (rest and rest[0] in _READING_OF.get(name, ()))


@dataclass(slots=True)
class _Tap:
    """The capture of one host from one boot on."""

    host: Host
    leader: Process
    dump: Path
    tcpdump: Process
    owners: OwnerWatch

    def mark(self) -> None:
        """Return when all packets until now are in the dump. Raises LabError."""
        if not self.leader.alive:
            return
        word = secrets.token_bytes(16)
        in_network_of(self.leader.pid, lambda: _datagram(word))
        if not wait_until(lambda: word in self.dump.read_bytes(), 60.0, 0.1):
            raise LabError(f"the capture on {self.host.name} has stopped")
        self.owners.look()  # so that whoever stands is known, however late the watch itself comes to it

    def close(self) -> None:
        self.owners.close()
        self.tcpdump.signal(signal.SIGINT)
        wait_until(lambda: not self.tcpdump.alive, 5.0)
        self.tcpdump.kill()
        reap(self.tcpdump.pid)


class Seen:
    """The commands of a lab since the capture began."""

    def __init__(self, lab: Lab, folder: Path, ports: tuple[int, ...]) -> None:
        self._lab = lab
        self._folder = folder
        self._ports = ports
        self._taps: list[_Tap] = []

    def follow(self, *hosts: Host) -> None:
        """Tap hosts that have been booted since (a boot makes a new network); all of them by default."""
        for host in hosts or self._lab.hosts:
            leader = host.leader
            if leader and not any(tap.leader == leader for tap in self._taps):
                self._taps.append(self._tap(host, leader))

    def commands(self, *, ours: bool = True) -> list[Command]:
        """All commands until now in order of time, the operator's only or everybody's. Raises LabError."""
        found = []
        for tap in self._taps:
            tap.mark()
            for stream in streams_of(tap.dump, self._ports):
                owner = self._owner(tap, stream)
                client = f"{stream.source}:{stream.source_port}"
                found += [
                    Command(tap.host.name, at, stream.port, client, owner, words) for at, words in commands_in(stream)
                ]
        return sorted((one for one in found if one.ours or not ours), key=lambda one: one.at)

    def role_commands(self, *, ours: bool = True) -> list[Command]:
        """Those that change roles or a sentinel's mind: SLAVEOF, CONFIG REWRITE, SENTINEL SET and their like."""
        return [command for command in self.commands(ours=ours) if command.decides_roles]

    def _owner(self, tap: _Tap, stream: Stream) -> str:
        """Whose connection it is; asked on the host where its client end is."""
        if stream.source in {TESTER, self._lab.config.client_address}:
            return "tester"
        if stream.source == self._lab.config.bridge_address:
            return "operator"
        local = stream.source.startswith("127.") or stream.source == tap.host.address
        places = [tap] if local else [t for t in self._taps if t.host.address == stream.source]
        found = [place.owners.owner(stream.source, stream.source_port, stream.port) for place in places]
        return next((owner for owner in reversed(found) if owner), self._unseen(stream))

    def _unseen(self, stream: Stream) -> str:
        """Whose connection it is that nobody was seen to open, as on a loaded machine.

        The operator's tunnels end on the loopback, as redis listens there too: from the address of a host come the
        connections of its redis and its sentinel.
        """
        return "peer" if any(host.address == stream.source for host in self._lab.hosts) else "unknown"

    def _tap(self, host: Host, leader: Process) -> _Tap:
        dump = self._folder / f"{host.spec.machine}-{len(self._taps)}.pcap"
        either = " or ".join(f"dst port {port}" for port in self._ports)
        wanted = f"(tcp and ({either}) and not src host {host.lab.client_address}) or (udp and dst port {_MARK_PORT})"
        command = [find("nsenter"), "-t", str(leader.pid), "-n", "--", find("tcpdump"), "-i", "any", "-y", "LINUX_SLL"]
        command += ["-n", "-U", "--immediate-mode", "-B", "16384", "-s", "0", "-Z", "root", "-w", str(dump), wanted]
        tcpdump = spawn(command, dump.with_suffix(".log"))
        tap = _Tap(host, leader, dump, tcpdump, OwnerWatch(leader.pid, self._ports, host.lab.client_address))
        if not wait_until(lambda: dump.exists() and dump.stat().st_size >= 24, 60.0):
            raise LabError(f"tcpdump does not start on {host.name}: {dump.with_suffix('.log').read_text()}")
        tap.mark()
        return tap

    def close(self) -> None:
        """End the capture."""
        for tap in self._taps:
            tap.close()


@contextmanager
def commands_seen(lab: Lab, *, ports: tuple[int, ...] = PORTS) -> Iterator[Seen]:
    """Capture on all hosts of the lab that are on. After a boot inside, call `seen.follow()`. Raises LabError."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix=f"lab-{lab.config.name}-"))
        seen = Seen(lab, Path(folder), ports)
        stack.callback(seen.close)
        seen.follow()
        yield seen


def _datagram(word: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(word, ("127.0.0.1", _MARK_PORT))
