"""SENTINEL RESET on one sentinel: asked again of all of them right before, and never of two at a time."""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.apply.outcome import Outcome, done, failed
from redis_sentinel_operator.apply.resp import ask, still_ours
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.judge.leaving import why_not_reset
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import SentinelReset
from redis_sentinel_operator.observe.gather import read_sentinels


async def reset(
    action: SentinelReset, link: HostLink, links: Mapping[str, HostLink], desired: Desired, guard: Guard
) -> Outcome:
    """Let a sentinel forget what it knows of the master's replicas and of the others: it finds what is there again.

    Raises NotOurHost, ConnectError, PortClosed, RedisError.
    """
    client = await link.resp(action.port, None)
    refusal = await still_ours(link, guard, link.settings)
    if refusal is not None:
        return refusal
    sentinels = await read_sentinels(desired, links, link.settings)
    reason = why_not_reset(desired, link.host.name, sentinels, action.ghosts)
    if reason is not None:
        return failed(f"nothing was done: {reason}")
    told = await ask(client, "SENTINEL", "RESET", action.master_name)
    return done("it forgot them") if str(told) == "1" else failed(f"the sentinel of {link.host.name} answered {told}")
