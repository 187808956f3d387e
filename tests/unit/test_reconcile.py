"""A pass tells when all hosts were read: from there on it holds up no other cluster. Who may not act only tells."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator import reconcile
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_unread import MOMENT, Patience
from redis_sentinel_operator.judge.health import JudgeContext
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, Known, Unknown
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import Uncertain
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.outliving import ANOTHER
from redis_sentinel_operator.reconcile import Pass
from redis_sentinel_operator.rounds import Rounds
from redis_sentinel_operator.settings import Settings
from unit.boarding import CALM, START, WHOLE, healthy
from unit.judge.clusters import ADDRESS, OWNER, S1, S2, M, running


def a_pass(board: Board, **changes: Any) -> Pass:
    """A pass that can reach no host."""
    this = Pass(
        desired=WHOLE,
        links={},
        board=board,
        guard=Guard(OWNER, 1),
        settings=Settings(),
        since_switch=math.inf,
        late=Late(2.0, lambda _: None),
        rounds=Rounds(Settings(), lambda _: None),
        patience=Patience(),
        interrupted=lambda _: None,
    )
    return replace(this, **changes)


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
    outcome = await reconcile.reconcile(a_pass(board, was_read=was_read))
    assert said == ["read", "told", "reported"]
    assert not outcome.changed


async def test_where_another_operator_is_at_work_nothing_is_done_begun_or_answered(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = {
        name: replace(host, claim=Known(Claim(OWNER, "b1", lease_epoch=7))) for name, host in running().hosts.items()
    }

    async def read(*_: object) -> ClusterFacts:
        return replace(running(), hosts=later, at=time.monotonic())

    reports: list[Report] = []
    monkeypatch.setattr(reconcile, "gather", read)
    monkeypatch.setattr(reconcile, "_plan", lambda *_: Plan((START,)))
    monkeypatch.setattr(board, "report", lambda report, _: reports.append(report))
    drill = Wish("drill", "-", "2026-01-31T12:00:00Z")
    outcome = await reconcile.reconcile(a_pass(board, wish=drill, forget=Wish("forget-host", S1, drill.at)))
    (told,) = reports
    assert (outcome.sentence, told.plan.steps, told.plan.waiting[0]) == (ANOTHER, (), ANOTHER)
    assert not outcome.changed
    assert "acts" not in board.document()
    assert board.operation is None


async def test_what_could_not_be_read_for_a_moment_is_no_news_for_the_log_either(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = Unknown("systemctl show failed or took longer than 3 s", "ProbeFailed")
    hosts = dict(running().hosts) | {S2: replace(running().hosts[S2], units=units)}
    began = time.monotonic()
    readings = [ClusterFacts(hosts, began), ClusterFacts(hosts, began + MOMENT)]

    async def read(*_: object) -> ClusterFacts:
        return readings.pop(0)

    monkeypatch.setattr(reconcile, "gather", read)
    this = a_pass(healthy(board))
    for news in (False, True):
        outcome = await reconcile.reconcile(this)
        assert (outcome.sentence, outcome.news) == (f"{S2} could not be read and is left alone: {units.message}", news)


@pytest.mark.parametrize(("reason", "seconds"), [("RoleUndone", 9.0), ("SentinelsDisagree", 0.0)])
def test_for_how_long_a_role_is_undone_counts_once_status_has_told_it(
    board: Board, monkeypatch: pytest.MonkeyPatch, reason: str, seconds: float
) -> None:
    board.confirm(Uncertain(reason, "It says slave.", ADDRESS[M]), CALM, WHOLE)
    monkeypatch.setattr(Board, "down_for", property(lambda _: 9.0))
    seen: list[JudgeContext] = []
    monkeypatch.setattr(reconcile, "judge", lambda *given: seen.append(given[-1]))
    reconcile._judge(a_pass(board), running())
    assert [(each.down_for, each.undone_for) for each in seen] == [(9.0, seconds)]
