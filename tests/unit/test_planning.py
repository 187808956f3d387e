"""A resource that only plans tells what would be done, and does nothing: also not where a procedure goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from redis_sentinel_operator import planning
from redis_sentinel_operator.api.annotations import EXPIRES_AT, PLAN_FOR
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.errors import ApiUnavailable, KubeError
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.times import second
from unit.boarding import NOON, Store
from unit.operations.scenes import carrying, facts, of_a_drill, record
from unit.plan.scaling import changed, scaled, serving
from unit.plan.world import OWNER, S1, S2, S3, M, bare, desired
from unit.test_scaling import World, run

AS_ITS_CLUSTER = {"plans_as": OWNER, "guard": Guard("c0ffee/redis/redis-cluster-plan-1", 1)}
REF = ClusterRef("redis", "redis-cluster-plan-1", "uid-9")


@pytest.mark.parametrize("going_on", [record("ask"), record("restore"), of_a_drill("stop"), of_a_drill("watch")])
async def test_a_procedure_that_goes_on_is_left_alone(
    board: Board, store: Store, monkeypatch: pytest.MonkeyPatch, going_on: Any
) -> None:
    carried = carrying(going_on)
    world = World(facts(M=carried, S1=carried, S2=carried, S3=carried))
    await run(board, store, monkeypatch, desired(management="Observe"), world, **AS_ITS_CLUSTER)
    assert world.done == []
    assert board.operation is None
    assert board.document().get("acts") is None


async def test_even_a_spec_that_lets_the_operator_work_changes_nothing(
    board: Board, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(ClusterFacts({name: bare(name) for name in (M, S1, S2, S3)}, 0.0))
    await run(board, store, monkeypatch, desired(management="Full"), world, **AS_ITS_CLUSTER)
    assert world.done == []
    assert board.bootstrap is None


async def test_it_takes_the_hosts_of_its_cluster_for_its_own(
    board: Board, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = desired(management="Observe", redis_config={"repl-timeout": "77"})
    await run(board, store, monkeypatch, wanted, World(serving()), **AS_ITS_CLUSTER)
    claims = next(each for each in board.document()["conditions"] if each["type"] == "HostsClaimed")
    assert claims["status"] == "True"
    assert not [each for each in board.document()["plan"] if "claim" in each["what"]]
    assert [each["host"] for each in board.document()["plan"] if "repl-timeout" in each["what"]]


async def test_what_a_procedure_would_do_is_in_the_plan(
    board: Board, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = desired(management="Observe", password=Secret("another"))
    await run(board, store, monkeypatch, wanted, World(facts()), **AS_ITS_CLUSTER)
    told = {each["host"]: each["impact"] for each in board.document()["plan"] if each["what"].endswith("(rotation)")}
    assert told == dict.fromkeys((M, S1, S2, S3), "Reload")


async def test_a_host_that_would_join_is_in_the_plan_and_is_not_recorded(
    board: Board, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(changed(serving((S1, S2)), bare(S3)))
    whole = scaled("Joining", management="Observe")
    await run(board, store, monkeypatch, whole, world, **AS_ITS_CLUSTER)
    assert world.done == []
    told = [each["what"] for each in board.document()["plan"] if each["host"] == S3]
    assert "claim the host for this resource" in told
    assert [each.get("state") for each in board.document()["hosts"] if each["name"] == S3] == [None]


def look(expires: datetime) -> dict[str, Any]:
    annotations = {PLAN_FOR: "redis-cluster", EXPIRES_AT: second(expires)}
    metadata = {"namespace": "redis", "name": REF.name, "uid": REF.uid, "annotations": annotations}
    return {"metadata": metadata, "spec": {"management": "Observe"}}


def test_it_has_the_claim_of_its_cluster_and_its_own_time() -> None:
    found = planning.planned(look(datetime.now(UTC) + timedelta(seconds=90)), "c0ffee")
    assert found is not None
    assert found.owner == "c0ffee/redis/redis-cluster"
    assert 80 < found.seconds <= 90
    gone = planning.planned(look(NOON), "c0ffee")
    assert gone is not None
    assert gone.seconds == 0
    assert planning.planned({"metadata": {"name": "a"}, "spec": {}}, "c0ffee") is None


class Kube:
    """What is asked of the API server."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, str, Mapping[str, Any] | None]] = []

    async def request(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> None:
        self.asked.append((method, path.rpartition("/")[2], body))
        if self.error:
            raise self.error


async def test_what_has_expired_is_deleted_this_very_object() -> None:
    kube = Kube()
    await planning.delete(kube, REF)  # type: ignore[arg-type]
    assert kube.asked == [("DELETE", "redis-cluster-plan-1", {"preconditions": {"uid": "uid-9"}})]


async def test_one_that_went_meanwhile_is_no_error_and_a_missing_right_is() -> None:
    for reason in ("NotFound", "Conflict"):
        await planning.delete(Kube(KubeError(404, reason, "")), REF)  # type: ignore[arg-type]
    for error in (KubeError(403, "Forbidden", "no delete"), ApiUnavailable("later")):
        with pytest.raises(type(error)):
            await planning.delete(Kube(error), REF)  # type: ignore[arg-type]
