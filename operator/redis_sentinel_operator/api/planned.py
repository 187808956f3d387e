"""A resource that only plans: what it is, as which cluster it plans, and when it is to be gone.

It has the spec of a file that was not applied yet, and the annotation plan-for. The operator plans as if it were the
cluster of that name: with that one's masterName, what is recorded of it in status, and its claims. Nothing of it is
ever changed on a host, also no claim is taken or given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from redis_sentinel_operator.api.annotations import EXPIRES_AT, PLAN_FOR
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.times import moment

# What is known of a cluster and its hosts. Not what goes on there: a look has nothing to do with a procedure or an act.
_RECORDS = ("master", "hosts", "bootstrap", "failovers")


def planned_for(body: Mapping[str, Any]) -> str:
    """Return the name of the resource as which this one plans, "" where it does not only plan."""
    return _annotation(body, PLAN_FOR) if (body.get("spec") or {}).get("management") == "Observe" else ""


def expires_at(body: Mapping[str, Any]) -> datetime | None:
    """Return when a resource that only plans is to be deleted, None for never."""
    return moment(_annotation(body, EXPIRES_AT)) if planned_for(body) else None


def with_records(body: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return a resource that only plans with what is recorded of the cluster (None: there is none yet)."""
    status = (cluster or {}).get("status") or {}
    return {**body, "status": {name: status[name] for name in _RECORDS if name in status}}


def refuse_planned(body: Mapping[str, Any]) -> None:
    """Refuse a resource that says that it only plans and does not mean it.

    Raises:
        SpecRefused: InvalidSpec; the message names annotation and mend.
    """
    if not _annotation(body, PLAN_FOR):
        return
    if not planned_for(body):
        raise SpecRefused(
            "InvalidSpec",
            f"the annotation {PLAN_FOR} is for a resource that only plans: set spec.management to Observe, or remove "
            "the annotation",
        )
    if expires_at(body) is None:
        raise SpecRefused(
            "InvalidSpec",
            f"the annotation {EXPIRES_AT} must say when this resource is to be deleted, as in 2026-01-31T12:00:00Z; "
            f"set it, or remove {PLAN_FOR}",
        )


def _annotation(body: Mapping[str, Any], name: str) -> str:
    return str((body["metadata"].get("annotations") or {}).get(name, ""))
