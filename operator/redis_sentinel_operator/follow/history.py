"""The record of failovers: what all sentinels say of one failover makes one entry. Pure.

Each sentinel tells the same switch, the leader seconds after the others; messages of different sentinels arrive in any
order; one that was cut off tells it much later. So an entry is found by the old master, never by the message.

The last entry may be a *suspicion*: sentinels call the master down, no attempt was begun. It is kept as it knows when
all began, vanishes when the master answers again, and is not for showing (`shown`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from redis_sentinel_operator.follow.grammar import Epoch, Instance, Switch, View, Vote, view
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.times import seconds, stamp

History: TypeAlias = tuple[Failover, ...]
LIMIT = 10
# What is told of a switch for so long after it belongs to it (seconds): the leader ends within failover-timeout.
_LATE = 120.0
# A switch that was read may be told so much later (seconds): by messages that were on their way.
_SAME_MOMENT = 2.0
# A suspicion of single sentinels is forgotten after this (seconds): the message that ended it was lost.
_FORGET = 600.0
_ANY_OF = (  # as long as it is not known which replica has which
    "Each of them is down, has priority 0, or was without its master for too long. Look at replica-priority and at the "
    "links of the replicas."
)
# Why an attempt came to nothing, and what to do about it.
_ABORTS = {
    "-failover-abort-no-good-slave": (
        "no replica could be promoted (-failover-abort-no-good-slave)",
        f"{_ANY_OF} The sentinels try again after twice failover-timeout.",
    ),
    "-failover-abort-not-elected": (
        "no sentinel got the votes of a majority (-failover-abort-not-elected)",
        "Too few sentinels work or reach each other. Start those that are down, and look for ghosts: SENTINEL "
        "SENTINELS must list the declared ones and no others.",
    ),
    "-failover-abort-slave-timeout": (
        "the chosen replica did not become master (-failover-abort-slave-timeout)",
        "It hangs, or refuses SLAVEOF or CONFIG REWRITE. Look at its log, whether its redis.conf can be written, and "
        "whether rename-command hides CONFIG.",
    ),
}
_UNHEARD = "its end was not heard of"
_READ = "the operator did not hear its end: what the sentinels say now was read"
_FOUND = "the operator heard no sentinel tell of it: it was found by reading them, and may have been at any time before"


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
    if isinstance(seen, Instance):
        old = _name(desired, seen.master_address)
        if _lags(history, old) or _was_found(history, old, event.at):
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


def found(history: History, confirmed: Confirmed, begun: Failover) -> History:
    """Return the history with an entry for a switch that was read, and of which no message has told so far.

    Args:
        history: oldest first; an attempt that goes on by it is what was read.
        confirmed: who is master now.
        begun: from whom, when it was found, and why as far as that is known.
    """
    told = shown(history)
    if begun.from_host == confirmed.host or (told and not told[-1].result):
        return history
    suspicion = history[len(told) :]
    if suspicion and suspicion[0].from_host == begun.from_host:
        begun, suspicion = suspicion[0], ()
    done = replace(begun, to_host=confirmed.host, config_epoch=confirmed.config_epoch, result="Succeeded")
    return (*told, replace(done, message=_FOUND), *suspicion)[-LIMIT:]


def settled(history: History, confirmed: Confirmed) -> History:
    """Return the history once all is calm and nobody disputes who is master: what has no end yet has ended."""
    told = shown(history)
    return (*told[:-1], _concluded(told[-1], confirmed)) if told and not told[-1].result else told


def named(history: History, why: str) -> History:
    """Return the history with the reasons in place of all that there may be, where no replica could be promoted."""
    told = shown(history)
    if not told or not why or _ANY_OF not in told[-1].message:
        return history
    return (*told[:-1], replace(told[-1], message=told[-1].message.replace(_ANY_OF, why)), *history[len(told) :])


def _concluded(entry: Failover, confirmed: Confirmed) -> Failover:
    if entry.from_host == confirmed.host:
        return replace(entry, result="Aborted", message=f"{_UNHEARD}; {confirmed.host} is still master")
    done = replace(entry, to_host=confirmed.host, config_epoch=confirmed.config_epoch)
    return replace(done, result="Succeeded", message=_READ)


def shown(history: History) -> History:
    """Return the entries that are failovers, without the suspicion at the end."""
    return history[:-1] if history and _is_suspicion(history[-1]) else history


# -- what each message means


def _down(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+sdown and +odown of the master: the first says when it began, +odown when they agreed."""
    if not isinstance(seen, Instance) or seen.type != "master":
        return history
    before, entry = _entry(history, _name(desired, seen.address), event)
    if entry.switched:
        return history
    detected = entry.detected or (stamp(event.at) if event.channel == "+odown" else "")
    return (*before, replace(entry, detected=detected))


