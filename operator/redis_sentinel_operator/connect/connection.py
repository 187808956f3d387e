"""One live SSH connection: made and authenticated with a deadline for each phase, then a giver of channels."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import paramiko

from redis_sentinel_operator.connect import hostkeys
from redis_sentinel_operator.connect.hostkeys import KnownKey
from redis_sentinel_operator.connect.target import Limits, SshTarget, fingerprint
from redis_sentinel_operator.connect.wire import ChannelPort, LoopTransport, WakeEvent, Waker, tune
from redis_sentinel_operator.errors import AuthenticationFailed, HostUnreachable, SessionLost


class Hop(Protocol):
    """A host on the way to another."""

    async def ready(self) -> None:
        """Connect to the hop itself, within its own deadlines. Raises ConnectError, which names it."""

    async def dial(self, target: SshTarget) -> socket.socket:
        """Return a socket whose other end is the target's sshd. Raises ConnectError."""


class ChannelRefused(Exception):
    """sshd refused a channel; code as in RFC 4254, 5.1 (1 prohibited, 2 connect failed, 4 resource shortage)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Link:
    """A connection that stands. Made by `connect`; ends once, and tells everybody who waits for anything on it."""

    def __init__(self, target: SshTarget, sock: socket.socket, limits: Limits) -> None:
        self._target = target
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._waiting: set[asyncio.Event] = set()
        self._leftovers: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()
        self._transport = LoopTransport(sock, Waker(self._loop, self._end))

    @property
    def alive(self) -> bool:
        """Whether the connection stands, as far as anybody has noticed."""
        return self._transport.is_active() and not self.ended.is_set()

    async def open(self, on_ready: Callable[[], None], destination: tuple[str, int] | None = None) -> ChannelPort:
        """Open a session channel, or one to a TCP port as the host sees it. The caller sets the deadline.

        Raises:
            ChannelRefused: sshd says no, or it cannot connect to the destination.
            SessionLost: the connection ended.
        """
        kind = "session" if destination is None else "direct-tcpip"
        answered = asyncio.Event()
        await self._sendable()
        event = WakeEvent(Waker(self._loop, answered.set))
        channel = self._transport.request_channel(kind, event, destination)
        port = ChannelPort(self._loop, self._transport, channel, on_ready)
        try:
            await self._until(answered)
        except asyncio.CancelledError:
            # sshd may still open it, and only we can close it then.
            task = self._loop.create_task(self._close_when(answered, port, destination))
            self._leftovers.add(task)
            task.add_done_callback(self._leftovers.discard)
            raise
        refused = self._transport.refusal(channel)
        if refused:
            raise ChannelRefused(*refused)
        if not self.alive:
            raise self.lost()
        return port

    async def execute(self, port: ChannelPort, line: str) -> None:
        """Start a command on a session channel; a refusal closes the channel."""
        await self._sendable()
        self._transport.request_exec(port.channel, line)

    def lost(self) -> SessionLost:
        """Return the error for a connection that ended under somebody."""
        return SessionLost(f"the SSH connection to {self._target} ended; what was under way may have happened or not")

    def abort(self) -> None:
        """End the connection at once, without waiting for its thread."""
        self._transport.abort()

    async def close(self) -> None:
        """End the connection; returns when its thread has ended, or after a second."""
        started = self._transport.is_alive()
        self._transport.abort()
        if started:
            try:
                async with asyncio.timeout(1.0):
                    await self.ended.wait()
            except TimeoutError:  # a thread in the middle of a computation: it ends by itself
                return

    # -- making it

    async def handshake(self, keys: Sequence[KnownKey]) -> None:
        """Exchange keys and verify the host's.

        Raises:
            HostKeyChanged, HostUnreachable: see their messages.
        """
        self._transport.get_security_options().key_types = hostkeys.accepted_algorithms(keys)
        await self._until_set(lambda event: self._transport.start_client(event=event))
        if not self.alive:
            raise self._handshake_error(keys)
        shown = self._transport.get_remote_server_key()
        hostkeys.verify(self._target, keys, shown.get_name(), shown.asbytes())

    async def authenticate(self, key: paramiko.PKey) -> None:
        """Log in with the key.

        Raises:
            AuthenticationFailed: sshd does not take it.
        """
        user = self._target.user
        await self._until_set(lambda event: self._transport.auth_publickey(user, key, event))
        if self._transport.is_authenticated():
            self._transport.set_keepalive(int(self._limits.keepalive))
            return
        error = self._transport.get_exception()
        public = f"{key.get_name()} {fingerprint(key.asbytes())}"
        if isinstance(error, paramiko.BadAuthenticationType) and "publickey" not in error.allowed_types:
            offered = ", ".join(error.allowed_types)
            raise AuthenticationFailed(
                f"{self._target}: user {user} is let in by {offered} only, not by key; "
                "see PubkeyAuthentication, AuthenticationMethods and PermitRootLogin in its sshd_config"
            )
        raise AuthenticationFailed(
            f"{self._target}: user {user} is not let in with the key {public}; put the public key into that user's "
            "~/.ssh/authorized_keys (it and its folders writable for that user only), or correct the Secret or "
            "spec.ssh.user; sshd's log on the host has the reason"
        )

    def _handshake_error(self, keys: Sequence[KnownKey]) -> Exception:
        error = self._transport.get_exception()
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            if "host key" in str(error):
                return hostkeys.no_common_type(self._target, keys)
            return HostUnreachable(f"{self._target}: no SSH algorithm in common: {error}")
        text = str(error or "").replace("Error reading SSH protocol banner", "").strip(" :") or "no reason given"
        return HostUnreachable(
            f"{self._target}: the connection ended before SSH was set up ({text}): "
            "no SSH server on that port, or more connections at once than its MaxStartups allows"
        )

    async def _until_set(self, begin: Callable[[WakeEvent], object]) -> None:
        """Begin something that sets an event, and wait for that or for the end of the connection."""
        done = asyncio.Event()
        try:
            begin(WakeEvent(Waker(self._loop, done.set)))
        except paramiko.SSHException:
            if self._transport.is_active():
                raise
            return
        await self._until(done)

    async def _until(self, done: asyncio.Event) -> None:
        self._waiting.add(done)
        if self.ended.is_set():
            done.set()
        try:
            await done.wait()
        finally:
            self._waiting.discard(done)

    async def _close_when(
        self, answered: asyncio.Event, port: ChannelPort, destination: tuple[str, int] | None
    ) -> None:
        """Clean up after a caller that did not wait for the answer, and find out in its place whether sshd is there."""
        try:
            async with asyncio.timeout(self._limits.channel):
                await self._until(answered)
        except TimeoutError:
            if answers_itself(destination):
                self.abort()
                return
            await self._until(answered)
        port.close()

    async def _sendable(self) -> None:
        await self._transport.sendable()
        if not self.alive:
            raise self.lost()

    def _end(self) -> None:
        self.ended.set()
        for waiting in self._waiting:
            waiting.set()


def answers_itself(destination: tuple[str, int] | None) -> bool:
    """Tell whether a channel's opening depends on the host alone, so that silence means: sshd hangs."""
    return destination is None or destination[0] in ("127.0.0.1", "::1")


