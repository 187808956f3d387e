"""Reading all hosts at once into facts; a host that is slow or gone costs its own deadline and nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import ConnectError, OperatorError
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    Denied,
    Fact,
    HostFacts,
    Known,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.observe import further, probe, redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts, known, passwords
from redis_sentinel_operator.observe.exchange import NO_ANSWER, Closed
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.observe.memory import Memory, Recall
from redis_sentinel_operator.observe.probe import ProbeFacts
from redis_sentinel_operator.settings import Settings

SentinelFact: TypeAlias = Fact[SentinelFacts | Denied | None]
RedisFact: TypeAlias = Fact[RedisFacts | Denied | None]
_GRACE = 0.25  # what the others get once a majority of the sentinels has answered
T = TypeVar("T")


async def gather(
    desired: Desired, links: Mapping[str, HostLink], settings: Settings, late: Late | None = None
) -> ClusterFacts:
    """Read every declared host: probe, redis and sentinel side by side; never raises.

    Args:
        desired: the declared cluster.
        links: by host name; a host without one is Unknown.
        settings: `probe_timeout` bounds a host as a whole, `resp_timeout` each server.
        late: keeps the hosts that do not answer from holding up the others; without it all are waited for.
    """
    at = time.monotonic()
    readings = {host.name: partial(_host, desired, host, links.get(host.name), settings) for host in desired.hosts}
    if late is None:
        never = asyncio.Event()
        return ClusterFacts(
            {facts.name: facts for facts in await asyncio.gather(*(read(never) for read in readings.values()))}, at
        )
    found = await late.collect(readings)
    return ClusterFacts({host.name: _or_nothing(desired, host, found[host.name]) for host in desired.hosts}, at)


def _or_nothing(desired: Desired, host: DesiredHost, found: HostFacts | Unknown) -> HostFacts:
    return _unread(desired, host, found) if isinstance(found, Unknown) else found


def _unread(desired: Desired, host: DesiredHost, why: Unknown) -> HostFacts:
    return host_facts(desired, host, probe.unreadable(why), why, why)


async def read_sentinels(
    desired: Desired, links: Mapping[str, HostLink], settings: Settings
) -> Mapping[str, SentinelFact]:
    """Read the sentinels only, for a quick answer; never raises.

    Once a majority of the voters has answered, the others get a quarter of a second: one that hangs must not hold up
    the news.
    """
    hosts = {host.name: links[host.name] for host in desired.every_sentinel if host.name in links}
    tasks = {
        name: asyncio.create_task(sentinel.read(desired, link, settings), name=f"sentinel of {name}")
        for name, link in hosts.items()
    }
    voters = {tasks[host.name] for host in desired.sentinel_hosts if host.name in tasks}
    await _enough(set(tasks.values()), voters, desired.majority)
    return {host.name: _sentinel_of(host, tasks.get(host.name)) for host in desired.every_sentinel}


async def _enough(tasks: set[asyncio.Task[T]], voters: set[asyncio.Task[T]], majority: int) -> None:
    """Wait for all tasks, but once a majority of the voters answered only for the grace; end those not done."""
    pending = tasks
    try:
        while pending:
            answered = [task for task in voters - pending if not isinstance(task.result(), Unknown | Closed)]
            patience = _GRACE if len(answered) >= majority else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return
    finally:
        for task in pending:
            task.cancel()


def _sentinel_of(
    host: DesiredHost, task: asyncio.Task[SentinelFacts | Denied | Closed | Unknown] | None
) -> SentinelFact:
    if task is None:
        return _no_link(host)
    if not task.done() or task.cancelled():
        return Unknown(f"the sentinel on {host.name} had not answered when a majority had", NO_ANSWER)
    return known(task.result())


async def read_redis(desired: Desired, link: HostLink, settings: Settings) -> RedisFact:
    """Read one redis; never raises. A closed port alone proves nothing: it is Unknown here."""
    return known(await redis.read(desired, link, settings))


async def read_claim(link: HostLink) -> Fact[Claim | None]:
    """Read the claim of a host anew; never raises."""
    question = probe.Asked((), (), (), (), link.host.address, ())
    return (await _answered(link, _only(link, question, ("claim",)), link.settings)).claim


async def _host(
    desired: Desired, host: DesiredHost, link: HostLink | None, settings: Settings, time_is_up: asyncio.Event
) -> HostFacts:
    """Read one host; once its time is up a server that has not answered is Unknown, if the host itself has."""
    if link is None:
        return _unread(desired, host, _no_link(host))
    question = probe.asked(desired, host)
    probing = asyncio.create_task(_answered(link, _probe(link, question, settings), settings))
    over = asyncio.create_task(_over(probing, time_is_up))
    try:
        of_redis, of_sentinel = await asyncio.gather(
            _until(over, _within(settings, host, redis.read(desired, link, settings)), _silent("redis", host)),
            _until(over, _within(settings, host, sentinel.read(desired, link, settings)), _silent("sentinel", host)),
        )
        probed = await probing
    finally:
        over.cancel()
        probing.cancel()
    if isinstance(of_redis, Denied):
        link.offer(passwords(probed.files))
        link.drop(desired.redis_port)
        of_redis = await _within(settings, host, redis.read(desired, link, settings))
    for _ in range(further.ROUNDS):  # of most hosts nothing more is asked
        more = further.further(question, probed, of_redis, of_sentinel)
        if more is None:
            break
        asking = _only(link, more, further.SECTIONS)
        probed = further.together(probed, await _answered(link, asking, settings))
    if isinstance(of_redis, RedisFacts):
        former = _former_keys(desired, of_redis, probed)
        if former:
            of_redis = await _within(settings, host, redis.read_more(of_redis, former, desired, link, settings))
    return host_facts(desired, host, probed, of_redis, of_sentinel)


def _former_keys(desired: Desired, facts: RedisFacts, probed: ProbeFacts) -> list[str]:
    """Return the directives that we set and that left the spec: they are to go back."""
    claim = probed.claim.value if isinstance(probed.claim, Known) else None
    return [name for name in (claim.keys if claim else ()) if name not in {*facts.config, *redis.keys(desired)}]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a host answered to a question: of what it still holds the next answer says only that."""

    question: probe.Asked
    memory: Memory


