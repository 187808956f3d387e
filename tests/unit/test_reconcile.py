"""A pass tells when all hosts were read: from there on it holds up no other cluster."""

from __future__ import annotations

import math

import pytest

from redis_sentinel_operator import reconcile
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.reconcile import Pass
from redis_sentinel_operator.rounds import Rounds
from redis_sentinel_operator.settings import Settings
from unit.boarding import WHOLE
from unit.judge.clusters import OWNER


async def test_it_is_told_that_all_were_read_and_once(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    gather = reconcile.gather

    async def read(desired: Desired, *rest: object) -> ClusterFacts:
        facts = await gather(desired, {}, Settings())
        said.append("read")
        return facts

    async def was_read() -> None:
        said.append("told")

    monkeypatch.setattr(reconcile, "gather", read)
    monkeypatch.setattr(board, "report", lambda *_: said.append("reported"))
    outcome = await reconcile.reconcile(
        Pass(
            desired=WHOLE,
            links={},
            board=board,
            guard=Guard(OWNER, 1),
            settings=Settings(),
            since_switch=math.inf,
            late=Late(2.0, lambda _: None),
            rounds=Rounds(Settings(), lambda _: None),
            interrupted=lambda _: None,
            was_read=was_read,
        )
    )
    assert said == ["read", "told", "reported"]
    assert not outcome.changed
