"""redis-py's asyncio client through the SSH connection, or directly where sshd forbids forwarding.

Only port 22 of a host has to be reachable: RESP runs through a `direct-tcpip` channel, first to 127.0.0.1 (a sentinel
in protected mode answers DENIED elsewhere), then to the host's own address (redis bound to it alone). RESP2 always:
EL7's Redis 3.2 and EL8's 5.0 know no other.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from typing import Any, Literal

import redis.asyncio
import redis.exceptions
from redis.asyncio.connection import AbstractConnection, Connection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from redis_sentinel_operator.connect.connection import ChannelRefused
from redis_sentinel_operator.connect.session import HostSession
from redis_sentinel_operator.connect.target import SshTarget
from redis_sentinel_operator.connect.wire import RETRY, ChannelPort
from redis_sentinel_operator.errors import (
    CommandTimedOut,
    ForwardingRefused,
    HostUnreachable,
    OperatorError,
    PortClosed,
    SessionLost,
)

RespMode = Literal["Tunnel", "Direct"]
_LOOPBACK = "127.0.0.1"
PROHIBITED = 1  # SSH_OPEN_ADMINISTRATIVELYPROHIBITED
_CONNECT_FAILED = 2  # SSH_OPEN_CONNECT_FAILED; sshd's text is strerror of its connect
_SILENT = ("timed out", "unreachable", "No route", "prohibited", "denied")  # not refused: something is in between


async def resp_client(
    session: HostSession,
    port: int,
    *,
    address: str,
    password: str | None,
    mode: RespMode,
    timeout: float,  # noqa: ASYNC109 - redis-py keeps it
) -> redis.asyncio.Redis:
    """Return a connected client of the redis or sentinel on a host: one connection, strings decoded, no retries.

    `client.pubsub()` opens a further channel of its own. When the connection breaks under a command, that command
    raises redis-py's ConnectionError, and the next one connects again. Close the client with `await client.aclose()`.

    Args:
        session: the host.
        port: of redis or sentinel.
        address: the host's own redis address.
        password: for AUTH; None sends none.
        mode: the resource's `ssh.resp`.
        timeout: seconds to open the channel or socket, and for each answer; SSH's own phases have `session.limits`.

    Raises:
        PortClosed: nobody listens.
        ForwardingRefused: sshd forbids forwarding; the message names the sshd_config line.
        ConnectError: the host cannot be reached or used.
        redis.exceptions.RedisError: what the server answers to AUTH, or no answer in time.
    """
    where: dict[str, Any] = (
        {"connection_class": TunnelConnection, "session": session}
        if mode == "Tunnel"
        else {"connection_class": DirectConnection, "target": session.target}
    )
    pool = ConnectionPool(
        host=address,
        port=port,
        password=password,
        protocol=2,
        decode_responses=True,
        encoding_errors="replace",
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        health_check_interval=0,
        retry=Retry(NoBackoff(), 0),
        driver_info=None,  # no CLIENT SETINFO: Redis before 7.2 does not know it
        **where,
    )
    client = redis.asyncio.Redis(connection_pool=pool, single_connection_client=True)
    client.auto_close_connection_pool = True
    try:
        await client.initialize()
    except redis.exceptions.ConnectionError as error:
        await client.aclose()
        if isinstance(error.__cause__, OperatorError):
            raise error.__cause__ from None
        raise
    except BaseException:
        await client.aclose()
        raise
    return client


class TunnelConnection(AbstractConnection):
    """A redis-py connection over a channel of a host's SSH connection."""

    def __init__(self, *, session: HostSession, host: str, port: int, **kwargs: Any) -> None:
        self.session = session
        self.host = host
        self.port = port
        super().__init__(**kwargs)

    def repr_pieces(self) -> list[tuple[str, str | int]]:
        """What repr shows; never the password."""
        return [("ssh", self.session.target.name), ("host", self.host), ("port", self.port)]

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        """Send a command; on a connection that ended while idle, connect anew first: nothing was asked yet."""
        reader, writer = self._reader, self._writer
        if reader is not None and writer is not None and (reader.at_eof() or writer.is_closing()):
            await self.disconnect(nowait=True)
        await super().send_packed_command(command, check_health)

    async def _connect(self) -> None:
        await self.session.connect()  # with the deadlines of SSH, not of RESP
        async with asyncio.timeout(self.socket_connect_timeout):
            self._reader, self._writer = await open_stream(self.session, self.host, self.port)

    def _host_error(self) -> str:
        return f"{self.session.target.name} ({self.host}:{self.port} over SSH)"


class DirectConnection(Connection):
    """A redis-py connection without SSH, for hosts whose sshd forbids forwarding (`ssh.resp: Direct`)."""

    def __init__(self, *, target: SshTarget, **kwargs: Any) -> None:
        self.target = target
        super().__init__(**kwargs)

    async def _connect(self) -> None:
        try:
            await super()._connect()  # type: ignore[no-untyped-call]
        except ConnectionRefusedError:
            raise PortClosed(f"host {self.target.name}: nobody listens on {self.host}:{self.port}") from None
        except TimeoutError:
            raise HostUnreachable(
                f"host {self.target.name}: {self.host}:{self.port} does not answer the operator in time; with ssh.resp "
                "Direct the host's firewall must let the operator in, with Tunnel only SSH is needed"
            ) from None
        except OSError as error:
            raise HostUnreachable(f"host {self.target.name}: {self.host}:{self.port}: {error.strerror}") from None


