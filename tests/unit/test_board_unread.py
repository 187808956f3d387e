"""A host that could not be read for a moment is in no status; one that cannot be read for longer is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.judge.master import Sentinels
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Unknown
from redis_sentinel_operator.model.report import Refusal, StepResult
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import Mastership, Uncertain
from unit.boarding import CALM, DOWN, OLD, START, WHOLE, condition, healthy, report
from unit.judge.clusters import ADDRESS, S1, S2, M, alive, running

SILENT: Unknown = Unknown("it has not answered in 2 s after others had; it is read on", "CommandTimedOut")
AWAY = {
    "nothing of it": replace(alive(S2), os=SILENT, redis=SILENT, sentinel=SILENT),
    "not its redis": replace(alive(S2), redis=SILENT),
    "not its sentinel": replace(alive(S2), sentinel=SILENT),
    "not its units": replace(alive(S2), units=Unknown("systemctl show did not succeed", "ProbeFailed")),
}
LEFT = Plan(waiting=("redis_slave02 could not be read and is left alone",))


def reading(at: float, **others: HostFacts) -> ClusterFacts:
    return ClusterFacts(dict(running().hosts) | others, at)


def told(board: Board, facts: ClusterFacts, **changes: Any) -> dict[str, Any]:
    board.report(replace(report(facts), **changes), WHOLE)
    return board.document()


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
def test_a_host_that_is_back_in_a_moment_is_no_news(board: Board, away: HostFacts) -> None:
    before = healthy(board).document()
    assert told(board, reading(100.0, **{S2: away}), plan=LEFT) == before
    assert told(board, reading(102.9, **{S2: away}), plan=LEFT) == before
    assert told(board, reading(103.0)) == before


def test_what_was_told_as_unread_holds_nothing_else_up(board: Board) -> None:
    """A change was made in that pass, so all of it was told; the next one has made none."""
    healthy(board)
    away = {S2: AWAY["not its units"]}
    first = told(board, reading(100.0, **away), results=(StepResult(START, True, "", 0.1),))
    assert told(board, reading(101.0, **away), plan=LEFT) != first


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
def test_a_host_that_stays_away_is_told(board: Board, away: HostFacts) -> None:
    before = healthy(board).document()
    assert told(board, reading(100.0, **{S2: away}), plan=LEFT) == before
    assert told(board, reading(103.0, **{S2: away}), plan=LEFT) != before
    assert told(board, reading(103.5)) == before, "what is well again is told at once"


def test_a_host_that_hangs_and_lacks_now_this_now_that_is_told(board: Board) -> None:
    before = healthy(board).document()
    this, that = AWAY["nothing of it"], AWAY["not its units"]
    for second, away in enumerate((this, that, this)):
        assert told(board, reading(100.0 + second, **{S2: away}), plan=LEFT) == before
    assert told(board, reading(103.0, **{S2: that}), plan=LEFT) != before


def test_each_absence_begins_anew(board: Board) -> None:
    before = healthy(board).document()
    away = AWAY["nothing of it"]
    told(board, reading(100.0, **{S2: away}))
    told(board, reading(101.0))
    assert told(board, reading(104.0, **{S2: away})) == before


def test_another_host_gets_its_moment_too(board: Board) -> None:
    healthy(board)
    away = AWAY["not its redis"]
    told(board, reading(100.0, **{S2: away}))
    one = told(board, reading(103.0, **{S2: away}))
    assert told(board, reading(104.0, **{S2: away, S1: replace(alive(S1), redis=SILENT)})) == one
    assert told(board, reading(107.0, **{S2: away, S1: replace(alive(S1), redis=SILENT)})) != one


@pytest.mark.parametrize(
    "changes",
    [
        {"generation": 2},
        {"refusal": Refusal("ConfigInSync", "NotSupportedYet", "spec.x is not supported yet.")},
        {"results": (StepResult(START, True, "", 0.1),)},
    ],
    ids=str,
)
def test_what_else_is_new_is_told_at_once(board: Board, changes: dict[str, Any]) -> None:
    before = healthy(board).document()
    assert told(board, reading(100.0, **{S2: AWAY["nothing of it"]}), **changes) != before


UNREADABLE = Uncertain("MasterUnreadable", "It has not answered.", ADDRESS[M])


def of_master(board: Board, at: float, master: Mastership, sentinels: Sentinels = CALM) -> str:
    """What the condition of the master says once a pass has told who it is."""
    board.confirm(master, sentinels, WHOLE, at)
    return str(condition(board, "MasterConfirmed")["status"])


def test_a_master_that_is_back_in_a_moment_is_no_news(board: Board) -> None:
    healthy(board)
    assert of_master(board, 100.0, UNREADABLE) == "True"
    assert of_master(board, 102.9, UNREADABLE) == "True"
    assert of_master(board, 103.0, OLD) == "True"
    assert of_master(board, 105.0, UNREADABLE) == "True", "each absence begins anew"


def test_a_pass_that_misses_the_master_for_a_moment_tells_nothing(board: Board) -> None:
    away = {M: replace(alive(M), redis=SILENT)}
    before = healthy(board).document()
    of_master(board, 100.0, UNREADABLE)
    assert told(board, reading(100.0, **away)) == before
    of_master(board, 103.0, UNREADABLE)
    assert told(board, reading(103.0, **away)) != before


@pytest.mark.parametrize(
    ("later", "master", "sentinels"),
    [
        (3.0, UNREADABLE, CALM),
        (0.0, UNREADABLE, DOWN),
        (0.0, replace(UNREADABLE, reason="MasterStopped"), CALM),
        (0.0, replace(UNREADABLE, reason="NoMajority"), CALM),
        (0.0, replace(UNREADABLE, address=ADDRESS[S1]), CALM),
    ],
    ids=["stays away", "called down", "proved to be stopped", "no majority", "another one"],
)
def test_of_a_master_all_else_is_told(board: Board, later: float, master: Uncertain, sentinels: Sentinels) -> None:
    healthy(board)
    of_master(board, 100.0, UNREADABLE if later else OLD)
    assert of_master(board, 100.0 + later, master, sentinels) != "True"
