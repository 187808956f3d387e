"""What of a pass goes to the metrics alone: it moves by itself, or status has it in words only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis_sentinel_operator.judge.lag import Lag, lags
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Unknown
from redis_sentinel_operator.model.report import Report


@dataclass(frozen=True, slots=True)
class Measured:
    """By host name how far a replica is behind and whether the host could be read; the sentinels that a failover needs.

    A host that is left out on purpose may be away, so nothing is said of its being read.
    """

    lags: Mapping[str, Lag]
    reachable: Mapping[str, bool]
    sentinels_needed: int


def measured(desired: Desired | None, report: Report | None) -> Measured | None:
    """Return what a report and the declaration that it is about come to; None while nothing was read."""
    if desired is None or report is None or report.facts is None or report.verdict is None:
        return None
    read = report.facts.hosts
    return Measured(
        lags=lags(desired, report.facts, report.verdict.master),
        reachable={
            host.name: host.name in read and not isinstance(read[host.name].os, Unknown)
            for host in desired.staying
            if not host.aside
        },
        sentinels_needed=desired.sentinels_needed,
    )
