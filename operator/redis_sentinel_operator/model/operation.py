"""A procedure of several steps: its record, which outlives the operator, and the actions that only procedures take."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from redis_sentinel_operator.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Before:
    """What a directive of redis.conf was before it was changed for a while: in force, and its line (None: no line)."""

    live: str
    file: str | None


@dataclass(frozen=True, slots=True)
class Operation:
    """How far a procedure is. It is stored in status and in state.json of each host before a step's commands.

    Hosts are named by their addresses; times are RFC 3339, UTC. `at` is the time of the act that asked for it, `since`
    when `step` was begun, `new` the host that is to be master ("": the sentinels choose), `sentinel` the one that is
    asked for the failover ("": none is), `offset` that of the old master at the beginning. `before` holds by address
    what is changed for a while. `result` is set once it is decided how it ends; `message` tells that then, and before
    it what a person should know.
    """

    id: str
    type: str
    step: str
    started_at: str
    since: str
    at: str
    arg: str
    old: str
    new: str
    config_epoch: int
    sentinel: str
    offset: int = 0
    before: Mapping[str, Mapping[str, Before]] = field(default_factory=dict)
    result: str = ""
    message: str = ""


def to_text(operation: Operation) -> str:
    """Return the record as one line of JSON."""
    return json.dumps(asdict(operation), sort_keys=True)


def from_document(document: Any) -> Operation | None:
    """Return the record of a JSON object, None for an empty one; what a later version added is left out.

    Raises:
        KeyError, TypeError: it is not as it is written.
    """
    if document == {}:
        return None
    texts = {name: document[name] for name in _TEXTS}
    numbers, before = {name: document[name] for name in ("config_epoch", "offset")}, document["before"]
    if not all(isinstance(number, int) for number in numbers.values()):
        raise TypeError("not a number")
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("not as it is written")
    return Operation(**texts, **numbers, before={at: _before(each) for at, each in before.items()})


_TEXTS = (
    *("id", "type", "step", "started_at", "since", "at", "arg"),
    *("old", "new", "sentinel", "result", "message"),
)


def _before(values: Any) -> dict[str, Before]:
    found = {name: Before(each["live"], each["file"]) for name, each in values.items()}
    if not all(isinstance(each.live, str) and isinstance(each.file, str | None) for each in found.values()):
        raise TypeError("not a string")
    return found


@dataclass(frozen=True, slots=True)
class RememberOperation:
    """Write the record into state.json: before anything is changed, and before each step that may not be repeated."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class ForgetOperation:
    """Disarm what would open a fence later, and strike the record from state.json: the host is as it was before.

    `unpause` is the port of a redis whose writes may still be paused, None where they are not.
    """

    unpause: int | None = None


@dataclass(frozen=True, slots=True)
class Fence:
    """Let the master take no writes, and wait until a replica has all that it took.

    `values` are directives that do it, `back` what they were (before 6.2): the host itself sets them back after
    `seconds`, whatever becomes of the operator. Empty: CLIENT PAUSE WRITE, which ends by itself.
    """

    port: int
    seconds: float
    replica: str  # host name
    values: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AskFailover:
    """SENTINEL FAILOVER, once, where all still holds: the fence, the replica's data, the sentinels' agreement."""

    fence: Fence
    master: str  # host name
    config_epoch: int


@dataclass(frozen=True, slots=True)
class Demote:
    """SLAVEOF on the old master, which no sentinel names any more, and its fence taken away, in one transaction.

    `back` are the directives of the fence with the values before it; `pause`: the fence is a CLIENT PAUSE.
    """

    address: str
    port: int
    config_epoch: int
    back: Mapping[str, str] = field(default_factory=dict)
    pause: bool = False


@dataclass(frozen=True, slots=True)
class AdmitPassword:
    """ACL SETUSER (Redis 6 on): the default user is let in with this password too, until requirepass is set."""

    password: Secret
    port: int


@dataclass(frozen=True, slots=True)
class GivePassword:
    """requirepass on each redis and auth-pass on each sentinel, all at once: `redis`, `sentinels` are host names.

    Without a password each redis loses the one it has, with masterauth in the same transaction.

    Every connection is open and every claim verified before the first is changed. `bare` are those of `redis` that have
    no password: they get masterauth in the same transaction, as a server without one refuses whoever sends one; of
    `ends` the connections are ended in it, because before Redis 6 nobody who did not log in is served any more.
    """

    password: Secret | None
    redis: tuple[str, ...]
    sentinels: tuple[str, ...]
    bare: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StopMaster:
    """Stop the master's redis cleanly, where at that very moment all agree on it and every replica is in touch."""

    unit: str
    config_epoch: int


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start a master that a procedure has stopped, where at that very moment nobody has been or is being promoted."""

    unit: str
    log: str  # what says why it does not start
    config_epoch: int


@dataclass(frozen=True, slots=True)
class StartStopped:
    """Start a stopped master by a person's word, where at that very moment nobody has been or is being promoted."""

    unit: str
    log: str  # what says why it does not start
    address: str
    config_epoch: int


@dataclass(frozen=True, slots=True)
class Promote:
    """SLAVEOF NO ONE by a person's word, in place of the dead master at `old`, where that is so at that very moment."""

    old: str  # address
    config_epoch: int
    run_id: str


@dataclass(frozen=True, slots=True)
class MonitorAnew:
    """SENTINEL REMOVE, MONITOR and all settings at once, on a sentinel that stays with a wrong master.

    It is done only where, at that very moment, every other one answers, a majority names the master at `address` at
    that config epoch, and its ROLE says so.
    """

    address: str
    config_epoch: int


OperationAction: TypeAlias = (
    RememberOperation
    | ForgetOperation
    | Fence
    | AskFailover
    | Demote
    | AdmitPassword
    | GivePassword
    | StopMaster
    | StartAgain
    | StartStopped
    | Promote
)
