"""Everything that is kept open to one host: its SSH connection, and the RESP clients that run through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Executor

import redis.asyncio
import redis.exceptions
from redis.exceptions import AuthenticationError

from redis_sentinel_operator.connect.bastion import Bastions
from redis_sentinel_operator.connect.command import CommandResult
from redis_sentinel_operator.connect.session import HostSession
from redis_sentinel_operator.connect.target import Credentials, SshTarget, limits
from redis_sentinel_operator.connect.tunnel import resp_client
from redis_sentinel_operator.errors import HostUnreachable
from redis_sentinel_operator.model.desired import DesiredHost
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.settings import Settings

_MOST = 8  # passwords that are tried; each is one round trip
_ASKS_FOR_NONE = ("no password is set", "without any password configured")  # before Redis 6, and from then on


class HostLink:
    """One host: commands over SSH, and redis clients, one a port and password, shared by all who need the host.

    It connects when it is first used and again when a connection was lost.

    Args:
        host: the declared host.
        credentials: the SSH Secret's content.
        pool: executor for the one blocking call, opening a key with a passphrase.
        settings: deadlines.
        bastions: those that hosts of this cluster are reached through.
    """

    def __init__(
        self,
        host: DesiredHost,
        credentials: Credentials,
        pool: Executor,
        settings: Settings,
        bastions: Bastions | None = None,
    ) -> None:
        self.host = host
        ssh = host.ssh
        target = SshTarget(host.name, ssh.address, ssh.port, ssh.user, ssh.sudo)
        hop = bastions.get(ssh.bastion, credentials) if bastions is not None and ssh.bastion is not None else None
        self.session = HostSession(target, credentials, pool, limits(settings), hop)
        self._credentials = credentials
        self.settings = settings
        self._clients: dict[tuple[int, Secret | None], redis.asyncio.Redis] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._attempt: asyncio.Task[None] | None = None
        self._kept: tuple[object, object] = (None, None)
        self.former: tuple[Secret, ...] = ()

    @property
    def connected(self) -> bool:
        """Whether the SSH connection stands, as far as anybody has noticed."""
        return self.session.connected

    @property
    def kept(self) -> object:
        """What a reader kept of this connection; None once it was lost, or after a change on the host."""
        connection, what = self._kept
        return what if connection is self.session.connection else None

    def keep(self, what: object) -> None:
        """Keep something for the next reader, as long as this connection stands."""
        self._kept = (self.session.connection, what)

    def offer(self, passwords: Iterable[Secret]) -> None:
        """Offer these passwords as well to a server that refuses the one it is asked with."""
        self.former = tuple(dict.fromkeys((*passwords, *self.former)))[:_MOST]

    def serves(self, host: DesiredHost, credentials: Credentials) -> bool:
        """Tell whether this link is the one for the host: same address, same access, same credentials."""
        return (host.name, host.address, host.ssh, credentials) == (
            self.host.name,
            self.host.address,
            self.host.ssh,
            self._credentials,
        )

    async def connect(self) -> None:
        """Connect unless the connection stands. All who wait share one attempt, also its failure.

        Without that, those who read a dead host at the same time would wait for one attempt after the other.

        Raises:
            ConnectError: the host cannot be reached or used.
        """
        if self.session.connected:
            return
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.get_running_loop().create_task(self.session.connect())
            self._attempt.add_done_callback(_seen)
        attempt = self._attempt
        try:
            await asyncio.shield(attempt)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not attempt.cancelled() or (task is not None and task.cancelling()):
                raise
            raise HostUnreachable(f"host {self.host.name}: the connection was closed while it was made") from None

    async def run(self, script: str, *, stdin: bytes = b"", timeout: float) -> CommandResult:  # noqa: ASYNC109 - the host enforces it
        """Run a POSIX sh script as root; see `HostSession.run` for what it finds and what is raised."""
        await self.connect()
        return await self.session.run(script, stdin=stdin, timeout=timeout)

    async def resp(self, port: int, password: Secret | None) -> redis.asyncio.Redis:
        """Return the client of a port: strings decoded, RESP2, no retries; it connects anew after an error.

        A server that refuses the password is offered those of `offer`: it may not have been given the new one yet. So
        is one that asks for a password where none is told. To one that has none, none is sent.

        Raises:
            PortClosed: nobody listens.
            ForwardingRefused: sshd forbids forwarding.
            ConnectError: the host cannot be reached or used.
            redis.exceptions.RedisError: what the server says to AUTH, or no answer in time.
        """
        key = (port, password)
        client = self._clients.get(key)
        if client is None:
            client = await self._open(port, password)
            if key in self._clients:  # somebody else was faster
                await client.aclose()
            client = self._clients.setdefault(key, client)
        return client

    def drop(self, port: int) -> None:
        """Forget the clients of a port; they are closed in the background."""
        for key in [key for key in self._clients if key[0] == port]:
            self._close_later(self._clients.pop(key))

    async def close(self) -> None:
        """End everything; what is under way ends with an error."""
        if self._attempt is not None:
            self._attempt.cancel()
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            self._close_later(client)
        await self.session.close()
        if self._closing:
            await asyncio.wait(self._closing, timeout=1.0)

    async def _open(self, port: int, password: Secret | None) -> redis.asyncio.Redis:
        if self.host.ssh.resp == "Tunnel":
            await self.connect()
        others = [each for each in self.former if each != password]
        refused: list[AuthenticationError] = []
        for each in (password, *others):
            try:
                client = await self._client(port, each)
                if each is None and others:
                    await _let_in(client)
            except AuthenticationError as error:
                refused.append(error)
            else:
                return client
        if password is None or any(map(asks_for_none, refused)):  # as if nobody had tried: what it says tells
            return await self._client(port, None)
        raise refused[0]

    async def _client(self, port: int, password: Secret | None) -> redis.asyncio.Redis:
        return await resp_client(
            self.session,
            port,
            address=self.host.address,
            password=password.reveal() if password else None,
            mode=self.host.ssh.resp,
            timeout=self.settings.resp_timeout,
        )

    def _close_later(self, client: redis.asyncio.Redis) -> None:
        task = asyncio.get_running_loop().create_task(_close(client))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def asks_for_none(error: AuthenticationError) -> bool:
    """Whether a server refused a password because it lets everybody in."""
    return any(text in str(error) for text in _ASKS_FOR_NONE)


def _seen(attempt: asyncio.Task[None]) -> None:
    """Nobody may be left who waits for it; its failure is no surprise then."""
    if not attempt.cancelled():
        attempt.exception()


async def _let_in(client: redis.asyncio.Redis) -> None:
    """Raises AuthenticationError: the server asks for a password. Whatever else it says is for its next user."""
    try:
        await client.execute_command("PING")  # type: ignore[no-untyped-call]
    except AuthenticationError:
        await client.aclose()
        raise
    except redis.exceptions.RedisError:
        return


async def _close(client: redis.asyncio.Redis) -> None:
    try:
        await client.aclose()
    except (OSError, redis.exceptions.RedisError):
        return  # it was broken already


def keep_links(
    links: dict[str, HostLink],
    hosts: Iterable[DesiredHost],
    credentials: Credentials,
    made: Callable[[DesiredHost], HostLink],
) -> None:
    """Keep one link a host; a host whose access or whose Secret changed gets a new one, one that is gone has none."""
    wanted = {host.name: host for host in hosts}
    for name, link in list(links.items()):
        host = wanted.get(name)
        if host is None or not link.serves(host, credentials):
            asyncio.get_running_loop().create_task(links.pop(name).close())
    for name, host in wanted.items():
        if name not in links:
            links[name] = made(host)
