"""Followers of all sentinels of a cluster made by hand, and what they hear."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hosts.passes import Passes, passes
from lab.hosts import Host
from lab.labs import Lab
from lab.resp import Resp
from redis_sentinel_operator.follow.follower import FOLLOWING, Follower
from redis_sentinel_operator.follow.history import record, shown
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from redis_sentinel_operator.model.fact import Fact, Known
from redis_sentinel_operator.settings import Settings

SETTINGS = Settings(follower_poll=1.0)


@dataclass(slots=True)
class Ear:
    """What the followers of all sentinels hear."""

    work: Passes
    followers: dict[str, Follower] = field(default_factory=dict)
    events: list[SentinelEvent] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)
    beginnings: Counter[str] = field(default_factory=Counter)  # how often each began to be followed

    def hears(self, channel: str) -> set[str]:
        """The hosts whose sentinels said it."""
        return {event.sentinel for event in self.events if event.channel == channel}

    def follows(self, *hosts: Host) -> bool:
        return all(self.followers[host.name].state == Known(FOLLOWING) for host in hosts)

    def history(self) -> tuple[Failover, ...]:
        history: tuple[Failover, ...] = ()
        for event in self.events:
            history = record(history, event, self.work.desired)
        return shown(history)


async def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - the condition is partly another host's
            await asyncio.sleep(0.02)
    assert true(), what


@asynccontextmanager
async def listening(lab: Lab, settings: Settings = SETTINGS, deaf: bool = False) -> AsyncIterator[Ear]:
    """Followers of all sentinels; `deaf`: what they tell raises at the one who hears it."""
    async with passes(lab) as work:
        ear = Ear(work)

        def on_event(event: SentinelEvent) -> None:
            ear.events.append(event)
            if deaf:
                raise RuntimeError("deaf")

        lost: set[str] = set()

        def on_level(host: str, state: Fact[str]) -> None:
            ear.levels[host] += 1
            if isinstance(state, Known) and (host in lost or not ear.beginnings[host]):
                ear.beginnings[host] += 1
            lost.discard(host) if isinstance(state, Known) else lost.add(host)
            if deaf:
                raise RuntimeError("deaf")

        for host in work.desired.sentinel_hosts:
            link = work.links[host.name]
            ear.followers[host.name] = Follower(host, work.desired, link, settings, on_event, on_level)
        tasks = [asyncio.create_task(follower.run()) for follower in ear.followers.values()]
        try:
            yield ear
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def ask(host: Host, *words: str) -> object:
    """The answer of a sentinel."""
    with Resp.to(host, 26379) as sentinel:
        return sentinel.call(*words)
