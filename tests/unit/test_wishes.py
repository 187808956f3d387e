"""An act that begins a procedure goes into the pass, which answers it; all others are answered as before."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import cluster
from redis_sentinel_operator.acts import Act
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.model.report import Outcome
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.reconcile import Pass
from redis_sentinel_operator.settings import Settings
from unit.boarding import NOON, WHOLE, Store

AT = "2026-01-31T12:00:00Z"
REF = ClusterRef("default", "redis", "uid-1")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as threads:
        yield threads


async def answers(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, act: Act, **changes: Any
) -> tuple[Pass, list[tuple[str, str]]]:
    """The pass that an act comes into, and its answers when the pass itself gives none."""
    passes: list[Pass] = []

    async def reconcile(this: Pass) -> Outcome:
        passes.append(this)
        return Outcome("all is as declared", 60.0)

    monkeypatch.setattr(cluster, "reconcile", reconcile)
    shared = SimpleNamespace(
        kube=None, lease=SimpleNamespace(epoch=1), settings=Settings(), pool=pool, metrics=None, identity="uid-0"
    )
    one = cluster.Cluster(REF, cast(Any, shared))
    board = Board(REF, {"phase": "Healthy"}, Store().write, lambda: NOON)
    desired = replace(WHOLE, **changes)
    listening = cast(Any, SimpleNamespace(switched_at=-math.inf, note_switch=lambda _: None))
    one._board, one._listening = board, listening
    await one._pass(board, listening, cast(Any, desired), act)
    found = board.document().get("acts", [])
    return passes[0], [(each["result"], each["message"]) for each in found]


async def test_a_switchover_is_a_wish_that_the_procedure_answers(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    this, told = await answers(pool, monkeypatch, Act("switchover", "redis_slave01", AT))
    assert (this.wish, this.adopt_claim) == (Wish("switchover", "redis_slave01", AT), False)
    assert told == []


async def test_what_the_annotation_itself_refuses_is_no_wish(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    this, told = await answers(pool, monkeypatch, Act("switchover", "-", AT, "the act is older than 10 minutes"))
    assert this.wish is None
    assert told == [("Refused", "the act is older than 10 minutes")]


@pytest.mark.parametrize("management", ["Paused", "Observe"])
async def test_none_begins_while_nothing_may_be_changed(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, management: str
) -> None:
    _, told = await answers(pool, monkeypatch, Act("switchover", "-", AT), management=management)
    assert told == [("Refused", f"management is {management}: nothing is changed on any host")]


async def test_taking_a_claim_over_is_no_procedure(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    this, told = await answers(pool, monkeypatch, Act("adopt-claim", "-", AT))
    assert (this.wish, this.adopt_claim) == (None, True)
    assert told == [("Done", "all is as declared")]
