"""A new password for running servers, or none: both good at first where users may have several, else all at once."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import redis.asyncio
import redis.exceptions

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.resp import ask, has, still_ours
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.operation import AdmitPassword, GivePassword
from redis_sentinel_operator.observe.exchange import Command, exchange

Links = Mapping[str, HostLink]
log = logging.getLogger(__name__)


async def rotate(
    action: AdmitPassword | GivePassword, link: HostLink, links: Links, desired: Desired, guard: Guard
) -> Outcome:
    """Give the password. Raises NotOurHost, ConnectError, RedisError: then nothing was changed."""
    if isinstance(action, GivePassword):
        return await _give(action, links, desired, guard)
    return await _admit(action, link, desired, guard)


async def _admit(action: AdmitPassword, link: HostLink, desired: Desired, guard: Guard) -> Outcome:
    client = await link.resp(action.port, desired.password)
    refusal = await still_ours(link, guard, link.settings)
    if refusal is not None:
        return refusal
    try:
        await ask(client, "ACL", "SETUSER", "default", f">{action.password.reveal()}")
    except redis.exceptions.ResponseError as error:
        return failed(scrub(str(error), action.password))
    return done("both passwords are good")


@dataclass(frozen=True, slots=True)
class _Order:
    """The commands for one server, on a connection that stands."""

    server: str
    client: redis.asyncio.Redis
    commands: tuple[Command, ...]


async def _give(action: GivePassword, links: Links, desired: Desired, guard: Guard) -> Outcome:
    """Set it everywhere at once, when nothing is left that could hold one of them up."""
    orders = await _orders(action, links, desired)
    hosts = [links[name] for name in dict.fromkeys((*action.redis, *action.sentinels))]
    for refusal in await asyncio.gather(*(still_ours(link, guard, link.settings) for link in hosts)):
        if refusal is not None:
            return refusal
    await asyncio.gather(*(exchange(order.client, (("PING",),)) for order in orders))
    began = time.monotonic()
    answers = await asyncio.gather(*(_obey(order) for order in orders), return_exceptions=True)
    window = time.monotonic() - began
    for name in action.redis:
        links[name].drop(desired.redis_port)  # the next ones log in with the new one
    wrong = [
        f"{order.server}: {scrub(str(answer), action.password)}"
        for order, answer in zip(orders, answers, strict=True)
        if isinstance(answer, BaseException)
    ]
    wrong = wrong or [f"redis on {name}: CONFIG GET shows another" for name in await _lacking(action, links, desired)]
    if wrong:
        return failed(f"not all have it, and those that lack it are given it next: {'; '.join(wrong)}")
    said = f"{'all have it' if action.password else 'none has one any more'} within {window * 1000:.0f} ms"
    log.info(
        "%s: another password for %d redis and %d sentinels: %s",
        desired.ref,
        len(action.redis),
        len(action.sentinels),
        said,
    )
    return done(said)


async def _orders(action: GivePassword, links: Links, desired: Desired) -> list[_Order]:
    found = []
    for name in action.redis:
        client = await links[name].resp(desired.redis_port, None if name in action.bare else desired.password)
        found.append(_Order(f"redis on {name}", client, _commands(action, name)))
    words = ("SENTINEL", "SET", desired.master_name, "auth-pass", _text(action))
    for name in action.sentinels:
        client = await links[name].resp(desired.sentinel_port, None)
        found.append(_Order(f"the sentinel on {name}", client, (words,)))
    return found


def _text(action: GivePassword) -> str:
    return action.password.reveal() if action.password else ""


def _commands(action: GivePassword, name: str) -> tuple[Command, ...]:
    password = _text(action)
    changes = [("CONFIG", "SET", "requirepass", password)]
    if name not in action.bare and password:
        return tuple(changes)
    changes.append(("CONFIG", "SET", "masterauth", password))
    kinds = ("slave", "normal", "pubsub") if name in action.ends else ()
    return (("MULTI",), *changes, *(("CLIENT", "KILL", "TYPE", kind) for kind in kinds), ("EXEC",))


async def _obey(order: _Order) -> None:
    """Raises RedisError: also for a part of a transaction."""
    answers = await exchange(order.client, order.commands)
    last = answers[-1] if isinstance(answers[-1], list) else []
    wrong = next((each for each in (*answers, *last) if isinstance(each, Exception)), None)
    if wrong is not None:
        raise wrong


async def _lacking(action: GivePassword, links: Links, desired: Desired) -> list[str]:
    """Log in anew everywhere, and look."""
    clients = {name: await links[name].resp(desired.redis_port, action.password) for name in action.redis}
    return [name for name, client in clients.items() if not await has(client, "requirepass", _text(action))]
