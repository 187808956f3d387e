"""The connection to one host, shared by all who need the host.

A session connects when it is first used, and again on the first use after the connection was lost; how long to wait
between attempts is the caller's business. It belongs to the event loop it is used in.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor

from redis_sentinel_operator.connect import connection as connections
from redis_sentinel_operator.connect.command import (
    Command,
    CommandResult,
    Frame,
    OutputTooLarge,
    frame_command,
    last_line,
    sudo_mend,
    sudo_refusal,
)
from redis_sentinel_operator.connect.connection import ChannelRefused, Hop, Link, answers_itself
from redis_sentinel_operator.connect.hostkeys import known_keys, parse_known_hosts
from redis_sentinel_operator.connect.target import Credentials, Limits, SshTarget
from redis_sentinel_operator.connect.wire import ChannelPort
from redis_sentinel_operator.errors import CommandTimedOut, SessionLost, SudoRefused

_REFUSED_PAUSE = 0.02
_TIMED_OUT = (124, 137)  # timeout(1): ended by TERM, ended by KILL


class HostSession:
    """One host over one SSH connection: commands and TCP channels.

    Args:
        target: where to log in.
        credentials: the Secret's content.
        pool: a bounded executor for the one thing that computes: opening a key with a passphrase.
        limits: deadlines and sizes.
        hop: the host that the target is reached through, where it is not reached directly.
    """

    def __init__(
        self,
        target: SshTarget,
        credentials: Credentials,
        pool: Executor,
        limits: Limits | None = None,
        hop: Hop | None = None,
    ) -> None:
        self.target = target
        self.limits = limits or Limits()
        self._credentials = credentials
        self._pool = pool
        self._hop = hop
        self._link: Link | None = None
        self._connecting = asyncio.Lock()
        self._slots = asyncio.Semaphore(self.limits.sessions)
        self.routes: dict[int, str] = {}  # RESP port -> the address at which the host answered last (see tunnel)

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as anybody has noticed."""
        return self._link is not None and self._link.alive

    @property
    def connection(self) -> object:
        """The connection that stands, to tell it from the next one; None where none does."""
        return self._link if self.connected else None

    async def connect(self) -> None:
        """Connect unless the connection stands; concurrent callers share the attempt.

        Raises:
            HostUnreachable, HostKeyUnknown, HostKeyChanged, AuthenticationFailed, BadPrivateKey: see their messages.
        """
        await self._connected()

    async def run(
        self,
        script: str,
        *,
        stdin: bytes = b"",
        timeout: float,  # noqa: ASYNC109 - the host keeps it
        root: bool = True,
    ) -> CommandResult:
        """Run a POSIX sh script on the host and return what it said.

        The script runs with `umask 077`, in `/`, in the C locale, with a PATH of the system directories, and finds
        `stdin` on its stdin and its length in `$PAYLOAD_SIZE` (compare it before using what was read: when the
        connection is lost in the middle, the host reads less). Neither is in any process list.

        Args:
            script: the text; its exit status is the result's, not an error.
            stdin: the payload, any bytes.
            timeout: seconds after which the host ends the script; we wait `limits.grace` longer at most.
            root: use `sudo -n` when the target says so; False runs as the login user in any case.

        Raises:
            CommandTimedOut: it did not end in time; the host ends it.
            SudoRefused: sudo does not work for the user; the message has the sudoers line.
            SessionLost: the connection ended, or the login shell did not run the command.
            OutputTooLarge: it said more than `limits.output` bytes.
            ConnectError: the connection could not be made.
        """
        marker = secrets.token_hex(16)
        command = frame_command(
            script,
            stdin,
            marker=marker,
            seconds=timeout,
            kill_after=self.limits.kill_after,
            sudo=root and self.target.sudo,
        )
        await self._connected()  # with its own deadline
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(timeout + self.limits.grace):
                async with self._slots:
                    exchange = _Exchange(marker, self.limits.output)
                    link, port = await self._session_channel(exchange.wake)
                    result = await exchange.finish(link, port, command)
        except TimeoutError:
            raise CommandTimedOut(
                f"{self.target}: no answer to a command within {timeout + self.limits.grace:g} s"
            ) from None
        except OutputTooLarge as error:
            raise OutputTooLarge(f"{self.target}: {error}") from None
        return self._judge(result, timeout, asyncio.get_running_loop().time() - started)

    async def open_tcp(self, address: str, port: int, on_ready: Callable[[], None]) -> ChannelPort:
        """Open a channel to a TCP port as the host sees it (`direct-tcpip`).

        Raises:
            ChannelRefused: sshd forbids it, or cannot connect there.
            CommandTimedOut: sshd does not answer; the connection is given up.
            ConnectError: the connection could not be made or was lost.
        """
        _, channel = await self._open(on_ready, (address, port))
        return channel

    async def close(self) -> None:
        """End the connection; commands under way end with SessionLost. A later use connects again."""
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    # -- inside

    async def _connected(self) -> Link:
        async with self._connecting:
            if self._link is not None and self._link.alive:
                return self._link
            keys = known_keys(parse_known_hosts(self._credentials.known_hosts), self.target)
            loop = asyncio.get_running_loop()
            key = await loop.run_in_executor(self._pool, lambda: self._credentials.key)
            if self._hop is not None:
                await self._hop.ready()
            self._link = await connections.connect(self.target, keys, key, self.limits, self._hop)
            return self._link

    async def _session_channel(self, on_ready: Callable[[], None]) -> tuple[Link, ChannelPort]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.limits.channel
        while True:
            try:
                return await self._open(on_ready, None)
            except ChannelRefused as refused:
                if loop.time() > deadline:
                    raise SessionLost(
                        f"{self.target} refuses another command on this connection ({refused.text}): "
                        f"its sshd_config needs MaxSessions of at least {self.limits.sessions}"
                    ) from None
            # sshd counts a session until it has reaped its process, a moment after the command's last word.
            await asyncio.sleep(_REFUSED_PAUSE)

    async def _open(
        self, on_ready: Callable[[], None], destination: tuple[str, int] | None
    ) -> tuple[Link, ChannelPort]:
        link = await self._connected()
        try:
            return link, await self._open_on(link, on_ready, destination)
        except SessionLost:  # it had died unnoticed: nothing was asked of the host yet
            link = await self._connected()
            return link, await self._open_on(link, on_ready, destination)

    async def _open_on(
        self, link: Link, on_ready: Callable[[], None], destination: tuple[str, int] | None
    ) -> ChannelPort:
        try:
            async with asyncio.timeout(self.limits.channel):
                return await link.open(on_ready, destination)
        except TimeoutError:
            if destination is not None and not answers_itself(destination):
                where = f"{destination[0]}:{destination[1]}"
                raise CommandTimedOut(f"{self.target}: no connection to {where} in time") from None
            link.abort()  # sshd itself does not answer: the next use begins with a new connection
            raise CommandTimedOut(
                f"{self.target}: sshd did not answer within {self.limits.channel:g} s; the connection was given up"
            ) from None

    def _judge(self, result: _Outcome, timeout: float, seconds: float) -> CommandResult:
        if result.exit_status is not None:
            stderr = result.stderr.decode(errors="replace")
            return CommandResult(result.exit_status, result.stdout, stderr, seconds)
        if result.lost is not None:
            raise result.lost
        if result.begun:
            if result.shell_status in _TIMED_OUT and seconds >= timeout:
                raise CommandTimedOut(f"{self.target}: the command did not end within {timeout:g} s; the host ended it")
            raise SessionLost(f"{self.target}: the command was ended on the host (status {result.shell_status})")
        stderr = result.stderr.decode(errors="replace")
        refusal = sudo_refusal(stderr) if self.target.sudo else None
        if refusal:
            raise SudoRefused(
                f"{self.target}: sudo does not let user {self.target.user} become root without a password "
                f"({refusal}); {sudo_mend(self.target.user)}"
            )
        said = last_line(stderr or result.stdout.decode(errors="replace"))
        raise SessionLost(
            f"{self.target}: the login shell of user {self.target.user} did not run the command "
            f"(status {result.shell_status}): {said}"
        )


