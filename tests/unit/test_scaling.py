"""Hosts that come and go, in a pass: recorded before the first change, and forgotten when a person says so."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from redis_sentinel_operator import reconcile
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_unread import Patience
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import Refusal, StepResult
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.reconcile import Pass
from redis_sentinel_operator.rounds import Rounds
from redis_sentinel_operator.settings import Settings
from unit.boarding import Store
from unit.plan.scaling import changed, scaled, serving
from unit.plan.world import OWNER, S1, S2, S3, bare, unreachable

AT = "2026-01-31T12:00:00Z"
NEW = changed(serving((S1, S2)), bare(S3))
AWAY = changed(serving(down=[S3]), unreachable(bare(S3)))


@dataclass
class Links:
    """A link to each host, which is always open."""

    async def connect(self) -> None:
        """It is."""

    def __getitem__(self, _: str) -> Links:
        return self

    def get(self, _: str) -> Links:
        return self

    def values(self) -> list[Links]:
        return []


@dataclass
class World:
    """What a pass reads, and what it did; `stored` is what status had of the new host at each step."""

    facts: ClusterFacts
    done: list[str] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)


async def run(
    board: Board, store: Store, monkeypatch: pytest.MonkeyPatch, wanted: Desired, world: World, **changes: Any
) -> None:
    """One pass of that world; the store is what status is written to."""

    async def gather(*_: object) -> ClusterFacts:
        return world.facts

    async def execute(step: Step, *_: object) -> StepResult:
        hosts = store.documents[-1].get("hosts", []) if store.documents else []
        known = {host["name"]: host.get("state", "") for host in hosts}
        world.done.append(f"{step.host}: {step.what}")
        world.stored.append(known.get(S3, ""))
        return StepResult(step, True, "done", 0.0)

    monkeypatch.setattr(reconcile, "gather", gather)
    monkeypatch.setattr(reconcile, "execute", execute)
    this = Pass(
        desired=wanted,
        links=Links(),  # type: ignore[arg-type]
        board=board,
        guard=changes.pop("guard", Guard(OWNER, 1)),
        settings=Settings(fact_max_age=math.inf),
        since_switch=math.inf,
        late=Late(2.0, lambda _: None),
        rounds=Rounds(Settings(), lambda _: None),
        patience=Patience(),
        **({"interrupted": lambda _: None} | changes),
    )
    await reconcile.reconcile(this)


def acts(board: Board) -> list[tuple[str, str, str]]:
    return [(each["verb"], each["result"], each["message"]) for each in board.document().get("acts", [])]


def state(board: Board) -> dict[str, Any]:
    return next((dict(host) for host in board.document()["hosts"] if host["name"] == S3), {})


async def test_it_is_stored_that_a_host_joins_before_it_is_claimed(
    board: Board, store: Store, writing: asyncio.Task[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(NEW)
    await run(board, store, monkeypatch, scaled("Joining"), world)
    assert world.done == [f"{S3}: claim the host for this resource"]
    assert world.stored == ["Joining"]
    assert not writing.done()


@pytest.mark.parametrize(
    "changes",
    [{"interrupted": lambda _: "a sentinel said something"}, {"refusal": Refusal("ConfigInSync", "InvalidSpec", "no")}],
    ids=["interrupted", "refused"],
)
async def test_nothing_is_recorded_when_nothing_may_be_begun(
    board: Board, store: Store, writing: asyncio.Task[None], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    world = World(NEW)
    await run(board, store, monkeypatch, scaled("Joining"), world, **changes)
    assert world.done == []
    assert board.recorded("Joining") == frozenset()
    assert not writing.done()


WISH = Wish("forget-host", S3, AT)


async def test_a_host_is_forgotten_and_what_is_told_is_stored_with_it(
    board: Board, store: Store, writing: asyncio.Task[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(board, store, monkeypatch, scaled("Leaving"), World(AWAY))
    assert "leftAt" not in state(board)
    store.documents.clear()
    await run(board, store, monkeypatch, scaled("Leaving"), World(AWAY), forget=WISH)
    assert "leftAt" in state(board)
    await board.flush()
    with_act = next(document for document in store.documents if document.get("acts"))
    assert any("leftAt" in host for host in with_act["hosts"])
    assert acts(board) == [
        (
            "forget-host",
            "Done",
            f"{S3} is forgotten, and each sentinel that still counts it is reset. If it comes back, stop its servers "
            "and remove /var/lib/redis-sentinel-operator/state.json there",
        )
    ]
    assert not writing.done()


REFUSED = {
    "it answers": (scaled("Leaving"), serving(), "can be reached, so it is stopped"),
    "paused": (
        scaled("Leaving", management="Paused"),
        AWAY,
        "management is Paused: nothing is changed on any host",
    ),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
async def test_a_host_that_may_not_be_forgotten_stays(
    board: Board,
    store: Store,
    writing: asyncio.Task[None],
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[Desired, ClusterFacts, str],
) -> None:
    wanted, read, why = case
    await run(board, store, monkeypatch, wanted, World(read))
    await run(board, store, monkeypatch, wanted, World(read), forget=WISH)
    assert "leftAt" not in state(board)
    ((_, result, message),) = acts(board)
    assert result == "Refused"
    assert why in message
    assert not writing.done()
