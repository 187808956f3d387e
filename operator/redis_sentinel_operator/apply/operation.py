"""What procedures do on hosts: their record, the fence of a master, the one question to a sentinel, the old master."""

from __future__ import annotations

import asyncio
import time

import redis.asyncio
import redis.exceptions

from redis_sentinel_operator.apply import units
from redis_sentinel_operator.apply.outcome import NOT_DONE, Outcome, done, failed, scrub
from redis_sentinel_operator.apply.recovery import everything, recover
from redis_sentinel_operator.apply.resp import ask, still_ours
from redis_sentinel_operator.apply.rotation import Links, rotate
from redis_sentinel_operator.apply.scripts import Guard, change
from redis_sentinel_operator.conf.directives import join
from redis_sentinel_operator.connect.held import hold
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.judge.switching import (
    behind,
    why_not_ask,
    why_not_demote,
    why_not_start_again,
    why_not_stop,
)
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.operation import (
    AdmitPassword,
    AskFailover,
    Demote,
    Fence,
    ForgetOperation,
    GivePassword,
    OperationAction,
    Promote,
    RememberOperation,
    StartAgain,
    StartStopped,
    StopMaster,
    to_text,
)
from redis_sentinel_operator.model.step import StartUnit, StopUnit
from redis_sentinel_operator.observe.gather import RedisFact, read_redis, read_sentinels

_POLL = 0.02  # seconds between two looks at a replica's offset
_CATCH_UP = 5.0  # seconds in which a replica has all that a fenced master wrote, or will not have it soon


