"""Settings of running servers, over RESP, each read back. The claim is asked again right before."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping

import redis.asyncio
import redis.exceptions

from redis_sentinel_operator.apply.files import remember
from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import Guard, change
from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.values import plain, same
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, ProveRewrite, RememberNotes, SentinelSet
from redis_sentinel_operator.settings import Settings

_POLL = 0.05  # seconds between two looks at a rewrite
_NOT_LET_IN = frozenset({"s_down", "disconnected"})
_SURE = 1.0  # seconds for which the answer that the host is ours is good


async def config_set(action: ConfigSet, link: HostLink, desired: Desired, guard: Guard, settings: Settings) -> Outcome:
    """CONFIG SET, one directive after the other, each proved by CONFIG GET; CONFIG REWRITE is never asked for."""
    client = await link.resp(action.port, desired.password)
    asked = -math.inf
    try:
        for name, value in action.values.items():
            if time.monotonic() - asked > _SURE:  # also when this process stood still meanwhile
                refusal = await still_ours(link, guard, settings)
                if refusal:
                    return refusal
                asked = time.monotonic()
            text = value.reveal() if isinstance(value, Secret) else value
            await ask(client, "CONFIG", "SET", name, plain(name, text))
            if canonical(name) == "requirepass":
                link.drop(action.port)  # the next one authenticates with it
                client = await link.resp(action.port, desired.password)
            if not await has(client, name, text):
                return failed(f"{name} was set, but CONFIG GET shows another value")
            if canonical(name) == "appendonly" and text.lower() == "yes":
                await _rewritten(client, settings.step_timeout / 2)
    except redis.exceptions.RedisError as error:
        link.drop(action.port)
        return failed(f"redis on {link.host.name} answered: {scrub(str(error), desired.password)}")
    return done(f"{', '.join(action.values)} set on the running redis")


async def prove_rewrite(
    action: ProveRewrite, link: HostLink, desired: Desired, guard: Guard, settings: Settings
) -> Outcome:
    """CONFIG REWRITE, and write down that it went well."""
    client = await link.resp(action.port, desired.password)
    refusal = await still_ours(link, guard, settings)
    if refusal:
        return refusal
    try:
        await ask(client, "CONFIG", "REWRITE")
    except redis.exceptions.ResponseError as error:
        said = scrub(str(error), desired.password)
        return failed(f"redis on {link.host.name} cannot rewrite {action.path}: {said}", "RewriteRefused")
    return await remember(RememberNotes(action.notes), link, guard, settings)


async def sentinel_set(
    action: SentinelSet, link: HostLink, desired: Desired, guard: Guard, settings: Settings
) -> Outcome:
    """SENTINEL SET, proved by SENTINEL MASTER: settings by their values, auth-pass by a link that is up."""
    client = await link.resp(action.port, None)
    refusal = await still_ours(link, guard, settings)
    if refusal:
        return refusal
    values = {name: value.reveal() if isinstance(value, Secret) else value for name, value in action.values.items()}
    words = [word for pair in values.items() for word in pair]
    try:
        await ask(client, "SENTINEL", "SET", action.master_name, *words)
        have = pairs(await ask(client, "SENTINEL", "MASTER", action.master_name))
        if "auth-pass" in values:
            have = await _let_in(client, action.master_name, settings.step_timeout / 3)
    except redis.exceptions.RedisError as error:
        link.drop(action.port)
        return failed(f"the sentinel of {link.host.name} answered: {scrub(str(error), desired.password)}")
    wrong = [name for name, value in values.items() if name != "auth-pass" and have.get(name) != value]
    if wrong:
        return failed(f"{', '.join(wrong)} was set, but SENTINEL MASTER shows another value")
    down = _flags(have) & _NOT_LET_IN
    if "auth-pass" in values and down:
        return failed(f"auth-pass was set, but SENTINEL MASTER still shows the master as {', '.join(sorted(down))}")
    return done(f"{', '.join(values)} set on the sentinel")


async def _let_in(client: redis.asyncio.Redis, master: str, seconds: float) -> dict[str, str]:
    """Wait until a sentinel is in touch with its master; return what it says in the end.

    From 7.0 on it connects anew, before that it goes on with what it has: a link that was refused is tried again after
    down-after (3.2, measured), or never (5.0 to 6.2: there the plan restarts the sentinel instead).
    """
    deadline = time.monotonic() + seconds
    while True:
        have = pairs(await ask(client, "SENTINEL", "MASTER", master))
        if not _flags(have) & _NOT_LET_IN or time.monotonic() > deadline:
            return have
        await asyncio.sleep(_POLL)


def _flags(have: Mapping[str, str]) -> frozenset[str]:
    return frozenset(have.get("flags", "").split(","))


async def _rewritten(client: redis.asyncio.Redis, seconds: float) -> None:
    """Wait for the first rewrite of the append-only file; the next pass looks whether it has ended, and how."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        said = str(await ask(client, "INFO", "persistence"))
        if "'aof_rewrite_in_progress': 0" in said and "'aof_rewrite_scheduled': 0" in said:
            return
        await asyncio.sleep(_POLL)


async def ask(client: redis.asyncio.Redis, *words: str) -> object:
    """Return the answer to a command, as redis-py reads it."""
    answer: object = await client.execute_command(*words)  # type: ignore[no-untyped-call]
    return answer


async def still_ours(link: HostLink, guard: Guard, settings: Settings) -> Outcome | None:
    """Return why the host may not be changed, None when it may. Raises NotOurHost, ConnectError."""
    result = await change(link, guard, "verify", seconds=settings.step_timeout)
    return None if result.exit_status == 0 else failed(scrub(result.stderr) or "the claim could not be read")


async def has(client: redis.asyncio.Redis, name: str, want: str) -> bool:
    """Whether CONFIG GET shows a directive with this value."""
    have = pairs(await ask(client, "CONFIG", "GET", name))
    return any(canonical(key) == canonical(name) and same(name, want, value) for key, value in have.items())


def pairs(answer: object) -> dict[str, str]:
    """Return a reply of pairs as redis-py gives it: a mapping, or a flat list where it has no callback for it."""
    if isinstance(answer, dict):
        return {str(key): str(value) for key, value in answer.items()}
    flat = [str(word) for word in answer] if isinstance(answer, list) else []
    return dict(zip(flat[::2], flat[1::2], strict=False))
