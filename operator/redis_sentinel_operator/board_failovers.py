"""status.failovers: what sentinels tell of failovers, and when status named the new master."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from redis_sentinel_operator.api.status import FailoverEntry, MasterStatus
from redis_sentinel_operator.follow.grammar import Instance, view
from redis_sentinel_operator.follow.history import History, found, named, published, record, settled, shown
from redis_sentinel_operator.judge.master import Sentinels
from redis_sentinel_operator.judge.promotable import why_none
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.event import Cause, Failover, SentinelEvent
from redis_sentinel_operator.model.verdict import Confirmed, Mastership
from redis_sentinel_operator.times import moment, precise, second, seconds

# Sentinels find out at their next INFO, all of them within ten seconds.
_ONE_RESTART = 30.0

_SAME_MOMENT = 5.0  # so old (seconds) may be what the sentinels answered, to tell why an attempt came to nothing
_BEFORE_THE_MAJORITY = timedelta(seconds=30)  # so much earlier the first sentinel may have said what most say now


class Failovers:
    """The record of failovers of one cluster; `stored` is what status has of it, `now` gives the time in UTC."""

    def __init__(self, stored: Sequence[FailoverEntry], now: Callable[[], datetime]) -> None:
        self._now = now
        self._history: History = tuple(_failover(entry) for entry in stored)
        self._why = ""  # what made the next failover necessary, where it was seen
        self._published_at = ""  # when the present master was put into status, "" when no switch was seen
        self._seen: tuple[float, Sentinels] = (float("-inf"), {})  # what the sentinels answered, and when (monotonic)
        self._switched_at = float("inf")  # time.monotonic() when the present master was first seen as it
        self._heard_at = float("-inf")  # time.monotonic() of the last message that said something
        # the host whose failover is the operator's own, and the cause that it gets
        self._asked: tuple[str, Cause] = ("", "Unknown")

    def entries(self) -> tuple[FailoverEntry, ...]:
        """Return the record as status has it."""
        return tuple(_entry(each) for each in shown(self._history)[-10:])

    def heard(self, event: SentinelEvent, desired: Desired, master: Mastership | None) -> bool:
        """Take a sentinel's message in; return whether it said anything new."""
        history = self._ours(record(self._history, event, desired))
        if self._published_at and isinstance(master, Confirmed):
            history = published(history, master, self._published_at)  # told after the judge saw it
        at, sentinels = self._seen
        if time.monotonic() - at < _SAME_MOMENT:
            history = _named(history, sentinels, desired)
        changed, self._history = history != self._history, history
        if changed:
            self._heard_at = time.monotonic()
        return changed

    def observed(self, sentinels: Sentinels, desired: Desired | None) -> None:
        """Take in what the sentinels answer: it tells why an attempt came to nothing."""
        self._seen = (time.monotonic(), sentinels)
        if desired is not None:
            self._history = _named(self._history, sentinels, desired)

    @property
    def last(self) -> Failover | None:
        """Return the newest entry."""
        return self._history[-1] if self._history else None

    def aborted(self, host: str, since: datetime) -> bool:
        """Whether every failover that was begun since a majority calls this master down came to nothing."""
        last = self._history[-1] if self._history else None
        if last is None or last.result != "Aborted" or last.from_host != host:
            return False
        began = moment(last.detected or last.at)
        return began is not None and began > since - _BEFORE_THE_MAJORITY

    def explained(self, why: str) -> None:
        """Note what the next failover comes from, "" where it came to nothing; the fullest phrase counts."""
        self._why = max(self._why, why, key=len) if why else ""

    def reign(self, master: MasterStatus | None) -> float:
        """Return the seconds for which a master is it at least: status keeps whole seconds, and this process more."""
        since = moment(master.since if master else None)
        told = (self._now() - since).total_seconds() - 1.0 if since else 0.0
        return max(0.0, told, time.monotonic() - self._switched_at)

    def switched(self, master: Confirmed, old: MasterStatus | None) -> datetime:
        """Note that status names another master now; return since when it is one: as the sentinels told it, else now.

        `old`: the one that it named before; without one nothing was switched.
        """
        now, before = self._now(), self._history
        self._switched_at = time.monotonic()
        self._published_at = precise(now) if old else ""
        self._history = published(before, master, precise(now))
        if old is not None and self._history is before:  # an operator that ends now would never tell of it
            cause: Cause = "Failure" if old.withdrawn_since else "Unknown"
            begun = Failover(old.host, "", cause, precise(now))
            self._history = self._ours(published(found(before, master, begun), master, precise(now)))
        if self._why and self._history != before and not self._history[-1].message:
            self._history = (*self._history[:-1], replace(self._history[-1], message=self._why))
        self._why = ""
        self._history = self._ours(self._history)
        entry = next((each for each in reversed(self._history) if each not in before), None)
        told = entry and (moment(entry.promoted) or moment(entry.switched))
        return told or now

    def asked_for(self, old: str, cause: Cause, desired: Desired | None) -> None:
        """Note the address of the master that a procedure has replaced, "" when it has ended, and the cause of that."""
        found = desired.host_at(old) if desired is not None else None
        self._asked = (found.name if found else old, cause)
        self._history = self._ours(self._history)

    def _ours(self, history: History) -> History:
        """A failover is the operator's own while it asks for one, and no sentinel saw a reason, or while it is one."""
        last, (host, cause) = (history[-1] if history else None), self._asked
        broke = cause in ("Drill", "Recover")  # the sentinels saw a reason
        causes = ("Requested", "Unknown", "Failure") if broke else ("Requested", "Unknown")
        if last is None or last.from_host != host or last.cause not in causes:
            return history
        if broke and not last.to_host:  # a suspicion, or an attempt that may come to nothing
            return history
        return (*history[:-1], replace(last, cause=cause))

    def settle(self, master: Confirmed, at: float) -> None:
        """End what ended without a message: the operator was not listening, or the message was lost.

        Args:
            master: who is master while no sentinel shows any sign of a transition.
            at: time.monotonic() when the reading began that says so; messages since then are not doubted.
        """
        if at < self._heard_at:
            return
        self._history = self._ours(settled(self._history, master))


def _named(history: History, sentinels: Sentinels, desired: Desired) -> History:
    last = next(reversed(shown(history)), None)
    if last is None or last.result != "Aborted":
        return history
    return named(history, why_none(desired, sentinels, last.from_host))


def restarted(event: SentinelEvent, master: MasterStatus | None) -> MasterStatus | None:
    """Return the master with the time of its restart, where a message is the first to tell of it (+reboot)."""
    seen = view(event)
    if event.channel != "+reboot" or master is None or not isinstance(seen, Instance) or seen.type != "master":
        return None
    if (seen.address, seen.port) != (master.address, master.port):
        return None
    if event.at - seconds(master.restarted_at) < _ONE_RESTART:
        return None
    return MasterStatus(**(dict(master) | {"restarted_at": second(datetime.fromtimestamp(event.at, UTC))}))


def _failover(entry: FailoverEntry) -> Failover:
    values = {name: value for name, value in dict(entry).items() if value is not None}
    return Failover(**({"to_host": "", "at": ""} | values))


def _entry(each: Failover) -> FailoverEntry:
    return FailoverEntry(
        from_host=each.from_host,
        to_host=each.to_host or None,
        cause=each.cause,
        at=each.at,
        detected=each.detected,
        elected=each.elected,
        promoted=each.promoted,
        switched=each.switched,
        published=each.published,
        config_epoch=each.config_epoch or None,
        result=each.result or None,
        message=each.message or None,
    )
