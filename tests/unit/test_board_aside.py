"""status.hosts of hosts that are to do nothing: they stay members, and their state is what was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.judge.news import news
from redis_sentinel_operator.model.desired import Aside
from redis_sentinel_operator.model.fact import HostFacts
from unit.boarding import CALM, OLD, condition, healthy, report
from unit.judge.clusters import ADDRESS, S1, S2, S3, M, alive, facts, master, unreachable
from unit.judge.test_aside import FENCED, HELD, LEFT, NOT_FENCED, aside, noted, silent

FINE = facts(of=alive).hosts[S3]
AWAY = "spec.fencedHosts names it; no route to host"
RESTS = replace(silent(S3), machine=HELD)


def told(board: Board, what: Aside, host: HostFacts) -> dict[str, str]:
    """The host in status after a pass that found nothing to do."""
    board.confirm(OLD, {**CALM, S3: host.sentinel}, aside(what))
    read = facts(host, replace(alive(M), redis=master(S1, S2)), of=alive)
    for at in (0.0, 10.0):  # what is unread for a moment is no news
        board.report(report(replace(read, at=at), desired=aside(what)), aside(what))
    return next(each for each in board.document()["hosts"] if each["name"] == S3)


CASES: dict[str, tuple[tuple[tuple[Aside, HostFacts], ...], str, str | None]] = {
    "left alone": ((("Maintenance", noted(silent(S3))),), "Maintenance", LEFT),
    "not stopped yet": (
        (("Maintenance", FINE),),
        "Member",
        "spec.maintenanceHosts names it, and it is not stopped yet",
    ),
    "in maintenance and away": (
        (("Maintenance", unreachable(S3)),),
        "Maintenance",
        "spec.maintenanceHosts names it; no route to host",
    ),
    "fenced": ((("Fenced", RESTS),), "Fenced", FENCED),
    "fenced and away": (
        (("Fenced", RESTS), ("Fenced", unreachable(S3))),
        "Fenced",
        AWAY,
    ),
    "never seen to be fenced": (
        (("Fenced", unreachable(S3)),),
        "Member",
        AWAY,
    ),
    "started by hand": ((("Fenced", RESTS), ("Fenced", replace(alive(S3), machine=HELD))), "Member", NOT_FENCED),
    "back": ((("Maintenance", noted(silent(S3))), ("", FINE)), "Member", None),
}


@pytest.mark.parametrize("case", CASES)
def test_the_state_of_a_host_is_what_was_seen(board: Board, case: str) -> None:
    seen, state, message = CASES[case]
    healthy(board)
    for what, host in seen:
        last = told(board, what, host)
    assert last["state"] == state
    assert board.fenced == ({S3} if state == "Fenced" else frozenset())
    assert (last.get("message") or "").startswith(message or "")
    assert bool(last.get("message")) is bool(message)
    assert board.members == ADDRESS


def test_all_is_healthy_but_for_those_that_are_left_out(board: Board) -> None:
    healthy(board)
    before = board.document()
    told(board, "Maintenance", noted(silent(S3)))
    after = board.document()
    assert (after["phase"], after["ready"], after["replicas"], after["sentinels"]) == ("Healthy", "3/4", "2/3", "2/3")
    assert after["message"] == (
        "All as declared: redis_master01 is master, 3/4 hosts are ready. Left out on purpose: redis_slave03 "
        "(spec.maintenanceHosts)."
    )
    assert condition(board, "HostsReachable")["status"] == "True"
    assert news(before, after) == ()


def test_of_a_host_in_maintenance_no_event_says_that_it_is_away(board: Board) -> None:
    healthy(board)
    told(board, "Maintenance", noted(silent(S3)))
    before = board.document()
    read = facts(unreachable(S2), unreachable(S3), of=alive)
    for at in (20.0, 30.0):
        board.report(report(replace(read, at=at), desired=aside()), aside())
    (lost,) = [each for each in news(before, board.document()) if each.reason == "HostUnreachable"]
    assert "redis_slave02" in lost.message
    assert "redis_slave03" not in lost.message
