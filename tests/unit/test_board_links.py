"""What status tells of each replica's link."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.verdict import Uncertain
from unit.boarding import CALM, OLD, WHOLE, report
from unit.judge.clusters import S1, S2, S3, M, alive, facts, replica, running


def links(board: Board) -> dict[str, str | None]:
    return {host["name"]: host.get("link") for host in board.document()["hosts"]}


def test_each_replica_tells_whether_it_is_in_touch_with_the_master(board: Board) -> None:
    board.confirm(OLD, CALM, WHOLE)
    board.report(report(running()), WHOLE)
    assert links(board) == {M: None, S1: "Up", S2: "Up", S3: "Up"}
    lost = replace(alive(S2), redis=replica(link="down"))
    board.report(report(facts(lost, of=alive)), WHOLE)
    assert links(board) == {M: None, S1: "Up", S2: "Down", S3: "Up"}


def test_of_nobodys_replicas_nothing_is_told(board: Board) -> None:
    board.confirm(Uncertain("NoMajority", "No majority names one."), CALM, WHOLE)
    board.report(report(running()), WHOLE)
    assert set(links(board).values()) == {None}
