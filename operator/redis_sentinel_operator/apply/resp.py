"""Settings of running servers, over RESP, each read back. The claim is asked again right before."""

from __future__ import annotations

import asyncio
import math
import time

import redis.asyncio
import redis.exceptions

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import Guard, change
from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.values import plain, same
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, SentinelSet
from redis_sentinel_operator.settings import Settings

_POLL = 0.05  # seconds between two looks at a rewrite
_SURE = 1.0  # seconds for which the answer that the host is ours is good


async def config_set(action: ConfigSet, link: HostLink, desired: Desired, guard: Guard, settings: Settings) -> Outcome:
    """CONFIG SET, one directive after the other, each proved by CONFIG GET; CONFIG REWRITE is never asked for."""
    client = await link.resp(action.port, desired.password)
    asked = -math.inf
    try:
        for name, value in action.values.items():
            if time.monotonic() - asked > _SURE:  # also when this process stood still meanwhile
                refusal = await _still_ours(link, guard, settings)
                if refusal:
                    return refusal
                asked = time.monotonic()
            text = value.reveal() if isinstance(value, Secret) else value
            await ask(client, "CONFIG", "SET", name, plain(name, text))
            if canonical(name) == "requirepass":
                link.drop(action.port)  # the next one authenticates with it
                client = await link.resp(action.port, desired.password)
            if not await _has(client, name, text):
                return failed(f"{name} was set, but CONFIG GET shows another value")
            if canonical(name) == "appendonly" and text.lower() == "yes":
                await _rewritten(client, settings.step_timeout / 2)
    except redis.exceptions.RedisError as error:
        link.drop(action.port)
        return failed(f"redis on {link.host.name} answered: {scrub(str(error), desired.password)}")
    return done(f"{', '.join(action.values)} set on the running redis")


async def sentinel_set(action: SentinelSet, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """SENTINEL SET, proved by SENTINEL MASTER."""
    client = await link.resp(action.port, None)
    refusal = await _still_ours(link, guard, settings)
    if refusal:
        return refusal
    words = [word for pair in action.values.items() for word in pair]
    try:
        await ask(client, "SENTINEL", "SET", action.master_name, *words)
        shown = await ask(client, "SENTINEL", "MASTER", action.master_name)
    except redis.exceptions.RedisError as error:
        link.drop(action.port)
        return failed(f"the sentinel of {link.host.name} answered: {scrub(str(error))}")
    have = _pairs(shown)
    wrong = [name for name, value in action.values.items() if have.get(name) != value]
    if wrong:
        return failed(f"{', '.join(wrong)} was set, but SENTINEL MASTER shows another value")
    return done(f"{', '.join(action.values)} set on the sentinel")


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


async def _still_ours(link: HostLink, guard: Guard, settings: Settings) -> Outcome | None:
    result = await change(link, guard, "verify", seconds=settings.step_timeout)
    return None if result.exit_status == 0 else failed(scrub(result.stderr) or "the claim could not be read")


async def _has(client: redis.asyncio.Redis, name: str, want: str) -> bool:
    have = _pairs(await ask(client, "CONFIG", "GET", name))
    return any(canonical(key) == canonical(name) and same(name, want, value) for key, value in have.items())


def _pairs(answer: object) -> dict[str, str]:
    """Return a reply of pairs as redis-py gives it: a mapping, or a flat list where it has no callback for it."""
    if isinstance(answer, dict):
        return {str(key): str(value) for key, value in answer.items()}
    flat = [str(word) for word in answer] if isinstance(answer, list) else []
    return dict(zip(flat[::2], flat[1::2], strict=False))
