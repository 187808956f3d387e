"""What sentinels publish: event name and payload -> an event without secrets, and typed views of it.

The payloads are the same from 3.2 to 7.2 and in valkey (sentinel.c, sentinelEvent): an instance is
`<type> <name> <ip> <port>`, followed by `@ <master> <master ip> <master port>` for all but masters; words may follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from redis_sentinel_operator.model.event import SentinelEvent

InstanceType: TypeAlias = Literal["master", "slave", "sentinel"]
_TYPES = ("master", "slave", "sentinel")
# Channels whose payload is no instance, or an instance only by its look.
_BARE = frozenset(
    {"+switch-master", "+new-epoch", "+vote-for-leader", "+tilt", "-tilt", "-script-error", "-script-timeout"}
)
# The topology moved, or is about to: facts older than this are unfit to act on.
_ANY = frozenset(
    {
        "+try-failover",
        "+vote-for-leader",
        "+new-epoch",
        "+elected-leader",
        "+selected-slave",
        "+promoted-slave",
        "+failover-state-select-slave",
        "+failover-state-send-slaveof-noone",
        "+failover-state-wait-promotion",
        "+failover-state-reconf-slaves",
        "+failover-end",
        "+failover-end-for-timeout",
        "+switch-master",
        "+config-update-from",
        "-failover-abort-not-elected",
        "-failover-abort-no-good-slave",
        "-failover-abort-slave-timeout",
        "+odown",
        "-odown",
        "+convert-to-slave",
        "+role-change",
        "-role-change",
        "+reset-master",
        "-monitor",
        "+tilt",
    }
)
# Settings whose value is no secret.
_OPEN = frozenset({"quorum", "down-after-milliseconds", "failover-timeout", "parallel-syncs"})
# What counts of some instances alone.
_OF: Mapping[str, frozenset[str]] = {
    "+sdown": frozenset({"master", "slave"}),
    "-sdown": frozenset({"master", "slave"}),
    "+reboot": frozenset({"master"}),
}


@dataclass(frozen=True, slots=True)
class Instance:
    """The server an event is about, and the master it belongs to: for a master itself. `extra` is what follows."""

    type: InstanceType
    name: str
    address: str
    port: int
    master: str
    master_address: str
    master_port: int
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Switch:
    """+switch-master: the one event that says who is master now."""

    master: str
    old_address: str
    old_port: int
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Vote:
    """+vote-for-leader: the sentinel voted for a leader, by id, in an epoch."""

    leader: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """+new-epoch: the sentinel counts from here."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Other:
    """Tilt, scripts, or words of a sentinel that we do not know."""


View: TypeAlias = Instance | Switch | Vote | Epoch | Other


def parse(sentinel_host: str, at: float, channel: str, payload: str) -> SentinelEvent:
    """Return the event of a published message, scrubbed. Never fails.

    Args:
        sentinel_host: name of the host whose sentinel said it.
        at: when we received it, seconds since the epoch.
        channel: the event's name.
        payload: its words.
    """
    seen = _view(channel, payload)
    master = seen.master if isinstance(seen, Instance | Switch) else ""
    return SentinelEvent(sentinel_host, at, channel[:100], _scrubbed(channel, payload)[:500], master)


def view(event: SentinelEvent) -> View:
    """Return what an event says, typed."""
    return _view(event.channel, event.payload)


def disturbs(event: SentinelEvent) -> bool:
    """Tell whether a failover is about or going on, or the topology was changed: facts read before are unfit to act on.

    Learnt replicas and sentinels (+slave, +sentinel), settings (+set, mostly ours) and the progress of replicas that
    are pointed to a new master are none; a sentinel that goes down or comes back changes no role. Nor does a replica
    that was started again, which sentinels tell when they ask it for INFO, up to 10 s later: a procedure that restarts
    replicas would be halted by its own doing.
    """
    if event.channel in _OF:
        seen = view(event)
        return isinstance(seen, Instance) and seen.type in _OF[event.channel]
    return event.channel in _ANY


def _view(channel: str, payload: str) -> View:
    words = payload.split(" ")
    try:
        match channel:
            case "+switch-master":
                master, old_address, old_port, address, port = words
                return Switch(master, old_address, int(old_port), address, int(port))
            case "+vote-for-leader":
                leader, epoch = words
                return Vote(leader, int(epoch))
            case "+new-epoch":
                return Epoch(int(payload))
        return Other() if channel in _BARE else _instance(words)
    except ValueError:  # too few words, or no number where one belongs
        return Other()


def _instance(words: list[str]) -> Instance | Other:
    kind, name, address, port, *rest = words
    if kind not in _TYPES:
        return Other()
    this = cast(InstanceType, kind)
    if kind == "master":
        return Instance(this, name, address, int(port), name, address, int(port), " ".join(rest))
    at, master, master_address, master_port, *extra = rest
    if at != "@":
        return Other()
    return Instance(this, name, address, int(port), master, master_address, int(master_port), " ".join(extra))


def _scrubbed(channel: str, payload: str) -> str:
    """Return the payload without the values of `+set`: up to Redis 6.2.7 it carries auth-pass in plain."""
    if channel != "+set":
        return payload
    words = payload.split(" ")
    option = words[4] if len(words) > 4 else ""
    return payload if option in _OPEN else " ".join([*words[:5], *(["***"] if len(words) > 5 else [])])
