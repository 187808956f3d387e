"""What a pass did and found: from reconcile to the board."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.step import Plan, Refusal, Step
from redis_sentinel_operator.model.verdict import Verdict

__all__ = ["Outcome", "Refusal", "Report", "StepResult"]


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended; `message` is a sentence without secrets, `seconds` how long it took.

    `reason` is a reason of the message table where the failure has one (PackageNotFound, PortTaken), else "".
    """

    step: Step
    ok: bool
    message: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """One pass. `sentence` says what it decided; `generation` is the spec's that was acted on."""

    generation: int
    facts: ClusterFacts | None
    verdict: Verdict | None
    plan: Plan
    results: tuple[StepResult, ...]
    sentence: str
    refusal: Refusal | None = None


def before_a_switch(report: Report | None) -> Report | None:
    """Return the report as it counts once the master has changed: nothing is called well until all was read anew."""
    if report is None:
        return None
    waiting = ("the master has changed just now, and all hosts are read anew", *report.plan.waiting)
    return replace(report, plan=replace(report.plan, waiting=waiting))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the loop does next: the sentence is logged and published, the next pass is in `requeue_after` seconds.

    `failed`: a step of this pass did. `away` are the hosts of a living cluster whose redis does not answer: each is
    looked for until it is back. In `retry_in` seconds at the latest what failed on one host is due again. `news` is
    False where something only could not be read for a moment: neither status nor the log tells that.
    """

    sentence: str
    requeue_after: float
    changed: bool = False
    halted: bool = False
    failed: bool = False
    away: frozenset[str] = frozenset()
    retry_in: float = math.inf
    news: bool = True
