"""A resource that only plans: as which cluster, with what is recorded of it, and when it is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.examples import changed, seed, stored
from redis_sentinel_operator.api.annotations import EXPIRES_AT, PLAN_FOR
from redis_sentinel_operator.api.desired import resolve
from redis_sentinel_operator.api.planned import expires_at, planned_for, refuse_planned, with_records
from redis_sentinel_operator.errors import SpecRefused

WHEN = "2026-01-31T12:00:00Z"
BOTH = {PLAN_FOR: "redis-cluster", EXPIRES_AT: WHEN}


def look(management: str | None = "Observe", **annotations: str) -> dict[str, Any]:
    """The seed's cluster as a resource that only plans."""
    changes = {"metadata.name": "redis-cluster-plan-1", "metadata.annotations": annotations or BOTH}
    spec = {"spec.management": management} if management else {}
    return stored(changed({**changes, **spec}))


def test_it_plans_as_the_cluster_that_it_names_and_is_gone_in_time() -> None:
    assert planned_for(look()) == "redis-cluster"
    assert expires_at(look()) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert resolve(look(), None).master_name == "redis-cluster"
    refuse_planned(look())


def test_a_cluster_is_none_also_one_that_is_only_observed() -> None:
    for body in (stored(seed()), stored(changed({"spec.management": "Observe"}))):
        assert planned_for(body) == ""
        assert expires_at(body) is None
        refuse_planned(body)
    observed = stored(changed({"spec.management": "Observe", "metadata.annotations": {EXPIRES_AT: WHEN}}))
    assert expires_at(observed) is None, "what is no plan is never deleted"


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (look("Full"), f"the annotation {PLAN_FOR} is for a resource that only plans: set spec.management to Observe"),
        (look(None), f"the annotation {PLAN_FOR} is for a resource that only plans: set spec.management to Observe"),
        (look("Paused"), f"the annotation {PLAN_FOR} is for a resource that only plans"),
        (look(**{PLAN_FOR: "redis-cluster"}), f"the annotation {EXPIRES_AT} must say when this resource is to be"),
        (look(**{**BOTH, EXPIRES_AT: "tomorrow"}), f"the annotation {EXPIRES_AT} must say when"),
    ],
)
def test_what_says_that_it_only_plans_and_does_not_is_refused(body: dict[str, Any], refused: str) -> None:
    with pytest.raises(SpecRefused) as error:
        refuse_planned(body)
    assert str(error.value).startswith(refused)
    assert error.value.reason == "InvalidSpec"


def test_a_management_that_changes_hosts_never_plans_for_another() -> None:
    for management in ("Full", None, "Paused"):
        assert planned_for(look(management)) == ""
        assert expires_at(look(management)) is None


def test_it_has_the_records_of_its_cluster_and_nothing_of_what_goes_on_there() -> None:
    kept = {"master": {"host": "a"}, "hosts": [{"name": "a"}], "bootstrap": {"id": "b1"}, "failovers": [{"from": "a"}]}
    status = {
        **kept,
        "operation": {"id": "1"},
        "acts": [{"verb": "drill"}],
        "phase": "Healthy",
        "observedGeneration": 3,
    }
    body = with_records(look() | {"status": {"phase": "Observing"}}, {"status": status})
    assert body["status"] == kept
    assert body["metadata"] == look()["metadata"]
    assert with_records(look(), None)["status"] == {}
