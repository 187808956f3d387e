"""What could not be read for a moment is no news: a machine that stood still for two seconds is well again by then."""

from __future__ import annotations

from dataclasses import fields
from typing import Final, TypeAlias

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Unknown
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.verdict import Confirmed, Mastership, Uncertain

MOMENT: Final = 3.0  # seconds: with the two for which a host is waited for, five, as for a sentinel that is silent
_Part: TypeAlias = tuple[str, str]  # a host's name, and which of its facts could not be read


class Patience:
    """Until when an act waits that would be refused while a host could not be read."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def has(self, at: str, desired: Desired, facts: ClusterFacts) -> bool:
        """Whether the act of time `at` is not to be refused by this reading: the next one may have what it lacks.

        Hosts that are left alone on purpose are nobody's to wait for, and each act has one moment.
        """
        read = (facts.hosts.get(host.name) for host in desired.staying if not host.aside)
        if all(host is not None and not _is_silent(host) for host in read):
            return False
        since = self._since.setdefault(at, facts.at)
        return facts.at - since < MOMENT


def _is_silent(host: HostFacts) -> bool:
    return any(isinstance(fact, Unknown) for fact in (host.os, host.redis, host.sentinel))


class Unread:
    """Since when (`ClusterFacts.at`) a host lacks something that was read of it when it was told of last.

    Of a host that hangs one reading lacks this, the next one that: its moment goes on until one lacks nothing new.
    Plans have nothing to do with it: nothing is ever done by what was not read, however short a time.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}
        self._master_since: float | None = None

    def master(self, told: Mastership | None, found: Mastership, at: float | None) -> Mastership:
        """Return the confirmed master that is told as long as it only could not be read for a moment, else `found`.

        `at` is when the reading began, None for one that counts at once. Not for a master that sentinels call down.
        """
        if at is None or told is None or not _is_missed(told, found):
            self._master_since = None
            return found
        self._master_since = at if self._master_since is None else self._master_since
        return told if at - self._master_since < MOMENT else found

    def is_no_news(self, told: Report | None, report: Report) -> bool:
        """Whether a report differs from the one that is told at most by what could not be read for a moment.

        Of another generation, of something done or refused, or of another master, all is told at once.
        """
        if told is None or not _is_of_the_same(told, report):
            self._since = {}
            return False
        assert told.facts is not None and report.facts is not None  # noqa: S101 - both are of a reading
        now = report.facts.at
        missed = {name for name, _ in _unread(report.facts) - _unread(told.facts)}
        self._since = {name: self._since.get(name, now) for name in missed}
        if any(now - since < MOMENT for since in self._since.values()):
            return True
        self._since = {}
        return False


def _is_of_the_same(told: Report, report: Report) -> bool:
    """Whether both were read of the same declaration and the same master, and the later one did and refused nothing."""
    if told.facts is None or told.verdict is None or report.facts is None or report.verdict is None:
        return False
    if told.generation != report.generation or report.results or report.refusal is not None or told.refusal is not None:
        return False
    before, master = told.verdict.master, report.verdict.master
    return _is_missed(before, master) or (isinstance(master, Confirmed) and master == before)


def _is_missed(told: Mastership, found: Mastership) -> bool:
    """Whether the sentinels still name the confirmed master, and only it itself could not be read."""
    unreadable = isinstance(found, Uncertain) and found.reason == "MasterUnreadable"
    return unreadable and isinstance(told, Confirmed) and found.address == told.address


def _unread(facts: ClusterFacts) -> frozenset[_Part]:
    return frozenset(
        (name, part.name)
        for name, host in facts.hosts.items()
        for part in fields(host)
        if isinstance(getattr(host, part.name), Unknown)
    )
