"""The record of failovers: what all sentinels say of one failover makes one entry. Pure.

Each sentinel tells the same switch, the leader seconds after the others; messages of different sentinels arrive in any
order; one that was cut off tells it much later. So an entry is found by the old master, never by the message.

The last entry may be a *suspicion*: sentinels call the master down, no attempt was begun. It is kept as it knows when
all began, vanishes when the master answers again, and is not for showing (`shown`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from redis_sentinel_operator.follow.grammar import Epoch, Instance, Switch, View, Vote, view
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from redis_sentinel_operator.model.verdict import Confirmed

History: TypeAlias = tuple[Failover, ...]
LIMIT = 10
# What is told of a switch for so long after it belongs to it (seconds): the leader ends within failover-timeout.
_LATE = 120.0
# A suspicion of single sentinels is forgotten after this (seconds): the message that ended it was lost.
_FORGET = 600.0
_ABORTS = {
    "-failover-abort-no-good-slave": "no replica could be promoted (-failover-abort-no-good-slave)",
    "-failover-abort-not-elected": "no sentinel got the votes of a majority (-failover-abort-not-elected)",
    "-failover-abort-slave-timeout": "the chosen replica did not become master (-failover-abort-slave-timeout)",
}


def record(history: History, event: SentinelEvent, desired: Desired) -> History:
    """Return the history with one more message taken in; the same object when it says nothing new.

    Args:
        history: oldest first.
        event: what a sentinel said.
        desired: names the hosts; an address that is not declared stands for itself.
    """
    act, seen = _ACTS.get(event.channel), view(event)
    if act is None or event.master_name not in ("", desired.master_name):
        return history
    if isinstance(seen, Instance) and _lags(history, _name(desired, seen.master_address)):
        return history
    return act(history, seen, event, desired)[-LIMIT:]


def published(history: History, confirmed: Confirmed, at: str) -> History:
    """Return the history with the time at which status named the new master (RFC 3339), and its config epoch."""
    told = shown(history)
    if not told:
        return history
    last = told[-1]
    target = last.to_host or (confirmed.host if confirmed.host != last.from_host else "")
    if last.published or last.result == "Aborted" or target != confirmed.host:
        return history
    done = replace(last, to_host=target, published=at, config_epoch=confirmed.config_epoch)
    return (*told[:-1], done, *history[len(told) :])


def shown(history: History) -> History:
    """Return the entries that are failovers, without the suspicion at the end."""
    return history[:-1] if history and _is_suspicion(history[-1]) else history


# -- what each message means


def _down(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+sdown and +odown of the master: the first says when it began, +odown when they agreed."""
    if not isinstance(seen, Instance) or seen.type != "master":
        return history
    before, entry = _entry(history, _name(desired, seen.address), event.at)
    if entry.switched:
        return history
    detected = entry.detected or (_stamp(event.at) if event.channel == "+odown" else "")
    return (*before, replace(entry, detected=detected))


def _up(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """-sdown of the master: if nobody has begun anything, it was nothing."""
    if not isinstance(seen, Instance) or seen.type != "master":
        return history
    return shown(history)


def _tried(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+try-failover: without a sign of failure before it, somebody asked for it (SENTINEL FAILOVER)."""
    if not isinstance(seen, Instance):
        return history
    old = _name(desired, seen.address)
    before, entry = _entry(history, old, event.at)
    if entry.switched or (history and history[-1] == entry):
        return history
    return (*before, entry if entry.detected else replace(entry, cause="Requested"))


def _counted(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+new-epoch and +vote-for-leader name no master: they are of the attempt that goes on or ended just now."""
    if not history or not isinstance(seen, Epoch | Vote):
        return history
    this, before = history[-1], _last_success(history[:-1])
    ended = this.result and (this.config_epoch or not _takes(this, event.at))
    if ended or seen.epoch <= max(this.config_epoch, before.config_epoch if before else 0):
        return history
    return (*history[:-1], replace(this, config_epoch=seen.epoch))


def _elected(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.address), event.at)
    return (*before, replace(entry, elected=entry.elected or _stamp(event.at)))


def _promoted(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.master_address), event.at)
    new = entry.to_host or _name(desired, seen.address)
    return (*before, replace(entry, to_host=new, promoted=entry.promoted or _stamp(event.at)))


