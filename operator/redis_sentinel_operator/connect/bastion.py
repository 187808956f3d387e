"""A TCP connection that begins at a bastion: a channel of the bastion's SSH connection with a socket at our end.

paramiko's thread reads a socket; so the channel is joined to one half of a socket pair, and the other half is what the
connection to the host is made over. One connection to a bastion carries those to all hosts behind it.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Collection
from concurrent.futures import Executor
from dataclasses import dataclass

from redis_sentinel_operator.connect.connection import ChannelRefused
from redis_sentinel_operator.connect.session import HostSession
from redis_sentinel_operator.connect.target import Credentials, SshTarget, limits
from redis_sentinel_operator.connect.tunnel import PROHIBITED, ChannelTransport
from redis_sentinel_operator.errors import CommandTimedOut, ForwardingRefused, HostUnreachable
from redis_sentinel_operator.model.desired import BastionAccess
from redis_sentinel_operator.settings import Settings


class _End(asyncio.Protocol):
    """One end of the bridge: what it receives the other end sends; an end that cannot send slows the other one down."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - both kinds of ours are
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self._across is not None:
            self._across.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._across is not None:
            self._across.close()

    def pause_writing(self) -> None:
        if self._across is not None:
            self._across.pause_reading()

    def resume_writing(self) -> None:
        if self._across is not None:
            self._across.resume_reading()

    @property
    def _across(self) -> asyncio.Transport | None:
        return self.other.transport if self.other is not None else None


class Bastions:
    """The bastions of a cluster: one session each, made when a host behind it is first connected to."""

    def __init__(self, pool: Executor, settings: Settings) -> None:
        self._pool = pool
        self._limits = limits(settings)
        self._all: dict[tuple[BastionAccess, Credentials], Bastion] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def get(self, access: BastionAccess, credentials: Credentials) -> Bastion:
        """Return the one that the hosts behind it share."""
        key = (access, credentials)
        if key not in self._all:
            target = SshTarget("", access.address, access.port, access.user)
            self._all[key] = Bastion(HostSession(target, credentials, self._pool, self._limits))
        return self._all[key]

    def keep(self, wanted: Collection[tuple[BastionAccess, Credentials]]) -> None:
        """Close, in the background, those that nobody needs any more."""
        for key in [key for key in self._all if key not in wanted]:
            task = asyncio.get_running_loop().create_task(self._all.pop(key).session.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


@dataclass(frozen=True, slots=True)
class Bastion:
    """A hop (see `connection.Hop`) over a session of its own."""

    session: HostSession

    async def ready(self) -> None:
        """Connect to the bastion. Raises ConnectError."""
        await self.session.connect()

    async def dial(self, target: SshTarget) -> socket.socket:
        """Return a connected socket whose other end is the target's sshd as the bastion reaches it.

        Raises:
            ConnectError: the bastion cannot be used (the message names it), or it cannot reach the target.
        """
        loop = asyncio.get_running_loop()
        far, near = _End(), _End()
        far.other, near.other = near, far
        transport = ChannelTransport(loop, far)
        try:
            channel = await self.session.open_tcp(target.address, target.port, transport.ready)
        except ChannelRefused as refused:
            raise _refusal(self.session.target, target, refused) from None
        except CommandTimedOut as error:
            raise HostUnreachable(f"{target}: not reached through the bastion: {error}") from None
        ours, theirs = socket.socketpair()
        try:
            await loop.create_unix_connection(lambda: near, sock=theirs)
        except BaseException:
            channel.close()
            ours.close()
            theirs.close()
            raise
        transport.begin(channel, (target.address, target.port))
        return ours


def _refusal(bastion: SshTarget, target: SshTarget, refused: ChannelRefused) -> ForwardingRefused | HostUnreachable:
    if refused.code == PROHIBITED:
        return ForwardingRefused(
            f"{bastion}: its sshd forbids TCP forwarding, which the way to {target} needs; set "
            "`AllowTcpForwarding local` in its sshd_config (and see PermitOpen there, and `restrict` and "
            "`no-port-forwarding` in authorized_keys)"
        )
    return HostUnreachable(f"{target}: {bastion} cannot connect to it ({refused.text})")