async def _probe(link: HostLink, question: probe.Asked, settings: Settings) -> ProbeFacts:
    """Ask for everything; what was told over this connection need not be told again."""
    await link.connect()
    connection, kept = link.session.connection, link.kept
    before = kept.memory if isinstance(kept, Kept) and kept.question == question else Memory()
    recall = Recall(before)
    result = await link.run(probe.script(question, memory=before), timeout=settings.probe_timeout)
    if link.session.connection is not connection:  # it was made anew meanwhile, maybe to a host that has booted
        return await _probe(link, question, settings)
    facts = probe.parse(result.stdout, question, recall)
    link.keep(Kept(question, recall.memory()))
    return facts


async def _only(link: HostLink, question: probe.Asked, sections: tuple[str, ...]) -> ProbeFacts:
    """Ask for some parts anew, whatever was told before."""
    result = await link.run(probe.script(question, sections), timeout=link.settings.probe_timeout)
    return probe.parse(result.stdout, question)


async def _answered(link: HostLink, asking: Coroutine[Any, Any, ProbeFacts], settings: Settings) -> ProbeFacts:
    try:
        async with asyncio.timeout(settings.probe_timeout):
            return await asking
    except TimeoutError:
        return probe.unreadable(_too_slow(link.host, settings))
    except ConnectError as error:
        return probe.unreadable(Unknown(str(error), error.reason))
    except OperatorError as error:
        return probe.unreadable(Unknown(str(error), probe.REASON))


async def _within(settings: Settings, host: DesiredHost, reading: Coroutine[Any, Any, T]) -> T | Unknown:
    """Bound a reading that includes connecting."""
    try:
        async with asyncio.timeout(settings.probe_timeout):
            return await reading
    except TimeoutError:
        return _too_slow(host, settings)


async def _over(probing: asyncio.Task[ProbeFacts], time_is_up: asyncio.Event) -> None:
    await asyncio.wait({probing})
    await time_is_up.wait()


async def _until(over: asyncio.Task[None], reading: Coroutine[Any, Any, T], silent: Unknown) -> T | Unknown:
    """Return what is read, or `silent` when it is over before."""
    task = asyncio.create_task(reading)
    try:
        await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else silent
    finally:
        task.cancel()


def _silent(server: str, host: DesiredHost) -> Unknown:
    return Unknown(f"the {server} on {host.name} has not answered, while its host has", NO_ANSWER)


def _too_slow(host: DesiredHost, settings: Settings) -> Unknown:
    return Unknown(f"{host.name} was not read within {settings.probe_timeout:g} s", "CommandTimedOut")


def _no_link(host: DesiredHost) -> Unknown:
    return Unknown(f"there is no connection to {host.name} yet")