def _switched(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+switch-master: the end of the attempt, or the echo of one that ended already."""
    if not isinstance(seen, Switch):
        return history
    old, new = _name(desired, seen.old_address), _name(desired, seen.address)
    last = _last_success(history)
    if last is not None and last.to_host == new and shown(history)[-1] is last:
        return shown(history)  # a sentinel that was away tells it late
    if _lags(history, old):
        old = history[-1].from_host
    elif last is not None and shown(history)[-1] is last and last.from_host == old:
        old = last.to_host  # two switches away
    before, entry = _entry(history, old, event.at)
    known = entry.detected or (history and history[-1] == entry)
    cause = entry.cause if known else "Requested"
    return (*before, replace(entry, to_host=new, cause=cause, switched=_stamp(event.at), result="Succeeded"))


def _aborted(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """An attempt came to nothing; attempts that fail alike one after the other are one entry."""
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.master_address), event.at)
    other_leads = event.channel == "-failover-abort-not-elected" and entry.elected
    if entry.switched or other_leads:
        return history
    why = _ABORTS[event.channel]
    same = before[-1] if before else None
    if same and same.result == "Aborted" and same.from_host == entry.from_host and same.message.startswith(why):
        again = replace(
            same,
            elected=entry.elected or same.elected,
            config_epoch=max(entry.config_epoch, same.config_epoch),
            message=f"{why}; tried again at {_stamp(event.at)}",
        )
        return (*before[:-1], again)
    return (*before, replace(entry, result="Aborted", message=why))


def _timed_out(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+failover-end-for-timeout: it succeeded, but not every replica followed in time."""
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.address), event.at)
    if not _is_attempt(entry) and not entry.switched:
        return history
    return (*before, replace(entry, message="not every replica was pointed to the new master within failover-timeout"))


_ACTS: dict[str, Callable[[History, View, SentinelEvent, Desired], History]] = {
    "+sdown": _down,
    "+odown": _down,
    "-sdown": _up,
    "+try-failover": _tried,
    "+new-epoch": _counted,
    "+vote-for-leader": _counted,
    "+elected-leader": _elected,
    "+promoted-slave": _promoted,
    "+switch-master": _switched,
    "+failover-end-for-timeout": _timed_out,
    **dict.fromkeys(_ABORTS, _aborted),
}


# -- finding the entry


def _lags(history: History, old: str) -> bool:
    """Whether a message about `old` comes from a sentinel that missed the last switch, while the next one goes on."""
    last = _last_success(history)
    open_one = history[-1] if history and not history[-1].result else None
    if last is None or open_one is None or not _is_attempt(open_one):
        return False
    return old == last.from_host and open_one.from_host == last.to_host


def _entry(history: History, old: str, at: float) -> tuple[History, Failover]:
    """Return the entry that a message about the master `old` belongs to, or a new one, and the entries before it."""
    last = history[-1] if history else None
    if last is not None and last.from_host == old and _takes(last, at):
        return history[:-1], last
    before = history
    if last is not None and not last.result:  # it is over, and nobody told how
        before = shown(history)
        if before == history:
            before = (*history[:-1], replace(last, result="Aborted", message="its end was not heard of"))
    fresh = Failover(old, "", "Failure", _stamp(at))
    tried = before[-1] if before else None
    if (
        tried
        and tried.result == "Aborted"
        and tried.from_host == old
        and at - _seconds(tried.elected or tried.at) < _FORGET
    ):
        fresh = replace(fresh, cause=tried.cause, detected=tried.detected)
    return before, fresh


def _takes(entry: Failover, at: float) -> bool:
    if entry.result == "Succeeded":
        return at - _seconds(entry.switched) < _LATE
    if _is_suspicion(entry) and not entry.detected:
        return at - _seconds(entry.at) < _FORGET
    return not entry.result


def _is_attempt(entry: Failover) -> bool:
    return bool(entry.elected or entry.promoted or entry.config_epoch)


def _is_suspicion(entry: Failover) -> bool:
    return not entry.result and not _is_attempt(entry) and entry.cause == "Failure"


def _last_success(history: History) -> Failover | None:
    return next((entry for entry in reversed(history) if entry.result == "Succeeded"), None)


def _name(desired: Desired, address: str) -> str:
    host = desired.host_at(address)
    return host.name if host else address


def _stamp(at: float) -> str:
    """RFC 3339 with milliseconds."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _seconds(stamp: str) -> float:
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except ValueError:
        return 0.0
