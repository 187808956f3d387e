"""A reserved port: its server gets it on whichever addresses, and nobody else on any."""

from __future__ import annotations

import errno
import socket

import pytest

from lab.ports import closed_port, number_of, reserve_port


@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")]
)
def test_the_server_that_asks_for_it_listens_there(family: socket.AddressFamily, address: str) -> None:
    with reserve_port() as reserved, socket.create_server((address, number_of(reserved)), family=family) as server:
        assert server.getsockname()[1] == number_of(reserved)


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.3"), (socket.AF_INET6, "::1")])
def test_no_connection_gets_it_not_even_from_another_address(family: socket.AddressFamily, address: str) -> None:
    with reserve_port() as reserved, socket.socket(family) as other:
        with pytest.raises(OSError) as caught:
            other.bind((address, number_of(reserved)))
        assert caught.value.errno == errno.EADDRINUSE


def test_nobody_listens_on_a_closed_port() -> None:
    with closed_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)