def _up(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """-sdown of the master: if nobody has begun anything, it was nothing; what was given up is over for it."""
    if not isinstance(seen, Instance) or seen.type != "master":
        return history
    told = shown(history)
    last = told[-1] if told else None
    if last is None or last.result != "Aborted" or last.from_host != _name(desired, seen.address):
        return told
    if event.sentinel in last.answered:
        return told
    return (*told[:-1], replace(last, answered=last.answered | {event.sentinel}))


def _tried(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+try-failover: without a sign of failure before it, somebody asked for it (SENTINEL FAILOVER)."""
    if not isinstance(seen, Instance):
        return history
    old = _name(desired, seen.address)
    before, entry = _entry(history, old, event)
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
    before, entry = _entry(history, _name(desired, seen.address), event)
    return (*before, replace(entry, elected=entry.elected or stamp(event.at)))


def _promoted(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.master_address), event)
    new = entry.to_host or _name(desired, seen.address)
    return (*before, replace(entry, to_host=new, promoted=entry.promoted or stamp(event.at)))


def _switched(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+switch-master: the end of the attempt, or the echo of one that ended already."""
    if not isinstance(seen, Switch):
        return history
    old, new = _name(desired, seen.old_address), _name(desired, seen.address)
    last = _last_success(history)
    if last is not None and last.to_host == new and shown(history)[-1] is last:
        if last.switched or event.at - seconds(last.published) >= _SAME_MOMENT:
            return shown(history)  # a sentinel that was away tells it late
        return (*shown(history)[:-1], replace(last, switched=stamp(event.at), message=""))
    if _lags(history, old):
        old = history[-1].from_host
    elif last is not None and shown(history)[-1] is last and last.from_host == old:
        old = last.to_host  # two switches away
    before, entry = _entry(history, old, event)
    known = entry.detected or (history and history[-1] == entry)
    cause = entry.cause if known else "Requested"
    return (*before, replace(entry, to_host=new, cause=cause, switched=stamp(event.at), result="Succeeded"))


def _aborted(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """An attempt came to nothing; attempts that fail alike one after the other are one entry."""
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.master_address), event)
    other_leads = event.channel == "-failover-abort-not-elected" and entry.elected
    if entry.switched or other_leads:
        return history
    why, hint = _ABORTS[event.channel]
    same = before[-1] if before else None
    if same and same.result == "Aborted" and same.from_host == entry.from_host and same.message.startswith(why):
        again = replace(
            same,
            elected=entry.elected or same.elected,
            config_epoch=max(entry.config_epoch, same.config_epoch),
            message=f"{why}; tried again at {stamp(event.at)}. {hint}",
            answered=frozenset(),
        )
        return (*before[:-1], again)
    return (*before, replace(entry, result="Aborted", message=f"{why}. {hint}"))


def _timed_out(history: History, seen: View, event: SentinelEvent, desired: Desired) -> History:
    """+failover-end-for-timeout: it succeeded, but not every replica followed in time."""
    if not isinstance(seen, Instance):
        return history
    before, entry = _entry(history, _name(desired, seen.address), event)
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


def _was_found(history: History, old: str, at: float) -> bool:
    """Whether a message about `old` is an echo of the last switch, which was read before anything was heard of it."""
    last = _last_success(history)
    if last is None or shown(history)[-1] is not last or last.switched or last.from_host != old:
        return False
    return _SAME_MOMENT <= at - seconds(last.published) < _LATE


def _entry(history: History, old: str, event: SentinelEvent) -> tuple[History, Failover]:
    """Return the entry that a message about the master `old` belongs to, or a new one, and the entries before it."""
    last = history[-1] if history else None
    if last is not None and last.from_host == old and _takes(last, event.at):
        return history[:-1], last
    before = history
    if last is not None and not last.result:  # it is over, and nobody told how
        before = shown(history)
        if before == history:
            before = (*history[:-1], replace(last, result="Aborted", message=_UNHEARD))
    fresh = Failover(old, "", "Failure", stamp(event.at))
    tried = before[-1] if before else None
    if tried and _goes_on(tried, old, event):
        fresh = replace(fresh, cause=tried.cause, detected=tried.detected)
    return before, fresh


def _goes_on(tried: Failover, old: str, event: SentinelEvent) -> bool:
    """Whether what a sentinel tells of `old` is a further attempt for the reason of one that was given up."""
    if tried.result != "Aborted" or tried.from_host != old or event.sentinel in tried.answered:
        return False
    return event.at - seconds(tried.elected or tried.at) < _FORGET


def _takes(entry: Failover, at: float) -> bool:
    if entry.result == "Succeeded":
        return at - seconds(entry.switched or entry.published) < _LATE
    if _is_suspicion(entry) and not entry.detected:
        return at - seconds(entry.at) < _FORGET
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
