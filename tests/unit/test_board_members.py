"""status.hosts of a cluster whose hosts come and go."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.desired import Desired, DesiredHost, GoneHost, Membership, SshAccess
from redis_sentinel_operator.model.step import Plan
from unit.boarding import CALM, OLD, START, WHOLE, Store, condition, healthy, report
from unit.judge.clusters import S3, M, bare, facts, owned, running, unreachable

NEW = DesiredHost("new", "192.168.3.45", SshAccess("10.0.0.5", 2222, "admin"), state="Joining")


def state_of(board: Board, name: str = S3) -> tuple[str | None, bool, bool]:
    """State, and whether it has joined and has left."""
    found = [host for host in board.document()["hosts"] if host["name"] == name]
    assert len(found) <= 1
    return (found[0].get("state"), "joinedAt" in found[0], "leftAt" in found[0]) if found else ("gone", False, False)


def with_state(state: Membership) -> Desired:
    return replace(WHOLE, hosts=tuple(replace(each, state=state) if each.name == S3 else each for each in WHOLE.hosts))


def tell(board: Board, wanted: Desired, todo: Plan, **changes: Any) -> None:
    board.confirm(OLD, CALM, wanted)
    board.report(report(running(), todo, desired=wanted, **changes), wanted)


def test_one_that_joins_has_no_state_before_it_is_recorded(board: Board) -> None:
    healthy(board)
    wanted = replace(WHOLE, hosts=(*WHOLE.hosts, NEW))
    tell(board, wanted, Plan(waiting=("new joins the cluster: it is recorded in status first",)))
    assert state_of(board, "new") == (None, False, False)
    tell(board, WHOLE, Plan())  # somebody thought better of it
    assert state_of(board, "new") == ("gone", False, False)


async def test_it_is_recorded_and_stored_with_how_it_is_reached(
    board: Board, store: Store, writing: asyncio.Task[None]
) -> None:
    healthy(board)
    wanted = replace(WHOLE, hosts=(*WHOLE.hosts, NEW))
    board.begin_joining(wanted, {"new"})
    await board.flush()
    stored = next(host for host in store.documents[-1]["hosts"] if host["name"] == "new")
    assert (stored["state"], stored["address"]) == ("Joining", "192.168.3.45")
    assert stored["ssh"] == {"address": "10.0.0.5", "port": 2222, "user": "admin"}
    assert {"redis", "sentinel"} <= stored.keys()
    assert board.recorded("Joining") == {"new"}
    assert "new" not in (board.members or {})
    assert not writing.done()


def test_it_is_a_member_when_the_plan_says_so_and_the_others_wait(board: Board) -> None:
    healthy(board)
    wanted = with_state("Joining")
    board.begin_joining(wanted, {S3})
    tell(board, wanted, Plan(waiting=(f"{S3} joins the cluster: x",)))
    assert state_of(board) == ("Joining", False, False)
    assert board.document()["sentinels"] == "2/3"
    tell(board, wanted, Plan(waiting=(f"{S3} joins the cluster",), joined=frozenset({S3})))
    assert state_of(board) == ("Member", True, False)
    tell(board, WHOLE, Plan())
    assert board.document()["sentinels"] == "3/3"


def test_it_leaves_and_is_gone_when_it_is_forgotten(board: Board) -> None:
    healthy(board)
    wanted = with_state("Leaving")
    tell(board, wanted, Plan((START,)))
    assert state_of(board) == ("Leaving", True, False)
    assert (board.document()["ready"], board.document()["replicas"], board.document()["sentinels"]) == (
        "3/3",
        "2/2",
        "2/2",
    )
    tell(board, wanted, Plan(waiting=(f"{S3} has left",), left=frozenset({S3})))
    assert state_of(board) == ("Leaving", True, True)
    entry = next(host for host in board.document()["hosts"] if host["name"] == S3)
    assert entry["message"] == "It has left. It stands here until no sentinel counts it any more."
    assert not {"role", "redis", "sentinel", "followed"} & entry.keys()
    without = replace(WHOLE, hosts=WHOLE.hosts[:3], gone=(GoneHost(S3, "192.168.3.44"),))
    tell(board, without, Plan(waiting=("x",)))
    assert state_of(board) == ("Leaving", True, True)
    tell(board, without, Plan(cleared=frozenset({S3})))
    assert state_of(board) == ("gone", False, False)


def test_what_is_said_of_a_gone_host_is_said_of_no_other(board: Board) -> None:
    healthy(board)
    tell(board, WHOLE, Plan(cleared=frozenset({S3})))
    assert state_of(board) == ("Member", True, False)


def test_one_that_is_put_back_is_a_member_again(board: Board) -> None:
    healthy(board)
    tell(board, with_state("Leaving"), Plan((START,)))
    tell(board, WHOLE, Plan((START,)))
    assert state_of(board) == ("Member", True, False)


def test_one_that_is_put_back_after_it_has_left_comes_anew(board: Board) -> None:
    healthy(board)
    tell(board, with_state("Leaving"), Plan(left=frozenset({S3}), waiting=("x",)))
    tell(board, with_state("Joining"), Plan(waiting=("x",)))
    assert state_of(board) == (None, False, False)


def test_a_person_says_that_it_has_left(board: Board) -> None:
    healthy(board)
    tell(board, with_state("Leaving"), Plan(asks=("x",)))
    board.left({S3})
    assert state_of(board) == ("Leaving", True, True)


def test_another_name_is_the_same_host(board: Board) -> None:
    healthy(board)
    renamed = tuple(replace(each, name="db4") if each.name == S3 else each for each in WHOLE.hosts)
    wanted = replace(WHOLE, hosts=renamed)
    read = facts(of=lambda name: owned(bare(name)))
    board.report(report(read, Plan((START,)), desired=wanted), wanted)
    assert state_of(board) == ("gone", False, False)
    assert state_of(board, "db4") == ("Member", True, False)


def test_what_a_person_has_to_decide_is_a_phase_of_its_own_and_observed(board: Board) -> None:
    healthy(board)
    wanted = replace(with_state("Leaving"), generation=2)
    board.report(report(running(), Plan(asks=("redis_slave03 cannot be read",)), 2, desired=wanted), wanted)
    found = board.document()
    assert (found["phase"], found["message"]) == ("WaitingForYou", "Redis_slave03 cannot be read.")
    assert found["observedGeneration"] == 2
    assert condition(board, "Ready")["reason"] == "HostLeaving"
    assert condition(board, "Ready")["status"] == "True"


def test_an_upgrade_that_waits_for_a_person_is_told_as_such(board: Board) -> None:
    healthy(board)
    wanted = replace(WHOLE, generation=2)
    board.report(report(running(), Plan(supervised="the master is left"), 2, desired=wanted), wanted)
    found = board.document()
    assert (found["phase"], found["message"], found["observedGeneration"]) == (
        "WaitingForYou",
        "The master is left.",
        2,
    )
    assert condition(board, "Ready")["reason"] == "UpgradeWaits"


@pytest.mark.parametrize(
    "wanted", [with_state("Joining"), with_state("Leaving"), replace(WHOLE, gone=(GoneHost("db9", "192.168.3.99"),))]
)
def test_all_is_not_called_healthy_while_a_host_is_on_its_way(board: Board, wanted: Desired) -> None:
    """Also where the generation was observed: as the master was to leave, and waited for a person."""
    tell(healthy(board), wanted, Plan((START,)))
    found = board.document()
    assert found["phase"] == "Updating"
    assert condition(board, "Reconciling")["status"] == "True"
    tell(board, WHOLE, Plan())
    assert board.document()["phase"] == "Healthy"


def test_what_is_told_of_one_that_leaves(board: Board) -> None:
    healthy(board)

    def message(wanted: Desired, *changed: Any) -> str:
        read = facts(*changed, of=lambda name: running().hosts[name])
        number = 2 + len(changed)  # of another generation all is told at once
        board.report(report(read, Plan((START,)), number, desired=wanted), wanted)
        return next(str(host["message"]) for host in board.document()["hosts"] if host["state"] == "Leaving")

    assert message(with_state("Leaving")) == (
        "It is not in spec.hosts any more: its servers are stopped and disabled, and the sentinels forget it."
    )
    assert message(with_state("Leaving"), unreachable(S3)) == (
        "It is not in spec.hosts any more, and is Leaving until it is proved to be stopped, or forgotten (act "
        "forget-host redis_slave03): no route to host"
    )
    hosts = tuple(replace(each, state="Leaving" if each.name == M else "Member") for each in WHOLE.hosts)
    assert message(replace(WHOLE, hosts=hosts)) == (
        "It is not in spec.hosts any more and leaves when another host is the master (act switchover)."
    )