async def open_stream(
    session: HostSession, address: str, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream to a port of the host: to 127.0.0.1, then to the host's address; what answered is the next first.

    Raises:
        PortClosed, ForwardingRefused, ConnectError: see `resp_client`.
    """
    loop = asyncio.get_running_loop()
    failures: list[OperatorError] = []
    for candidate in _candidates(session, address, port):
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport = ChannelTransport(loop, protocol)
        try:
            channel = await session.open_tcp(candidate, port, transport.ready)
        except ChannelRefused as refused:
            failures.append(_refusal(session.target, candidate, port, refused))
            continue
        except CommandTimedOut:
            session.routes.pop(port, None)
            raise
        transport.begin(channel, (candidate, port))
        session.routes[port] = candidate
        return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
    session.routes.pop(port, None)
    # Nobody listening is the weakest news: it is the truth only when every address said so.
    raise next((failure for failure in failures if not isinstance(failure, PortClosed)), failures[-1])


def _candidates(session: HostSession, address: str, port: int) -> list[str]:
    loopback = _LOOPBACK if ipaddress.ip_address(address).version == 4 else "::1"
    remembered = session.routes.get(port)
    order = [remembered] if remembered else []
    return list(dict.fromkeys([*order, loopback, address]))


def _refusal(target: SshTarget, address: str, port: int, refused: ChannelRefused) -> OperatorError:
    if refused.code == PROHIBITED:
        return ForwardingRefused(
            f"{target}: sshd forbids TCP forwarding, which the operator speaks to redis through; set "
            "`AllowTcpForwarding local` in its sshd_config (and see PermitOpen there, `restrict` and "
            "`no-port-forwarding` in authorized_keys), or ssh.resp: Direct here and open the ports to the operator"
        )
    if refused.code != _CONNECT_FAILED:
        return SessionLost(f"{target}: sshd opened no channel to {address}:{port} ({refused.text})")
    if any(text in refused.text for text in _SILENT):
        return HostUnreachable(f"{target}: the host itself cannot connect to {address}:{port} ({refused.text})")
    return PortClosed(f"host {target.name}: nobody listens on port {port} ({refused.text})")


class ChannelTransport(asyncio.Transport):
    """An SSH channel as an asyncio transport, with flow control in both directions.

    Reading stops while the protocol has paused it; the SSH window then fills and the host stops sending. Writing is
    buffered while the window or the socket has no room, and the protocol is paused above the high-water mark.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._loop = loop
        self._protocol: asyncio.Protocol = protocol
        self._channel: ChannelPort | None = None
        self._buffer = bytearray()
        self._high, self._low = 64 * 1024, 16 * 1024
        self._reading_paused = False
        self._writing_paused = False
        self._eof_received = False
        self._eof_wanted = False
        self._closing = False
        self._lost = False
        self._retry: asyncio.TimerHandle | None = None

    def begin(self, channel: ChannelPort, peer: tuple[str, int]) -> None:
        """Take the opened channel and start."""
        self._extra["peername"] = peer  # type: ignore[attr-defined]
        self._channel = channel
        self._protocol.connection_made(self)
        self.ready()

    def ready(self) -> None:
        """Something arrived or the channel's state changed."""
        channel = self._channel
        if channel is None or self._lost or self._reading_paused:
            return
        closed = channel.closed
        while not (self._reading_paused or self._eof_received):
            data = channel.receive()
            if data is None:
                break
            if data:
                self._protocol.data_received(data)
            else:
                self._eof_received = True
                if not self._protocol.eof_received():
                    closed = True
        if closed and self._eof_received:
            self._finish(None)

    # -- reading side of asyncio.Transport

    def is_reading(self) -> bool:
        """Whether data is handed to the protocol."""
        return not (self._reading_paused or self._closing)

    def pause_reading(self) -> None:
        """Stop handing data over; the window fills and the host stops sending."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Go on."""
        self._reading_paused = False
        self._loop.call_soon(self.ready)

    # -- writing side

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, or buffer what cannot be sent now."""
        if self._lost or self._closing or not data:
            return
        self._buffer += data
        self._flush()
        if len(self._buffer) > self._high and not self._writing_paused:
            self._writing_paused = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Bytes not yet handed to SSH."""
        return len(self._buffer)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and high marks."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks, as asyncio.WriteTransport says."""
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    def can_write_eof(self) -> bool:
        """SSH channels can be half closed."""
        return True

    def write_eof(self) -> None:
        """End our direction when everything is sent."""
        self._eof_wanted = True
        self._flush()

    def is_closing(self) -> bool:
        """Whether close was called or the channel is gone."""
        return self._closing or self._lost or (self._channel is not None and self._channel.closed)

    def close(self) -> None:
        """Close when everything is sent."""
        if not self._closing:
            self._closing = True
            self._flush()

    def abort(self) -> None:
        """Close now."""
        self._buffer.clear()
        self._closing = True
        self._finish(None)

    # -- inside

    def _flush(self) -> None:
        self._retry = None
        if self._channel is None or self._lost:
            return
        try:
            self._send_some(self._channel)
        except ConnectionResetError as error:
            self._finish(error)
            return
        if self._writing_paused and len(self._buffer) <= self._low:
            self._writing_paused = False
            self._protocol.resume_writing()
        if self._buffer:
            self._retry = self._loop.call_later(RETRY, self._flush)
        elif self._closing:
            self._finish(None)

    def _send_some(self, channel: ChannelPort) -> None:
        while self._buffer:
            with memoryview(self._buffer) as view:
                sent = channel.send(view)
            if not sent:
                return
            del self._buffer[:sent]

    def _finish(self, error: Exception | None) -> None:
        if self._lost:
            return
        self._lost = self._closing = True
        if self._retry is not None:
            self._retry.cancel()
        if self._channel is not None:
            self._channel.close()
        self._loop.call_soon(self._protocol.connection_lost, error)
