"""Who opened a connection inside a host: asked at its first packet, while the process that opened it still holds it.

On a loaded machine a first packet may be missed, or its turn come too late: what stands is looked at now and then.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import threading
import time
from pathlib import Path

from lab.machine import run
from lab.namespaces import in_network_of

_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER = 26
_EVERY = 0.2  # seconds between two looks at what was missed


class OwnerWatch:
    """Watches the SYNs to `ports` in the network of the host whose process 1 is `leader`; not those from `but`."""

    def __init__(self, leader: int, ports: tuple[int, ...], but: str) -> None:
        self._leader = leader
        self._ports = ports
        self._owners: dict[tuple[str, int, int], str] = {}
        self._socket = in_network_of(leader, lambda: _syn_socket(ports, but))
        self._over = threading.Event()
        self.look()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def owner(self, source: str, source_port: int, port: int) -> str:
        """`ssh` for sshd and what runs below it, else the name of the process; empty when it was not seen."""
        return self._owners.get((source, source_port, port), "")

    def close(self) -> None:
        """Stop watching."""
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _watch(self) -> None:
        self._socket.settimeout(_EVERY)
        looked = time.monotonic()
        while not self._over.is_set():
            try:
                self._note(self._socket.recv(128))
            except TimeoutError:
                pass
            except OSError:
                return
            if time.monotonic() - looked > _EVERY:
                self.look()
                looked = time.monotonic()

    def look(self) -> None:
        """Find out who holds what stands and is nobody's yet."""
        for source, source_port, port, inode in self._connections():
            if not self._owners.get((source, source_port, port)):
                self._owners[source, source_port, port] = self._holder(inode)

    def _note(self, packet: bytes) -> None:
        header = (packet[0] & 0xF) * 4
        source = socket.inet_ntoa(packet[12:16])
        source_port, port = struct.unpack_from(">HH", packet, header)
        for found in self._connections():
            if found[:3] == (source, source_port, port):
                self._owners[source, source_port, port] = self._holder(found[3])

    def _connections(self) -> list[tuple[str, int, int, int]]:
        """Client ends inside the host: address, port, the server's port, inode."""
        found = []
        try:
            lines = Path(f"/proc/{self._leader}/net/tcp").read_text().splitlines()[1:]
        except (FileNotFoundError, ProcessLookupError, OSError):
            return []
        for line in lines:
            words = line.split()
            local, remote, inode = words[1], words[2], int(words[9])
            port = int(remote.rpartition(":")[2], 16)
            if port in self._ports and inode:
                address, _, source_port = local.partition(":")
                source = socket.inet_ntoa(struct.pack("<I", int(address, 16)))
                found.append((source, int(source_port, 16), port, inode))
        return found

    def _holder(self, inode: int) -> str:
        """Who holds the socket: the newest processes are asked first, they are the ones that may soon be gone."""
        pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
        found = next((pid for pid in pids if _holds(pid, inode)), None)
        return "" if found is None else _describe(found, self._leader)


def _holds(pid: int, inode: int) -> bool:
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            return any(os.readlink(entry.path) == f"socket:[{inode}]" for entry in entries)
    except OSError:
        return False


def _describe(pid: int, leader: int) -> str:
    """`ssh` when sshd is the process or above it, `tester` when it is not of the host, else the process' name."""
    line = [(pid, *_parent(pid))]
    while line[-1][0] not in {0, 1, leader}:
        line.append((line[-1][2], *_parent(line[-1][2])))
    if line[-1][0] != leader:
        return "tester"
    return "ssh" if any(name.startswith("sshd") for _, name, _ in line) else line[0][1]


def _parent(pid: int) -> tuple[str, int]:
    """The name of a process and its parent's pid; 0 when it is gone."""
    try:
        head, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    except OSError:
        return "", 0
    return head.partition("(")[2], int(rest.split()[1])


def _syn_socket(ports: tuple[int, ...], but: str) -> socket.socket:
    """A packet socket that sees only IPv4 TCP SYNs to `ports`, not those from `but`, from the network header on."""
    either = " or ".join(f"dst port {port}" for port in ports)
    wanted = f"ip and tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and ({either}) and not src host {but}"
    lines = run(["tcpdump", "-y", "RAW", "-ddd", wanted]).splitlines()[1:]
    program = b"".join(struct.pack("HBBI", *map(int, line.split())) for line in lines)  # struct sock_filter
    held = ctypes.create_string_buffer(program)
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    # struct sock_fprog: how many instructions, and where
    tap.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(lines), ctypes.addressof(held)))
    return tap