class _Outcome:
    """What was known when a command's channel had nothing more to say."""

    def __init__(self, out: Frame, err: Frame, shell_status: int | None, lost: SessionLost | None) -> None:
        self.begun = out.begun
        self.exit_status = out.exit_status if err.complete else None
        self.stdout = out.data
        self.stderr = err.data
        self.shell_status = shell_status
        self.lost = lost


class _Exchange:
    """One command on one channel: sends stdin and collects both outputs until their frames end."""

    def __init__(self, marker: str, limit: int) -> None:
        self._out = Frame(marker, limit)
        self._err = Frame(marker, limit)
        self._ready = asyncio.Event()
        self.wake = self._ready.set

    async def finish(self, link: Link, port: ChannelPort, command: Command) -> _Outcome:
        """Start the command, talk until both frames end or the channel does, and close the channel."""
        sender: asyncio.Task[None] | None = None
        try:
            await link.execute(port, command.line)
            sender = asyncio.create_task(port.send_all(command.stdin))
            sender.add_done_callback(_forget)
            await self._collect(port)
        finally:
            if sender is not None:
                sender.cancel()
            port.close()
        lost = None if link.alive else link.lost()
        return _Outcome(self._out, self._err, port.exit_status, lost)

    async def _collect(self, port: ChannelPort) -> None:
        while not (self._out.complete and self._err.complete):
            await self._ready.wait()
            self._ready.clear()
            closed = port.closed  # before reading: what came before the close is then read below
            if self._read(port) and closed:
                return

    def _read(self, port: ChannelPort) -> bool:
        """Read all there is; return whether both streams are at their end."""
        ended = True
        for stderr, frame in ((False, self._out), (True, self._err)):
            while data := port.receive(stderr=stderr):
                frame.feed(data)
            ended = ended and data == b""
        return ended


def _forget(sender: asyncio.Task[None]) -> None:
    # A script may end without reading its stdin; the channel's own end is what counts.
    if not sender.cancelled():
        sender.exception()
