"""TCP ports of the loopback that nobody else is given by chance, on a machine where several workers ask for ports."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


def reserve_port() -> socket.socket:
    """Bind a port without listening: until this is closed the kernel gives it to nobody who asks for any.

    Nor does a connection to it meet itself. A server that asks for the very port, with SO_REUSEADDR, gets it all the
    same, on whichever addresses: the port is bound on all of them, as one that a connection of another address has is
    refused to a server that listens everywhere.
    """
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("::", 0))
    return sock


def number_of(reserved: socket.socket) -> int:
    """The number of a reserved port."""
    return int(reserved.getsockname()[1])


@contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, and nobody begins to."""
    with reserve_port() as reserved:
        yield number_of(reserved)
