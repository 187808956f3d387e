"""Reading all hosts at once into facts; a host that is slow or gone costs its own deadline and nobody else's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping
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
from redis_sentinel_operator.observe import probe, redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts, known
from redis_sentinel_operator.observe.exchange import NO_ANSWER, Closed
from redis_sentinel_operator.observe.probe import ProbeFacts
from redis_sentinel_operator.settings import Settings

SentinelFact: TypeAlias = Fact[SentinelFacts | Denied | None]
RedisFact: TypeAlias = Fact[RedisFacts | Denied | None]
_GRACE = 0.25  # what the others get once a majority of the sentinels has answered
T = TypeVar("T")


async def gather(desired: Desired, links: Mapping[str, HostLink], settings: Settings) -> ClusterFacts:
    """Read every declared host: probe, redis and sentinel side by side; never raises.

    Args:
        desired: the declared cluster.
        links: by host name; a host without one is Unknown.
        settings: `probe_timeout` bounds a host as a whole, `resp_timeout` each server.
    """
    at = time.monotonic()
    found = await asyncio.gather(*(_host(desired, host, links.get(host.name), settings) for host in desired.hosts))
    return ClusterFacts({facts.name: facts for facts in found}, at)


async def read_sentinels(
    desired: Desired, links: Mapping[str, HostLink], settings: Settings
) -> Mapping[str, SentinelFact]:
    """Read the declared sentinels only, for a quick answer; never raises.

    Once a majority has answered, the others get a quarter of a second: one that hangs must not hold up the news.
    """
    hosts = {host.name: links[host.name] for host in desired.sentinel_hosts if host.name in links}
    tasks = {
        name: asyncio.create_task(sentinel.read(desired, link, settings), name=f"sentinel of {name}")
        for name, link in hosts.items()
    }
    await _enough(set(tasks.values()), desired.majority)
    return {host.name: _sentinel_of(host, tasks.get(host.name)) for host in desired.sentinel_hosts}


async def _enough(tasks: set[asyncio.Task[T]], majority: int) -> None:
    """Wait for all tasks, but once a majority was answered only for the grace; end those that are not done."""
    pending = tasks
    try:
        while pending:
            answered = [task for task in tasks - pending if not isinstance(task.result(), Unknown | Closed)]
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
    return (await _probe(link, question, link.settings, ("claim",))).claim


async def _host(desired: Desired, host: DesiredHost, link: HostLink | None, settings: Settings) -> HostFacts:
    if link is None:
        nothing = _no_link(host)
        return host_facts(desired, host, probe.unreadable(nothing), nothing, nothing)
    probed, of_redis, of_sentinel = await asyncio.gather(
        _probe(link, probe.asked(desired, host), settings),
        _within(settings, host, redis.read(desired, link, settings)),
        _within(settings, host, sentinel.read(desired, link, settings)),
    )
    if isinstance(of_redis, RedisFacts):
        former = _former_keys(desired, of_redis, probed)
        if former:
            of_redis = await _within(settings, host, redis.read_more(of_redis, former, desired, link, settings))
    return host_facts(desired, host, probed, of_redis, of_sentinel)


def _former_keys(desired: Desired, facts: RedisFacts, probed: ProbeFacts) -> list[str]:
    """Return the directives that we set and that left the spec: they are to go back."""
    claim = probed.claim.value if isinstance(probed.claim, Known) else None
    return [name for name in (claim.keys if claim else ()) if name not in {*facts.config, *redis.keys(desired)}]


async def _probe(
    link: HostLink, question: probe.Asked, settings: Settings, wanted: tuple[str, ...] = probe.SECTIONS
) -> ProbeFacts:
    try:
        async with asyncio.timeout(settings.probe_timeout):
            script = probe.script(question, wanted)
            result = await link.run(script, timeout=settings.probe_timeout)
    except TimeoutError:
        return probe.unreadable(_too_slow(link.host, settings))
    except ConnectError as error:
        return probe.unreadable(Unknown(str(error), error.reason))
    except OperatorError as error:
        return probe.unreadable(Unknown(str(error), probe.REASON))
    return probe.parse(result.stdout, question)


async def _within(settings: Settings, host: DesiredHost, reading: Coroutine[Any, Any, T]) -> T | Unknown:
    """Bound a reading that includes connecting."""
    try:
        async with asyncio.timeout(settings.probe_timeout):
            return await reading
    except TimeoutError:
        return _too_slow(host, settings)


def _too_slow(host: DesiredHost, settings: Settings) -> Unknown:
    return Unknown(f"{host.name} was not read within {settings.probe_timeout:g} s", "CommandTimedOut")


def _no_link(host: DesiredHost) -> Unknown:
    return Unknown(f"there is no connection to {host.name} yet")
