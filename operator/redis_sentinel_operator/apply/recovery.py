"""A master by a person's word: started again, or promoted. Everything is read anew right before."""

from __future__ import annotations

from redis_sentinel_operator.apply import units
from redis_sentinel_operator.apply.outcome import NOT_DONE, Outcome, done, failed, scrub
from redis_sentinel_operator.apply.resp import still_ours
from redis_sentinel_operator.apply.rotation import Links
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.connect.held import hold
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.judge.master import Redises, Sentinels, redis_of
from redis_sentinel_operator.judge.recovering import Reign, why_not_promote, why_not_start
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.operation import Promote, StartStopped
from redis_sentinel_operator.model.step import StartUnit
from redis_sentinel_operator.observe.gather import gather


async def recover(
    action: StartStopped | Promote, link: HostLink, links: Links, desired: Desired, guard: Guard
) -> Outcome:
    """Start the last master, or promote a replica. Raises NotOurHost, ConnectError, RedisError."""
    if isinstance(action, StartStopped):
        return await _start(action, link, links, desired, guard)
    return await _promote(action, link, links, desired, guard)


async def _start(action: StartStopped, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    found = await everything(link, links, desired)
    reason = why_not_start(link.host.name, Reign(action.address, action.config_epoch), desired, *found)
    if reason is not None:
        return failed(f"it was not started: {reason}", NOT_DONE)
    start = StartUnit(action.unit, desired.redis_port, sentinel=False, log=action.log)
    return await units.start(start, link, desired, guard, link.settings)


async def _promote(action: Promote, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    """SLAVEOF NO ONE, proved by ROLE, on a connection that ends where a sentinel gives this redis another role."""
    client = await link.resp(desired.redis_port, desired.password)
    async with hold(client) as held:
        sentinels, redis = await everything(link, links, desired)
        reason = why_not_promote(link.host.name, Reign(action.old, action.config_epoch), desired, sentinels, redis)
        own = redis_of(redis, link.host.name)
        if reason is None and (own is None or own.run_id != action.run_id):
            reason = "it was restarted meanwhile"
        refusal = await still_ours(link, guard, link.settings) if reason is None else None
        if reason is not None or refusal is not None:
            return failed(f"it was not promoted: {reason or (refusal and refusal.message)}", NOT_DONE)
        *said, role = await held.ask(("MULTI",), ("SLAVEOF", "NO", "ONE"), ("CONFIG", "REWRITE"), ("EXEC",), ("ROLE",))
        if not isinstance(role, list) or str(role[0]) != "master":
            return failed(f"it was told to, but ROLE shows something else ({scrub(str(said[-1]))})")
        answers = said[-1] if isinstance(said[-1], list) else []
        refused = [str(each) for each in answers if isinstance(each, Exception)]
        if refused:  # the role counts: its file is the ordinary pass' affair
            return done(f"it is a master now, but could not write that into its file: {scrub('; '.join(refused))}")
        return done("it is a master now")


async def everything(link: HostLink, links: Links, desired: Desired) -> tuple[Sentinels, Redises]:
    """Read every host again, also whether a redis that does not answer is proved to be stopped."""
    hosts = (await gather(desired, links, link.settings)).hosts
    return {name: each.sentinel for name, each in hosts.items()}, {name: each.redis for name, each in hosts.items()}
