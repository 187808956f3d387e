"""Looking out for a redis that is away: when it is back a pass is to see at once what it is.

A master that comes back after a switch takes writes that are lost, until it is made a replica. The sentinels tell of it
(-sdown, -role-change), but only of one they know, and seconds later where its machine was off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Denied, Unknown
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.observe.exchange import Answers, ask
from redis_sentinel_operator.settings import Settings

# What ends by itself. A login that is refused is not tried every second: the next pass tells of it.
_PASSING = frozenset({"HostUnreachable", "NoAnswer", "CommandTimedOut", "SessionLost"})


class Returning:
    """One look-out a redis that is away; it reads and wakes, it never applies. `wake(why)` asks for a pass."""

    def __init__(self, settings: Settings, wake: Callable[[str], None]) -> None:
        self._settings = settings
        self._wake = wake
        self._tasks: dict[str, tuple[HostLink, asyncio.Task[None]]] = {}

    def look_for(self, away: Collection[str], desired: Desired, links: Mapping[str, HostLink]) -> None:
        """Look out for the redis of these hosts, and for no other any more."""
        for name, (link, task) in list(self._tasks.items()):
            if name not in away or links.get(name) is not link or task.done():
                task.cancel()
                del self._tasks[name]
        for name in away:
            if name in links and name not in self._tasks:
                looking = self._until_back(name, desired, links[name])
                self._tasks[name] = (links[name], asyncio.create_task(looking, name=f"look-out for {name}"))

    async def close(self) -> None:
        """End all look-outs."""
        tasks = {task for _, task in self._tasks.values()}
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=2.0)

    async def _until_back(self, name: str, desired: Desired, link: HostLink) -> None:
        while True:
            await asyncio.sleep(self._settings.return_poll)
            answer = await ask(link, desired.redis_port, desired.password, [("ROLE",)], self._settings)
            if isinstance(answer, Answers | Denied):
                self._wake(f"redis on {name} answers again")
                return
            if isinstance(answer, Unknown) and answer.reason not in _PASSING:
                return


def away(desired: Desired, facts: ClusterFacts, verdict: Verdict) -> frozenset[str]:
    """Return the hosts whose redis may come back as something else than what the cluster made of it meanwhile."""
    if verdict.situation is not Situation.ALIVE:
        return frozenset()
    read = {host.name: facts.hosts[host.name].redis for host in desired.redis_hosts}
    return frozenset(name for name, fact in read.items() if isinstance(fact, Unknown) or fact.value is None)
