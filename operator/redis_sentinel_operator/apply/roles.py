"""A running redis becomes a replica of the confirmed master, or the master again, as sentinel itself would do it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import redis.exceptions

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.resp import still_ours
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.connect.held import Held, hold
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.judge import restoring
from redis_sentinel_operator.judge.superseded import changed_since
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Denied, Fact, Known, RedisFacts
from redis_sentinel_operator.model.step import MakeReplica, RestoreMaster
from redis_sentinel_operator.observe.gather import read_redis, read_sentinels
from redis_sentinel_operator.observe.redis import parse


async def make_replica(
    action: MakeReplica, link: HostLink, links: Mapping[str, HostLink], desired: Desired, guard: Guard
) -> Outcome:
    """Ask everything again, then SLAVEOF, proved by ROLE.

    The connection is opened first and kept: a sentinel that gives this redis another role after it was looked at ends
    the connection, so that there is no moment in which a newer switch could be undone.
    """
    client = await link.resp(desired.redis_port, desired.password)
    async with hold(client) as held:
        try:
            own = parse(await held.ask(("INFO",), ("ROLE",)), ())
            refusal = await still_ours(link, guard, link.settings)
            if refusal is not None or own is None:
                return refusal or failed("it does not answer as a redis does")
            reason = await _changed(action, link, own, links, desired)
            return failed(f"nothing was done: {reason}") if reason else await _transact(action, held)
        except redis.exceptions.RedisError as error:
            return failed(f"redis on {link.host.name} answered: {scrub(str(error), desired.password)}")
        finally:
            link.drop(desired.redis_port)  # its clients were sent away, the operator's own among them


async def restore_master(
    action: RestoreMaster, link: HostLink, links: Mapping[str, HostLink], desired: Desired, guard: Guard
) -> Outcome:
    """Ask everything again, then SLAVEOF NO ONE, proved by ROLE; on a connection that ends with a sentinel's switch."""
    client = await link.resp(desired.redis_port, desired.password)
    async with hold(client) as held:
        own = parse(await held.ask(("INFO",), ("ROLE",)), ())
        refusal = await still_ours(link, guard, link.settings)
        if refusal is not None or own is None:
            return refusal or failed("it does not answer as a redis does")
        others = [host.name for host in desired.every_redis if host.name != link.host.name]
        found = await asyncio.gather(*(read_redis(desired, links[name], link.settings) for name in others))
        sentinels = await read_sentinels(desired, links, link.settings)
        redis: dict[str, Fact[RedisFacts | Denied | None]] = dict(zip(others, found, strict=True))
        redis[link.host.name] = Known(own)
        reason = restoring.changed_since(action, link.host.name, desired, sentinels, redis)
        if reason:
            return failed(f"nothing was done: {reason}")
        *said, role = await held.ask(("MULTI",), ("SLAVEOF", "NO", "ONE"), ("CONFIG", "REWRITE"), ("EXEC",), ("ROLE",))
        if not isinstance(role, list) or str(role[0]) != "master":
            return failed(f"it was told to, but ROLE shows something else ({scrub(str(said[-1]))})")
        return _with_its_file(said[-1], "it is master again", "it is the master again that all sentinels name")


async def _changed(
    action: MakeReplica, link: HostLink, own: RedisFacts, links: Mapping[str, HostLink], desired: Desired
) -> str | None:
    """Read who is master again, last of all; return why the step may not be done any more."""
    host, master = link.host.name, desired.host_at(action.address)
    if master is None:
        return "its master is not declared any more"
    sentinels = await read_sentinels(desired, links, link.settings)
    role = await read_redis(desired, links[master.name], link.settings)
    return changed_since(action, host, desired, sentinels, {host: Known(own), master.name: role})


async def _transact(action: MakeReplica, held: Held) -> Outcome:
    answers = await held.ask(
        ("MULTI",),
        ("SLAVEOF", action.address, str(action.port)),
        ("CONFIG", "REWRITE"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("EXEC",),
        ("ROLE",),
    )
    said, role = answers[-2], answers[-1]
    if not _is_replica(role, action):
        return failed(f"it was told to, but ROLE shows something else ({scrub(str(said))})")
    return _with_its_file(said, "it is a replica now", f"it is a replica of {action.address}:{action.port}")


def _with_its_file(said: Any, now: str, whole: str) -> Outcome:
    refused = [str(each) for each in said if isinstance(each, Exception)] if isinstance(said, list) else []
    if refused:
        return failed(f"{now}, but could not write that into its file: {scrub('; '.join(refused))}")
    return done(whole)


def _is_replica(role: Any, action: MakeReplica) -> bool:
    words = [str(word) for word in role[:3]] if isinstance(role, list) else []
    return words == ["slave", action.address, str(action.port)]
