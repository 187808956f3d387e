"""status.failovers: what a procedure of ours or a person brought about is told as that."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.operation import Operation
from unit.boarding import NEW, SWITCHED, WHOLE, healthy
from unit.judge.clusters import S1, M
from unit.test_board_failovers import OF_NEW, OF_OLD, SWITCH, asked, failovers, say


def a_drill(step: str) -> Operation:
    return replace(asked(step), type="drill", new="", sentinel="")


def test_the_failover_of_a_drill_is_one_when_somebody_is_promoted(board: Board) -> None:
    healthy(board)
    board.operate(a_drill("watch"))
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 5.1, "+elected-leader", OF_OLD)
    assert failovers(board)[0]["cause"] == "Failure", "it may still come to nothing"
    say(board, 6, "+promoted-slave", OF_NEW)
    assert board.failovers.last is not None
    assert (board.failovers.last.cause, board.failovers.last.to_host) == ("Drill", S1)
    board.confirm(NEW, SWITCHED, WHOLE)
    say(board, 7, "+switch-master", SWITCH)
    (entry,) = failovers(board)
    assert (entry["cause"], entry["from"], entry["to"], entry["result"]) == ("Drill", M, S1, "Succeeded")


def test_the_failover_of_a_drill_that_was_only_read_is_one_too(board: Board) -> None:
    healthy(board)
    board.operate(a_drill("watch"))
    board.confirm(NEW, SWITCHED, WHOLE)
    assert [entry["cause"] for entry in failovers(board)] == ["Drill"]


def test_what_a_person_decided_is_no_failure_any_more(board: Board) -> None:
    healthy(board)
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 6, "-failover-abort-no-good-slave", OF_OLD)
    board.operate(replace(a_drill("agree"), type="recover"))
    assert [entry["cause"] for entry in failovers(board)] == ["Failure"]
    say(board, 7, "+switch-master", SWITCH)
    board.confirm(NEW, SWITCHED, WHOLE)
    assert [entry["cause"] for entry in failovers(board)] == ["Failure", "Recover"]


def test_an_attempt_in_a_drill_that_comes_to_nothing_stays_a_failure(board: Board) -> None:
    healthy(board)
    board.operate(a_drill("watch"))
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 5.1, "+elected-leader", OF_OLD)
    say(board, 6, "-failover-abort-no-good-slave", OF_OLD)
    (entry,) = failovers(board)
    assert (entry["cause"], entry["result"]) == ("Failure", "Aborted")