async def operate(action: OperationAction, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    """Do what only procedures do. Raises NotOurHost, ConnectError, PortClosed, RedisError."""
    match action:
        case RememberOperation(operation):
            return await _write_down(to_text(operation), link, guard)
        case ForgetOperation():
            return await _forget(action, link, desired, guard)
        case Fence():
            return await _fence(action, link, links, desired, guard)
        case AskFailover():
            return await _ask_failover(action, link, links, desired, guard)
        case Demote():
            return await _demote(action, link, links, desired, guard)
        case AdmitPassword() | GivePassword():
            return await rotate(action, link, links, desired, guard)
        case StopMaster():
            return await _stop_master(action, link, links, desired, guard)
        case StartAgain():
            return await _start_again(action, link, links, desired, guard)
        case StartStopped() | Promote():
            return await recover(action, link, links, desired, guard)


async def _write_down(text: str, link: HostLink, guard: Guard) -> Outcome:
    seconds = link.settings.step_timeout
    result = await change(link, guard, "keys", "operation", stdin=text.encode(), seconds=seconds)
    return done("written down") if result.exit_status == 0 else failed(scrub(result.stderr) or "it was not written")


async def _forget(action: ForgetOperation, link: HostLink, desired: Desired, guard: Guard) -> Outcome:
    if action.unpause is not None:
        await ask(await link.resp(action.unpause, desired.password), "CLIENT", "UNPAUSE")
    result = await change(link, guard, "forget", seconds=link.settings.step_timeout)
    return done("struck") if result.exit_status == 0 else failed(scrub(result.stderr) or "it was not struck")


async def _fence(action: Fence, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    """What opens the fence is armed first; then it is closed, and the replica gets what was written until then."""
    client = await link.resp(action.port, desired.password)
    refusal = await (_arm(action, link, desired, guard) if action.values else still_ours(link, guard, link.settings))
    if refusal is not None:
        return refusal
    await _close(action, client)
    deadline = time.monotonic() + _CATCH_UP
    while True:
        reason = behind(action.replica, link.host.name, await _offsets(action, link, links, desired))
        if reason is None:
            return done(f"{link.host.name} takes no writes, and {action.replica} has all that it took")
        if time.monotonic() > deadline:
            return failed(f"{reason}, {_CATCH_UP:.0f} s after writes were stopped")
        await asyncio.sleep(_POLL)


async def _close(action: Fence, client: redis.asyncio.Redis) -> None:
    for name, value in action.values.items():
        await ask(client, "CONFIG", "SET", name, value)
    if not action.values:
        await ask(client, "CLIENT", "PAUSE", str(round(action.seconds * 1000)), "WRITE")


async def _arm(action: Fence, link: HostLink, desired: Desired, guard: Guard) -> Outcome | None:
    """Let the host itself set the directives back after a while; return why it does not."""
    password = desired.password.reveal() if desired.password is not None else ""
    lines = [join(("AUTH", password))] if password else []
    lines += [join(("CONFIG", "SET", name, value)) for name, value in action.back.items()]
    where = (f"{action.seconds:.0f}", link.host.address, str(action.port))
    stdin = "".join(f"{line}\n" for line in lines).encode()
    result = await change(link, guard, "fence", *where, stdin=stdin, seconds=link.settings.step_timeout)
    return None if result.exit_status == 0 else failed(scrub(result.stderr, desired.password))


async def _offsets(action: Fence, link: HostLink, links: Links, desired: Desired) -> dict[str, RedisFact]:
    """Read the master, then the replica: an offset that is as high as the earlier one has all up to then."""
    found = {link.host.name: await read_redis(desired, link, link.settings)}
    return found | {action.replica: await read_redis(desired, links[action.replica], link.settings)}


async def _ask_failover(action: AskFailover, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    client = await link.resp(desired.sentinel_port, None)
    refusal = await still_ours(link, guard, link.settings)
    if refusal is not None:
        return failed(refusal.message, NOT_DONE)
    master = links[action.master]
    if not action.fence.values:
        await _close(action.fence, await master.resp(action.fence.port, desired.password))
    sentinels, offsets = await asyncio.gather(
        read_sentinels(desired, links, link.settings), _offsets(action.fence, master, links, desired)
    )
    reason = why_not_ask(action, desired, sentinels, offsets)
    if reason is not None:
        return failed(f"no sentinel was asked: {reason}", NOT_DONE)
    try:
        await ask(client, "SENTINEL", "FAILOVER", desired.master_name)
    except redis.exceptions.ResponseError as error:
        return failed(f"the sentinel of {link.host.name} refused: {scrub(str(error))}", NOT_DONE)
    return done(f"the sentinel of {link.host.name} was asked")


async def _demote(action: Demote, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    """Everything is read again on a connection that a sentinel's own SLAVEOF would end."""
    client = await link.resp(desired.redis_port, desired.password)
    async with hold(client) as held:
        refusal = await still_ours(link, guard, link.settings)
        if refusal is not None:
            return refusal
        successor = desired.host_at(action.address)
        sentinels = await read_sentinels(desired, links, link.settings)
        names = {link.host.name, successor.name if successor else link.host.name}
        redises = {name: await read_redis(desired, links[name], link.settings) for name in sorted(names)}
        reason = why_not_demote(action, link.host.name, desired, sentinels, redises)
        if reason is not None:
            return failed(f"nothing was done: {reason}")
        back = [("CONFIG", "SET", name, value) for name, value in action.back.items()]
        pause = [("CLIENT", "UNPAUSE")] if action.pause else []
        answers = await held.ask(
            ("MULTI",),
            ("SLAVEOF", action.address, str(action.port)),
            *back,
            ("CONFIG", "REWRITE"),
            ("CLIENT", "KILL", "TYPE", "normal"),
            ("EXEC",),
            *pause,
        )
        link.drop(desired.redis_port)  # its clients were sent away, the operator's own among them
    said = answers[-1 - len(pause)]
    wrong = [str(each) for each in said if isinstance(each, Exception)] if isinstance(said, list) else [str(said)]
    if wrong:
        return failed(f"it did not all succeed: {scrub('; '.join(wrong), desired.password)}")
    return done(f"it is a replica of {action.address}:{action.port}")


async def _stop_master(action: StopMaster, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    reason = why_not_stop(link.host.name, action.config_epoch, desired, *await everything(link, links, desired))
    if reason is not None:
        return failed(f"it was not stopped: {reason}", NOT_DONE)
    return await units.stop(StopUnit(action.unit), link, guard, link.settings)


async def _start_again(action: StartAgain, link: HostLink, links: Links, desired: Desired, guard: Guard) -> Outcome:
    reason = why_not_start_again(link.host.name, action.config_epoch, desired, *await everything(link, links, desired))
    if reason is not None:
        return failed(f"it was not started: {reason}", NOT_DONE)
    start = StartUnit(action.unit, desired.redis_port, sentinel=False, log=action.log)
    return await units.start(start, link, desired, guard, link.settings)
