"""A few lines of RESP for the tests' own questions to a host's Redis and Sentinel.

The connection comes from 127.0.0.77 inside the host (or from the lab's client address): a packet capture can tell it
from the operator's, whose tunnels end at 127.0.0.1.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, TypeAlias

from lab.hosts import Host
from lab.machine import LabError
from lab.namespaces import in_network_of

TESTER = "127.0.0.77"  # the loopback address that only the tests' own connections come from
Value: TypeAlias = "str | int | RespError | list[Value] | None"


class RespError(Exception):
    """An error reply."""


@dataclass(slots=True)
class Resp:
    """A connection; `call` sends a command and gives its reply."""

    _socket: socket.socket
    _stream: BinaryIO

    @classmethod
    def to(cls, host: Host, port: int = 6379, *, password: str | None = None, timeout: float = 5.0) -> Resp:
        """Connect to a port of the host from inside it, on its loopback or else its own address.

        Raises OSError, RespError (AUTH), LabError (switched off). A server in protected mode (no bind, no password)
        refuses: it trusts 127.0.0.1 alone.
        """
        leader = host.leader
        if leader is None:
            raise LabError(f"{host.name} is switched off")
        link = in_network_of(leader.pid, lambda: _inside(host.address, port, timeout))
        return cls._opened(link, password)

    @classmethod
    def from_outside(cls, host: Host, port: int = 6379, *, password: str | None = None, timeout: float = 5.0) -> Resp:
        """Connect over the lab's network, from its client address. Raises OSError, RespError (AUTH)."""
        return cls._opened(_connect(host.address, port, host.lab.client_address, timeout), password)

    @classmethod
    def at(cls, address: str, port: int = 6379, *, password: str | None = None, timeout: float = 5.0) -> Resp:
        """Connect to an address of this network. Raises OSError, RespError (AUTH)."""
        return cls._opened(socket.create_connection((address, port), timeout=timeout), password)

    @classmethod
    def _opened(cls, link: socket.socket, password: str | None) -> Resp:
        connection = cls(link, link.makefile("rb"))
        if password is not None:
            try:
                connection.call("AUTH", password)
            except BaseException:
                connection.close()
                raise
        return connection

    def call(self, *words: str) -> Value:
        """The reply to a command. Raises RespError, OSError."""
        self.send(*words)
        value = self.read()
        if isinstance(value, RespError):
            raise value
        return value

    def send(self, *words: str) -> None:
        """Send a command without waiting for the reply."""
        self._socket.sendall(encode(*words))

    def read(self) -> Value:
        """The next reply. Raises ConnectionError when the server has hung up."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server hung up")
        kind, rest = line[:1], line[1:-2].decode(errors="replace")
        if kind == b"-":
            return RespError(rest)
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == "-1" else self._stream.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == b"*":
            return None if rest == "-1" else [self.read() for _ in range(int(rest))]
        return rest

    def close(self) -> None:
        """Hang up."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Resp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def encode(*words: str) -> bytes:
    """A command as RESP."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _inside(address: str, port: int, timeout: float) -> socket.socket:
    try:
        return _connect("127.0.0.1", port, TESTER, timeout)
    except ConnectionRefusedError:
        return _connect(address, port, TESTER, timeout)


def _connect(address: str, port: int, source: str, timeout: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=timeout, source_address=(source, 0))
