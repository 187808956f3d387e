"""One round trip to a redis or sentinel: many commands sent at once, each answer as the server gave it.

redis-py's pipelines turn answers into dicts whose shape depends on its version and protocol; here they stay flat lists,
as RESP2 gives them in all versions from 3.2 on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import redis.asyncio
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from redis_sentinel_operator.connect.link import HostLink, asks_for_none
from redis_sentinel_operator.errors import ConnectError, OperatorError, PortClosed
from redis_sentinel_operator.model.fact import Denied, Unknown
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.settings import Settings

Command: TypeAlias = tuple[str, ...]
NO_ANSWER = "NoAnswer"
_DENIALS = ("NOAUTH", "WRONGPASS", "DENIED", "NOPERM")


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody listens on the port, as far as the connection shows."""

    message: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server said, one answer a command; an error it answered is a ResponseError in its place."""

    values: tuple[Any, ...]


async def ask(
    link: HostLink, port: int, password: Secret | None, commands: Sequence[Command], settings: Settings
) -> Answers | Denied | Closed | Unknown:
    """Ask the server on a port of a host, within `settings.resp_timeout` once the SSH connection stands; never raises.

    A server without a password is asked without one: that it has none is for others to judge.
    """
    where = f"{link.host.name}:{port}"
    try:
        if link.host.ssh.resp == "Tunnel":
            await link.connect()  # has its own deadline, and is shared by all who wait for it
        async with asyncio.timeout(settings.resp_timeout):
            return await _ask(link, port, password, commands)
    except TimeoutError:
        return Unknown(f"{where} did not answer within {settings.resp_timeout:g} s", NO_ANSWER)
    except PortClosed as error:
        return Closed(str(error))
    except ConnectError as error:
        return Unknown(str(error), error.reason)
    except OperatorError as error:
        return Unknown(str(error), NO_ANSWER)
    except (RedisError, OSError) as error:
        return _failed(where, error, password)


async def _ask(link: HostLink, port: int, password: Secret | None, commands: Sequence[Command]) -> Answers | Denied:
    try:
        answers = await _let_in(link, port, password, commands)
    except AuthenticationError as error:
        if password is None or not asks_for_none(error):
            raise
        client = await link.resp(port, None)
        answers = await exchange(client, commands)
    denied = next((each for each in answers if _is_denial(each)), None)
    return Answers(answers) if denied is None else Denied(_scrubbed(str(denied), password))


async def _let_in(link: HostLink, port: int, password: Secret | None, commands: Sequence[Command]) -> tuple[Any, ...]:
    """Ask on the open connection; one that must log in again may know only the password of before."""
    try:
        return await exchange(await link.resp(port, password), commands)
    except AuthenticationError:
        if not link.former:
            raise
        link.drop(port)
        return await exchange(await link.resp(port, password), commands)


async def exchange(client: redis.asyncio.Redis, commands: Sequence[Command]) -> tuple[Any, ...]:
    """Send all commands at once on a connection of the client and return the answers; errors answered are values.

    Raises:
        RedisError: the connection broke, or the server refuses it.
        OperatorError: it could not be made again.
    """
    pool = client.connection_pool
    try:
        connection = await pool.get_connection()  # type: ignore[no-untyped-call]
    except RedisError as error:
        raise (error.__cause__ if isinstance(error.__cause__, OperatorError) else error) from None
    try:
        await connection.send_packed_command(connection.pack_commands(commands))
        answers: list[Any] = []
        while len(answers) < len(commands) and not _is_last_word(answers):
            answers.append(await _answer(connection))
        return tuple(answers)
    except BaseException:  # answers may be left in it: nobody may use it again as it is
        await connection.disconnect(nowait=True)
        raise
    finally:
        await pool.release(connection)


def _is_last_word(answers: Sequence[Any]) -> bool:
    """A server in protected mode says DENIED to whoever connects, and hangs up."""
    return bool(answers) and isinstance(answers[-1], ResponseError) and str(answers[-1]).startswith("DENIED")


async def _answer(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _failed(where: str, error: Exception, password: Secret | None) -> Denied | Unknown:
    if _is_denial(error):
        return Denied(_scrubbed(str(error), password))
    return Unknown(f"{where}: {_scrubbed(str(error), password)}", NO_ANSWER)


def _is_denial(answer: Any) -> bool:
    if isinstance(answer, AuthenticationError):
        return True
    return isinstance(answer, RedisError) and str(answer).startswith(_DENIALS)


def _scrubbed(text: str, password: Secret | None) -> str:
    """Return a server's sentence, its first only and without our password."""
    first = text.replace("\n", " ").split(". ")[0][:200]
    return first.replace(password.reveal(), "***") if password else first


def text(value: Any) -> str:
    """Return a part of an answer as text, "" for nil."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)


def number(value: Any) -> int:
    """Return a part of an answer as a number, 0 where there is none."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def table(value: Any) -> dict[str, str]:
    """Return a flat list of names and values as a mapping; anything else is empty."""
    if not isinstance(value, list):
        return {}
    return {text(name): text(each) for name, each in zip(value[::2], value[1::2], strict=False)}


def info(value: Any) -> dict[str, str]:
    """Return the lines `name:value` of INFO as a mapping."""
    lines = (line.partition(":") for line in text(value).splitlines() if not line.startswith("#"))
    return {name: rest for name, colon, rest in lines if colon}
