"""Listening to one sentinel for ever.

redis-py's own PubSub connects and subscribes again without telling anybody, so that what was said meanwhile is lost
unseen; its health check is refused by sentinels before 7.0. Here the connection is held by us: when it is made the
level is read again, and a PING without argument, which all versions answer, proves that the sentinel still speaks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import RedisError

from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import ConnectError, OperatorError
from redis_sentinel_operator.follow.grammar import disturbs, parse
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.event import SentinelEvent
from redis_sentinel_operator.model.fact import Fact, Known, Unknown
from redis_sentinel_operator.settings import Settings

log = logging.getLogger(__name__)
FOLLOWING = "following"
_REASON = "NoAnswer"
_BACKOFF_MIN, _BACKOFF_MAX = 0.2, 5.0
_STEADY = 1.0  # a connection that lasted for less is no reason to be quick with the next one
_PINGS = 3  # in the time after which silence counts as being away


class Follower:
    """Follows the sentinel of one host until cancelled; every failure ends in another attempt, none leaves it.

    Args:
        host: whose sentinel.
        desired: gives the port and the master's name; messages about other masters are left out.
        link: the way to the host.
        settings: `follower_silence`, `follower_poll`, `resp_timeout`.
        on_event: called with each message.
        on_level: called with the host's name and whether it is followed (else why not) when the level is to be read
            again: connected, lost, a hint, the poll.
    """

    def __init__(  # noqa: PLR0917
        self,
        host: DesiredHost,
        desired: Desired,
        link: HostLink,
        settings: Settings,
        on_event: Callable[[SentinelEvent], None],
        on_level: Callable[[str, Fact[str]], None],
    ) -> None:
        self.host = host
        self.state: Fact[str] = Unknown(f"the sentinel on {host.name} was not connected to yet", _REASON)
        self._port = desired.sentinel_port
        self._master = desired.master_name
        self._link = link
        self._settings = settings
        self._on_event = on_event
        self._on_level = on_level
        self._log = logging.LoggerAdapter(log, {"host": host.name})

    async def run(self) -> None:
        """Listen, and connect again after each loss, at first at once, later every five seconds."""
        delay = _BACKOFF_MIN
        while True:
            began = time.monotonic()
            lost = await self._listen_once()
            if isinstance(self.state, Known):
                self._log.warning("sentinel of %s: %s", self.host.name, lost.message)
                if time.monotonic() - began > _STEADY:
                    delay = _BACKOFF_MIN
            changed, self.state = self.state != lost, lost
            if changed:
                self._tell_level()
            await asyncio.sleep(delay)
            delay = min(2 * delay, _BACKOFF_MAX)

    async def _listen_once(self) -> Unknown:
        """Connect and listen until it ends; return why it did."""
        try:
            async with self._subscribed() as connection:
                self.state = Known(FOLLOWING)
                self._log.info("sentinel of %s: following", self.host.name)
                self._tell_level()
                await self._listen(connection)
        except TimeoutError:
            return Unknown(f"the sentinel on {self.host.name} did not answer in time", _REASON)
        except ConnectError as error:
            return Unknown(str(error), error.reason)
        except (OperatorError, RedisError, OSError) as error:
            return Unknown(f"the sentinel on {self.host.name} was lost: {error}", _REASON)
        except Exception:
            self._log.exception("sentinel of %s: listening failed by a mistake of the operator", self.host.name)
        return Unknown(f"listening to the sentinel on {self.host.name} failed", _REASON)

    @asynccontextmanager
    async def _subscribed(self) -> AsyncIterator[Any]:
        """A connection of our own that is subscribed to everything; it is thrown away at the end."""
        if self._link.host.ssh.resp == "Tunnel":
            await self._link.connect()  # with its own deadline
        async with asyncio.timeout(self._settings.resp_timeout):
            client = await self._link.resp(self._port, None)
            pool = client.connection_pool
            connection = await pool.get_connection()  # type: ignore[no-untyped-call]
        try:
            await connection.send_command("PSUBSCRIBE", "*", check_health=False)
            await connection.read_response()
            yield connection
        finally:
            await connection.disconnect(nowait=True)
            await pool.release(connection)

    async def _listen(self, connection: Any) -> None:
        """Hand over messages. Raises TimeoutError when nothing at all is heard for `follower_silence`."""
        silence, pause = self._settings.follower_silence, self._settings.follower_silence / _PINGS
        heard = time.monotonic()
        next_ping, next_poll = heard + pause, heard + self._settings.follower_poll
        while True:
            wait = min(next_ping, heard + silence) - time.monotonic()
            answer = await connection.read_response(timeout=max(0.01, wait))
            now = time.monotonic()
            if answer is not None:
                heard = now
                self._take(answer)
            if now - heard >= silence:
                raise TimeoutError
            if now >= next_ping:
                await connection.send_command("PING", check_health=False)
                next_ping = now + pause
            if now >= next_poll:
                self._tell_level()
                next_poll = now + self._settings.follower_poll

    def _take(self, answer: Any) -> None:
        if not isinstance(answer, list) or len(answer) != 4 or answer[0] != "pmessage":
            return  # the answer to our PING
        event = parse(self.host.name, time.time(), str(answer[2]), str(answer[3]))
        if event.master_name not in ("", self._master):
            return
        self._safely(self._on_event, event)
        if disturbs(event) or event.channel == "+monitor":
            self._tell_level()

    def _tell_level(self) -> None:
        self._safely(self._on_level, self.host.name, self.state)

    def _safely(self, callback: Callable[..., None], *values: object) -> None:
        """Call; a mistake over there must not end the listening."""
        try:
            callback(*values)
        except Exception:
            self._log.exception("sentinel of %s: what was told could not be handled", self.host.name)
