"""What a redis says of itself: INFO, ROLE and the directives that are compared, in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Denied, RedisFacts, ReplicaLink, Unknown
from redis_sentinel_operator.observe.exchange import (
    NO_ANSWER,
    Answers,
    Closed,
    Command,
    ask,
    info,
    number,
    table,
    text,
)
from redis_sentinel_operator.settings import Settings

_USERS = "6.0"  # the first version that has users
# What the operator compares beside the declared keys: what it requires, and what endangers data.
_ALWAYS = (
    "bind",
    "port",
    "requirepass",
    "masterauth",
    "protected-mode",
    "slave-priority",
    "repl-ping-slave-period",
    "repl-timeout",
    "min-slaves-to-write",
    "min-slaves-max-lag",
    "dir",
    "dbfilename",
    "appendonly",
    "save",
    "maxmemory",
    "maxmemory-policy",
    "stop-writes-on-bgsave-error",
    "client-output-buffer-limit",
)


def keys(desired: Desired) -> tuple[str, ...]:
    """Return the directives that are read from every redis."""
    return tuple(dict.fromkeys((*_ALWAYS, *desired.redis_config)))


async def read_more(
    facts: RedisFacts, wanted: Sequence[str], desired: Desired, link: HostLink, settings: Settings
) -> RedisFacts | Denied | Closed | Unknown:
    """Return the facts with further directives read."""
    commands: list[Command] = [("CONFIG", "GET", key) for key in wanted]
    answers = await ask(link, desired.redis_port, desired.password, commands, settings)
    if not isinstance(answers, Answers):
        return answers
    return replace(facts, config={**facts.config, **_config(answers.values, wanted)})


async def read(desired: Desired, link: HostLink, settings: Settings) -> RedisFacts | Denied | Closed | Unknown:
    """Read the redis of a host; never raises."""
    wanted = keys(desired)
    commands: list[Command] = [("INFO",), ("ROLE",), *(("CONFIG", "GET", key) for key in wanted)]
    answers = await ask(link, desired.redis_port, desired.password, commands, settings)
    if not isinstance(answers, Answers):
        return answers
    facts = parse(answers.values, wanted)
    if facts is None:
        where = f"{link.host.name}:{desired.redis_port}"
        return Unknown(f"{where} does not answer as a redis does", NO_ANSWER)
    return await _with_user(facts, desired, link, settings)


async def _with_user(
    facts: RedisFacts, desired: Desired, link: HostLink, settings: Settings
) -> RedisFacts | Closed | Unknown:
    """Ask about the default user where requirepass is empty: an ACL file may give it a password all the same.

    Without an answer it is not known whether it has one, and a server without a password would be given one.
    """
    if desired.password is None or facts.config.get("requirepass") or not at_least(facts.version, _USERS):
        return facts
    answers = await ask(link, desired.redis_port, desired.password, [("ACL", "GETUSER", "default")], settings)
    if isinstance(answers, Closed | Unknown):
        return answers
    password = desired.password.reveal()
    takes = isinstance(answers, Answers) and takes_only(answers.values[0], password)
    return replace(facts, by_user=password if takes else "")


def takes_only(user: Any, password: str) -> bool:
    """Whether the answer to ACL GETUSER is of a user that logs in with this password and with nothing else."""
    said = dict(zip(user[::2], user[1::2], strict=False)) if isinstance(user, list) else {}
    flags = said.get("flags") or ()
    return "on" in flags and "nopass" not in flags and said.get("passwords") == [sha256(password)]


def parse(answers: Sequence[Any], wanted: Sequence[str]) -> RedisFacts | None:
    """Turn the answers to INFO, ROLE and a CONFIG GET for each wanted key into facts; None when it is no redis."""
    said, role, config = info(answers[0]), answers[1], answers[2:]
    kind = _role(role)
    if kind is None or "redis_version" not in said:
        return None
    return RedisFacts(
        version=said["redis_version"],
        run_id=said.get("run_id", ""),
        process_id=number(said.get("process_id")),
        role=kind,
        uptime=number(said.get("uptime_in_seconds")),
        config_file=said.get("config_file", ""),
        loading=said.get("loading") == "1",
        keys=sum(_keys_of(value) for name, value in said.items() if name[:2] == "db" and name[2:].isdecimal()),
        offset=number(role[1] if kind == "master" else role[4]) if kind != "sentinel" else 0,
        replid=said.get("master_replid", ""),
        replicas=_replicas(role[2], _lags(said)) if kind == "master" else (),
        master_address=text(role[1]) if kind == "slave" else "",
        master_port=number(role[2]) if kind == "slave" else 0,
        link=said.get("master_link_status", "") if kind == "slave" else "",
        link_down=number(said.get("master_link_down_since_seconds")) if kind == "slave" else 0,
        syncing=kind == "slave" and (said.get("master_sync_in_progress") == "1" or text(role[3]) == "sync"),
        config=_config(config, wanted),
        used_memory=number(said.get("used_memory")),
        aof_at_work=said.get("aof_rewrite_in_progress") == "1" or said.get("aof_rewrite_scheduled") == "1",
        aof_ok=said.get("aof_last_bgrewrite_status", "ok") == "ok",
        saved_ok=said.get("rdb_last_bgsave_status", "ok") == "ok",
        aof_written_ok=said.get("aof_last_write_status", "ok") == "ok",
        server=said.get("server_name", "redis"),
        server_version=said.get("valkey_version", ""),
    )


def _role(answer: Any) -> Literal["master", "slave", "sentinel"] | None:
    """Return the role where ROLE's answer has the shape of that role."""
    if not isinstance(answer, list) or not answer:
        return None
    match text(answer[0]):
        case "master" if len(answer) >= 3 and isinstance(answer[2], list):
            return "master"
        case "slave" if len(answer) >= 5:
            return "slave"
        case "sentinel":
            return "sentinel"
    return None


def _replicas(rows: Sequence[Any], lags: Mapping[tuple[str, int], int]) -> tuple[ReplicaLink, ...]:
    return tuple(
        ReplicaLink(text(row[0]), number(row[1]), number(row[2]), lags.get((text(row[0]), number(row[1])), 0))
        for row in rows
        if isinstance(row, list) and len(row) >= 3
    )


def _lags(said: Mapping[str, str]) -> dict[tuple[str, int], int]:
    """`slave0:ip=10.0.0.2,port=6379,state=online,offset=1789,lag=0` by address and port."""
    rows = [
        dict(part.partition("=")[::2] for part in value.split(","))
        for name, value in said.items()
        if name[:5] == "slave" and name[5:].isdecimal()
    ]
    return {(row.get("ip", ""), number(row.get("port"))): number(row.get("lag")) for row in rows}


def _keys_of(value: str) -> int:
    """`keys=25,expires=0,avg_ttl=0`."""
    return number(dict(part.partition("=")[::2] for part in value.split(",")).get("keys"))


def _config(answers: Sequence[Any], wanted: Sequence[str]) -> dict[str, str]:
    """Name each value as it was asked for (newer servers answer with newer names), without keys a version lacks."""
    found = zip(wanted, (table(answer) for answer in answers), strict=False)
    return {key: next(iter(values.values())) for key, values in found if values}
