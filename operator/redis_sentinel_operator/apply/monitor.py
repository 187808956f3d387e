"""A sentinel that stays with a wrong master is told anew who it is: all in one breath, and proved."""

from __future__ import annotations

import asyncio
import time

from redis_sentinel_operator.apply.outcome import NOT_DONE, Outcome, done, failed, scrub
from redis_sentinel_operator.apply.recovery import everything
from redis_sentinel_operator.apply.resp import still_ours
from redis_sentinel_operator.apply.rotation import Links
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.connect.held import Command, hold
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.judge.stale import agreed, why_not_monitor
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.operation import MonitorAnew
from redis_sentinel_operator.observe.gather import read_sentinels

_POLL = 0.1  # seconds between two looks
_FOLLOWS = 15.0  # seconds in which it has heard the others, who say hello every two, and is in touch with the master


async def monitor_anew(action: MonitorAnew, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    """REMOVE, MONITOR and SET in one write, so that it connects with the password from the first time on.

    Up to 6.2 a sentinel that was refused once would not connect again. Raises NotOurHost, ConnectError, RedisError.
    """
    client = await link.resp(desired.sentinel_port, None)
    async with hold(client) as held:
        refusal = await still_ours(link, guard, link.settings)
        if refusal is not None:
            return failed(refusal.message, NOT_DONE)
        sentinels, redis = await everything(link, links, desired)
        reason = why_not_monitor(desired, link.host.name, sentinels, redis)
        right = agreed(desired, sentinels)
        if reason is None and (right is None or (right.address, right.config_epoch) != _of(action)):
            reason = "the majority names another master by now"
        if reason is not None:
            return failed(f"nothing was done: {reason}", NOT_DONE)
        knows = link.host.name in views(desired, sentinels)
        answers = await held.ask(*_commands(action, desired, knows=knows))
        wrong = [scrub(str(each), desired.password) for each in answers if isinstance(each, Exception)]
        if wrong:
            return failed(f"the sentinel of {link.host.name} answered: {'; '.join(wrong)}")
    return await _proved(action, link, links, desired)


def _of(action: MonitorAnew) -> tuple[str, int]:
    return action.address, action.config_epoch


def _commands(action: MonitorAnew, desired: Desired, *, knows: bool) -> tuple[Command, ...]:
    name, settings = desired.master_name, desired.sentinel
    values = {
        "down-after-milliseconds": settings.down_after,
        "failover-timeout": settings.failover_timeout,
        "parallel-syncs": settings.parallel_syncs,
    }
    words = [word for pair in values.items() for word in map(str, pair)]
    if desired.password is not None:
        words += ["auth-pass", desired.password.reveal()]
    remove: tuple[Command, ...] = (("SENTINEL", "REMOVE", name),) if knows else ()
    return (
        *remove,
        ("SENTINEL", "MONITOR", name, action.address, str(desired.redis_port), str(settings.quorum)),
        ("SENTINEL", "SET", name, *words),
    )


async def _proved(action: MonitorAnew, link: HostLink, links: Links, desired: Desired) -> Outcome:
    """Wait until it names the master at the epoch of the others, and is in touch with it."""
    deadline = time.monotonic() + _FOLLOWS
    while True:
        view = views(desired, await read_sentinels(desired, links, link.settings)).get(link.host.name)
        if view is not None and (view.address, view.config_epoch) == _of(action):
            down = view.flags & {"s_down", "disconnected"}
            if not down:
                return done(f"it names {action.address} at config epoch {action.config_epoch}")
        if time.monotonic() > deadline:
            at = f"{view.address} at config epoch {view.config_epoch}" if view else "no master"
            return failed(f"it was told to, but names {at} after {_FOLLOWS:.0f} s")
        await asyncio.sleep(_POLL)
