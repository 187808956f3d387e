"""Listening to all sentinels of a cluster, and the fast path: hint, reading of all sentinels, published master."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.follow.follower import Follower
from redis_sentinel_operator.follow.grammar import disturbs
from redis_sentinel_operator.judge.master import candidate, mastership
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.event import SentinelEvent
from redis_sentinel_operator.model.fact import Fact, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, MasterRecord, Mastership
from redis_sentinel_operator.observe.gather import read_redis, read_sentinels
from redis_sentinel_operator.settings import Settings

log = logging.getLogger(__name__)
# What changes no role, but a pass finds out what it is: of a sentinel that goes or comes, or that somebody set.
_LOOK = frozenset({"+sdown", "-sdown", "+reboot", "+set"})
# Seconds: the words of one switch follow each other within the first, and all of it is told within the second. Once
# the new master is known it is published within the third.
_SILENCE, _LONGEST, _PUBLISHED = 1.0, 4.0, 0.25
_GRACE = 0.25  # seconds that a reading gets which has not ended when there is news


class Listening:
    """One follower a sentinel and one fast path for all; it confirms and publishes, it never applies.

    `disturbed_at` is time.monotonic() of the last message that makes older facts unfit to act on; `wake(why)` asks for
    a pass.
    """

    def __init__(self, board: Board, settings: Settings, wake: Callable[[str], None]) -> None:
        self.disturbed_at = float("-inf")
        self._began = float("-inf")  # when the first of those messages came that follow each other closely
        self.switched_at = float("-inf")
        self._board = board
        self._settings = settings
        self._wake = wake
        self._level = asyncio.Event()
        self._desired: Desired | None = None
        self._links: Mapping[str, HostLink] = {}
        self._tasks: dict[str, tuple[HostLink, asyncio.Task[None]]] = {}
        self._fast: asyncio.Task[None] | None = None

    async def follow(self, desired: Desired, links: Mapping[str, HostLink]) -> None:
        """Listen to the sentinels of `desired`; followers of hosts that stay as they are go on undisturbed."""
        renamed = self._desired is not None and self._desired.master_name != desired.master_name
        self._desired, self._links = desired, links
        wanted = {host.name: host for host in desired.every_sentinel}
        for name, (link, task) in list(self._tasks.items()):
            if name not in wanted or links.get(name) is not link or renamed or task.done():
                await _end(task)
                del self._tasks[name]
        for name, host in wanted.items():
            if name not in self._tasks and name in links:
                self._tasks[name] = (links[name], self._start(host, links[name], desired))
        if self._fast is None or self._fast.done():
            self._fast = asyncio.create_task(self._fast_path(), name=f"fast path of {desired.ref}")

    async def close(self) -> None:
        """End all followers and the fast path."""
        for _, task in self._tasks.values():
            await _end(task)
        self._tasks.clear()
        if self._fast:
            await _end(self._fast)
            self._fast = None

    async def out_of_the_way(self, urgent: asyncio.Event) -> None:
        """Wait while the sentinels tell of a failover, until its switch is published or it is `urgent`, at most 4 s.

        A pass gives hosts and API server work just when a switch is to be published, and may do nothing meanwhile.
        What was urgent is not any more afterwards. A procedure is not held up: the master that it has replaced has
        paused writes, and only as long as it takes until a pass makes that one a replica may last.
        """
        while self._board.operation is None and not urgent.is_set():
            until = min(self.disturbed_at + _SILENCE, self._began + _LONGEST)
            if self.switched_at >= self._began:
                until = min(until, self.switched_at + _PUBLISHED)
            rest = until - time.monotonic()
            if rest <= 0:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await urgent.wait()
        urgent.clear()

    def _start(self, host: DesiredHost, link: HostLink, desired: Desired) -> asyncio.Task[None]:
        follower = Follower(host, desired, link, self._settings, self._on_event, self._on_level)
        return asyncio.create_task(follower.run(), name=f"follower of {host.name} of {desired.ref}")

    def _on_event(self, event: SentinelEvent) -> None:
        assert self._desired is not None  # noqa: S101 - followers exist only after follow()
        log.info(
            "%s: the sentinel on %s says %s %s",
            self._desired.ref,
            event.sentinel,
            event.channel,
            event.payload,
            extra={"host": event.sentinel, "channel": event.channel},
        )
        self._board.event(event, self._desired)
        if disturbs(event):
            now = time.monotonic()
            if now - self.disturbed_at > _SILENCE:
                self._began = now
            self.disturbed_at = now
            self._level.set()
        if disturbs(event) or event.channel in _LOOK:
            self._wake(f"{event.channel} from the sentinel on {event.sentinel}")

    def _on_level(self, host: str, followed: Fact[str]) -> None:
        self._board.heard(host, followed)
        self._level.set()

    async def _fast_path(self) -> None:
        """Read the level at each hint; hints that come meanwhile are one more reading.

        A reading that waits for a redis that hangs is given up for the next one: who is asked then may be another.
        """
        while True:
            await self._level.wait()
            self._level.clear()
            reading = asyncio.create_task(self._confirm(), name="fast path: a reading")
            try:
                await self._until_news(reading)
                if reading.done():
                    reading.result()
            except Exception:  # a reading that fails must not end the listening
                log.exception("fast path: a reading failed")
                await asyncio.sleep(self._settings.backoff_min)
            finally:
                reading.cancel()

    async def _until_news(self, reading: asyncio.Task[None]) -> None:
        """Wait for a reading; it is not waited for much longer once there is another hint."""
        news = asyncio.create_task(self._level.wait())
        try:
            await asyncio.wait({reading, news}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({reading}, timeout=_GRACE)
        finally:
            news.cancel()

    async def _confirm(self) -> None:
        desired, links = self._desired, self._links
        if desired is None:
            return
        began = time.monotonic()
        sentinels = await read_sentinels(desired, links, self._settings)
        name = candidate(desired, sentinels)
        redis = {name: await read_redis(desired, links[name], self._settings)} if name is not None else {}
        before = self._board.last_master
        found: Mastership = mastership(desired, sentinels, redis, before)
        if not isinstance(found, Confirmed) and all(isinstance(fact, Unknown) for fact in sentinels.values()):
            return  # nobody could be asked: the next pass says so, with reasons
        self._board.confirm(found, sentinels, desired, began)
        if isinstance(found, Confirmed) and (before is None or before.address != found.address):
            self.note_switch(before)
            self._wake(f"{found.host} is master")

    def note_switch(self, before: MasterRecord | None) -> None:
        """Remember when the master changed: the settle time runs from here. A first master is no switch."""
        if before is not None:
            self.switched_at = time.monotonic()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task}, timeout=2.0)