async def connect(
    target: SshTarget,
    keys: Sequence[KnownKey],
    key: paramiko.PKey,
    limits: Limits,
    hop: Hop | None = None,
) -> Link:
    """Make a connection within `limits.connect` seconds, through a hop where one is given (which is ready by then).

    Raises:
        HostUnreachable, HostKeyChanged, AuthenticationFailed: each message says what to do.
    """
    phase = _Phase(target)
    try:
        async with asyncio.timeout(limits.connect):
            return await _connect(target, keys, key, limits, phase, hop)
    except TimeoutError:
        raise HostUnreachable(f"{target}: {phase.name} was not finished in time ({phase.seconds:g} s)") from None


class _Phase:
    """Which phase is under way, for the message when time is up."""

    def __init__(self, target: SshTarget) -> None:
        self.name = "the connection"
        self.seconds = 0.0

    def enter(self, name: str, seconds: float) -> asyncio.Timeout:
        self.name, self.seconds = name, seconds
        return asyncio.timeout(seconds)


async def _connect(  # noqa: PLR0917
    target: SshTarget,
    keys: Sequence[KnownKey],
    key: paramiko.PKey,
    limits: Limits,
    phase: _Phase,
    hop: Hop | None,
) -> Link:
    async with phase.enter("the TCP connection", limits.tcp):
        sock = await (hop.dial(target) if hop else _tcp(target))
    tune(sock, limits.dead_peer)
    link = Link(target, sock, limits)
    try:
        async with phase.enter("the SSH handshake", limits.handshake):
            await link.handshake(keys)
        async with phase.enter("the login", limits.auth):
            await link.authenticate(key)
    except BaseException:
        link.abort()
        raise
    return link


async def _tcp(target: SshTarget) -> socket.socket:
    family, where = await _resolved(target)
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, where)
    except OSError as error:
        sock.close()
        raise HostUnreachable(f"{target}: it cannot be reached: {_os_reason(error)}") from error
    except BaseException:
        sock.close()
        raise
    return sock


async def _resolved(target: SshTarget) -> tuple[int, Any]:
    """Return family and socket address; only a name needs a thread, as resolvers block."""
    try:
        found = socket.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise HostUnreachable(f"{target}: its name cannot be resolved: {error.strerror}") from error
    family, _, _, _, where = found[0]
    return family, where


def _os_reason(error: OSError) -> str:
    if error.errno == errno.ECONNREFUSED:
        return "nothing listens there (connection refused)"
    return os.strerror(error.errno).lower() if error.errno else str(error)
