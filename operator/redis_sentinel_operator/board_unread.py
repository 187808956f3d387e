"""What could not be read for a moment is no news: a machine that stood still for two seconds is well again by then."""

from __future__ import annotations

from dataclasses import fields
from typing import Final, TypeAlias

from redis_sentinel_operator.model.fact import ClusterFacts, Unknown
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.verdict import Confirmed

_MOMENT: Final = 3.0  # seconds: with the two for which a host is waited for, five, as for a sentinel that is silent
_Part: TypeAlias = tuple[str, str]  # a host's name, and which of its facts


class Unread:
    """Since when (`ClusterFacts.at`) each part of each host could not be read.

    Plans have nothing to do with it: nothing is ever done by what was not read, however short a time.
    """

    def __init__(self) -> None:
        self._since: dict[_Part, float] = {}

    def is_no_news(self, told: Report | None, report: Report) -> bool:
        """Whether a report differs from the one that is told at most by what could not be read for a moment.

        Of another generation, of something done or refused, or where the master is not confirmed, all is told at once.
        """
        if report.facts is None or report.verdict is None:
            return False
        before, now = self._since, report.facts.at
        self._since = {part: before.get(part, now) for part in _unread(report.facts)}
        if told is None or told.facts is None or told.verdict is None or told.generation != report.generation:
            return False
        if report.results or report.refusal is not None or told.refusal is not None:
            return False
        if not isinstance(report.verdict.master, Confirmed) or report.verdict.master != told.verdict.master:
            return False
        known = _unread(told.facts)
        return any(now - since < _MOMENT for part, since in self._since.items() if part not in known)


def _unread(facts: ClusterFacts) -> frozenset[_Part]:
    return frozenset(
        (name, part.name)
        for name, host in facts.hosts.items()
        for part in fields(host)
        if isinstance(getattr(host, part.name), Unknown)
    )
