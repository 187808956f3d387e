"""What is known after a pass over the seed's cluster, and what its conditions then say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from redis_sentinel_operator.judge.conditions import Condition, Inputs, conditions, overall
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import Plan, StartUnit, Step
from redis_sentinel_operator.model.verdict import BootstrapRecord
from unit.judge.clusters import LAST, OWNER, S1, M, desired

BEGUN = BootstrapRecord("b1", M, "2026-01-31T12:00:00Z")
DONE = replace(BEGUN, completed_at="2026-01-31T12:01:00Z")
START = Step(S1, "start redis.service", "it does not run", StartUnit("redis.service", 6379, False), 1)
INSTALL = Step(S1, "install redis", "it is not installed", InstallPackage("redis", None), 1)
SETTLED = Plan()


def inputs(read: ClusterFacts, plan: Plan = SETTLED, **changes: Any) -> Inputs:
    """What is known after a pass over `read`; a cluster that was whole before unless `record` says otherwise."""
    record = changes.pop("record", LAST)
    bootstrap = changes.pop("bootstrap", DONE)
    verdict = judge(changes.get("desired", desired()), read, record, JudgeContext(OWNER, bootstrap))
    report = Report(
        1,
        read,
        verdict,
        plan,
        changes.pop("results", ()),
        changes.pop("sentence", "so it is"),
        changes.pop("refusal", None),
    )
    whole = Inputs(1, desired(), report, verdict.master, record, bootstrap, observed=1, ready="4/4")
    return replace(whole, **changes)


def shown(this: Inputs) -> tuple[str, str, str, str]:
    """Phase, Ready, Reconciling, Stalled ("-": the condition is not there)."""
    found = {each.type: each.status for each in conditions(this)}
    return overall(this).phase, found["Ready"], found.get("Reconciling", "-"), found.get("Stalled", "-")


def one(this: Inputs, kind: str) -> Condition:
    return next(each for each in conditions(this) if each.type == kind)
