"""status.failovers across restarts of the operator and lost messages, and whether each sentinel is followed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.event import SentinelEvent
from redis_sentinel_operator.model.fact import ClusterFacts, Denied, Fact, Known, ReplicaView, SentinelFacts, Unknown
from redis_sentinel_operator.model.operation import Operation
from unit.boarding import CALM, DOWN, NEW, NO_MASTER, NOON, OLD, SWITCHED, WHOLE, Clock, Store, healthy, report
from unit.judge.clusters import ADDRESS, S1, S2, S3, M, alive, master, replica, running, sentinel, view

OF_OLD = f"master redis-cluster {ADDRESS[M]} 6379"
OF_NEW = f"slave {ADDRESS[S1]}:6379 {ADDRESS[S1]} 6379 @ redis-cluster {ADDRESS[M]} 6379"
SWITCH = f"redis-cluster {ADDRESS[M]} 6379 {ADDRESS[S1]} 6379"
UNHEARD = "the operator did not hear its end: what the sentinels say now was read"
FOUND = "the operator heard no sentinel tell of it: it was found by reading them, and may have been at any time before"


def say(board: Board, after: float, channel: str, payload: str, host: str = S2) -> None:
    board.event(SentinelEvent(host, NOON.timestamp() + after, channel, payload, "redis-cluster"), WHOLE)


def after_the_switch() -> ClusterFacts:
    """A calm reading of now: S1 is master."""
    hosts = {
        name: replace(
            host,
            redis=master(M, S2, S3) if name == S1 else replica(S1),
            sentinel=host.sentinel if name == M else sentinel(S1, 1),
        )
        for name, host in running().hosts.items()
    }
    return ClusterFacts(hosts, time.monotonic())


def settle(board: Board, facts: ClusterFacts) -> None:
    """What a pass tells once all is calm."""
    board.confirm(NEW, SWITCHED, WHOLE)
    board.report(report(facts), WHOLE)


def failovers(board: Board) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = board.document().get("failovers", [])
    return found


def restarted(board: Board, clock: Clock) -> Board:
    return Board(WHOLE.ref, board.document(), Store().write, clock)


def test_an_entry_begun_before_a_restart_is_finished_after_it(board: Board, clock: Clock) -> None:
    healthy(board)
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 5.1, "+elected-leader", OF_OLD)
    (begun,) = failovers(board)
    assert "result" not in begun
    clock.seconds = 30
    again = restarted(board, clock)
    again.confirm(NEW, SWITCHED, WHOLE)
    settle(again, after_the_switch())
    assert failovers(again) == [
        begun
        | {
            "to": S1,
            "published": "2026-01-31T12:00:30.000Z",
            "configEpoch": 1,
            "result": "Succeeded",
            "message": UNHEARD,
        }
    ]


def test_a_restart_in_the_middle_that_hears_the_end_is_one_entry_as_if_there_was_none(
    board: Board, clock: Clock
) -> None:
    healthy(board)
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 5.1, "+elected-leader", OF_OLD)
    again = restarted(board, clock)
    say(again, 6.0, "+promoted-slave", OF_NEW, S3)
    for host in (S1, S2, S3):
        say(again, 6.2, "+switch-master", SWITCH, host)
    clock.seconds = 6.3
    again.confirm(NEW, SWITCHED, WHOLE)
    settle(again, after_the_switch())
    (entry,) = failovers(again)
    assert (entry["detected"], entry["elected"]) == ("2026-01-31T12:00:05.000Z", "2026-01-31T12:00:05.100Z")
    assert (entry["switched"], entry["published"]) == ("2026-01-31T12:00:06.200Z", "2026-01-31T12:00:06.300Z")
    assert (entry["result"], entry.get("message")) == ("Succeeded", None)


def test_a_switch_while_no_operator_was_there_is_told_with_the_new_master(board: Board, clock: Clock) -> None:
    """In the same document: an operator that ends right after it leaves nothing untold."""
    healthy(board)
    clock.seconds = 600
    again = restarted(board, clock)
    again.confirm(NEW, SWITCHED, WHOLE)
    entry = {
        "from": M,
        "to": S1,
        "cause": "Unknown",
        "at": "2026-01-31T12:10:00.000Z",
        "published": "2026-01-31T12:10:00.000Z",
        "configEpoch": 1,
        "result": "Succeeded",
        "message": FOUND,
    }
    assert [{key: value for key, value in each.items() if value} for each in failovers(again)] == [entry]
    told = failovers(again)
    say(again, 603, "+promoted-slave", OF_NEW)  # the leader was cut off for a while
    say(again, 604, "+switch-master", SWITCH)
    settle(again, after_the_switch())
    say(again, 900, "+switch-master", SWITCH)
    settle(again, after_the_switch())
    assert failovers(again) == told
    assert failovers(restarted(again, clock)) == told


async def test_what_is_stored_first_after_an_unheard_switch_has_its_entry(store: Store, clock: Clock) -> None:
    before = healthy(Board(WHOLE.ref, {}, store.write, clock)).document()
    again = Board(WHOLE.ref, before, store.write, clock)
    writing = asyncio.create_task(again.run())
    again.confirm(NEW, SWITCHED, WHOLE)
    await again.flush()
    writing.cancel()
    (stored,) = store.documents
    assert stored["master"]["host"] == stored["failovers"][-1]["to"] == S1


def test_the_next_failover_after_one_that_was_found_is_an_entry_of_its_own(board: Board, clock: Clock) -> None:
    healthy(board)
    again = restarted(board, clock)
    again.confirm(NEW, SWITCHED, WHOLE)
    say(again, 5, "+odown", f"master redis-cluster {ADDRESS[S1]} 6379 #quorum 2/2")
    say(again, 5.1, "+elected-leader", f"master redis-cluster {ADDRESS[S1]} 6379")
    assert [(each["from"], each.get("to"), each.get("result")) for each in failovers(again)] == [
        (M, S1, "Succeeded"),
        (S1, None, None),
    ]


def test_an_unheard_switch_of_a_master_that_was_called_down_was_a_failure(board: Board, clock: Clock) -> None:
    healthy(board)
    board.confirm(NO_MASTER, DOWN)
    again = restarted(board, clock)
    again.confirm(NEW, SWITCHED, WHOLE)
    assert [each["cause"] for each in failovers(again)] == ["Failure"]


def test_what_was_heard_before_an_unheard_switch_is_kept(board: Board, clock: Clock) -> None:
    healthy(board)
    say(board, 5, "+sdown", OF_OLD)
    say(board, 5.2, "+odown", f"{OF_OLD} #quorum 2/2")
    assert failovers(board) == []
    clock.seconds = 30
    board.confirm(NEW, SWITCHED, WHOLE)
    (entry,) = failovers(board)
    assert (entry["cause"], entry["at"], entry["detected"]) == (
        "Failure",
        "2026-01-31T12:00:05.000Z",
        "2026-01-31T12:00:05.200Z",
    )
    assert (entry["to"], entry["published"], entry["message"]) == (S1, "2026-01-31T12:00:30.000Z", FOUND)


# -- why nobody could be promoted


def shows(priority: int) -> dict[str, Fact[SentinelFacts | Denied | None]]:
    """Sentinels that call the master down and show its replicas with a priority."""
    rows = tuple(ReplicaView(ADDRESS[name], 6379, frozenset({"slave"}), "err", priority, 1) for name in (S1, S2, S3))
    seen = replace(view(M, 0, "s_down", "o_down"), replicas=rows)
    return {name: Known(SentinelFacts("3.2.6", "r", 2, False, ("redis-cluster",), seen)) for name in (S1, S2, S3)}


def abort(board: Board) -> None:
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 5.1, "+try-failover", OF_OLD)
    say(board, 5.2, "-failover-abort-no-good-slave", OF_OLD)


BY_PRIORITY = (
    "no replica could be promoted (-failover-abort-no-good-slave). redis_slave01, redis_slave02 and redis_slave03: its "
    "replica-priority is 0. Give one of those with priority 0 another (CONFIG SET slave-priority 100 there). The "
    "sentinels try again after twice failover-timeout."
)


def test_an_abort_names_the_replicas_at_once_where_the_sentinels_showed_why(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, shows(0), WHOLE)
    abort(board)
    assert [each["message"] for each in failovers(board)] == [BY_PRIORITY]


def test_an_abort_names_the_replicas_as_soon_as_the_sentinels_show_why(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, shows(100), WHOLE)
    abort(board)
    assert "Each of them is down, has priority 0, or " in failovers(board)[0]["message"]
    board.confirm(NO_MASTER, shows(0), WHOLE)
    assert [each["message"] for each in failovers(board)] == [BY_PRIORITY]
    board.confirm(NO_MASTER, shows(100), WHOLE)
    assert [each["message"] for each in failovers(board)] == [BY_PRIORITY], "that was why"
    say(board, 30, "-failover-abort-no-good-slave", OF_OLD)
    assert "Each of them is down, has priority 0, or " in failovers(board)[0]["message"], "it is not why any more"


def test_an_attempt_without_an_end_is_given_up_when_the_old_master_stays(board: Board, clock: Clock) -> None:
    healthy(board)
    say(board, 5, "+try-failover", OF_OLD)
    say(board, 5.1, "+elected-leader", OF_OLD)
    again = restarted(board, clock)
    again.confirm(OLD, {}, WHOLE)
    again.report(report(ClusterFacts(running().hosts, time.monotonic())), WHOLE)
    (entry,) = failovers(again)
    assert (entry["result"], entry["message"]) == (
        "Aborted",
        "its end was not heard of; redis_master01 is still master",
    )


def test_a_message_that_came_after_the_reading_is_not_doubted(board: Board) -> None:
    """The reading was calm, and while the pass worked on it somebody asked for a failover."""
    healthy(board)
    facts = ClusterFacts(running().hosts, time.monotonic())
    say(board, 5, "+try-failover", OF_OLD)
    board.report(report(facts), WHOLE)
    (entry,) = failovers(board)
    assert "result" not in entry


def test_one_switch_however_many_sentinels_tell_it_and_however_late(board: Board, clock: Clock) -> None:
    healthy(board)
    clock.seconds = 7
    say(board, 6.2, "+switch-master", SWITCH, S1)
    board.confirm(NEW, SWITCHED, WHOLE)
    told = board.document()["master"], failovers(board)
    for after, host in ((6.3, S2), (8.4, S3), (100, S1), (3600, S2)):
        clock.seconds = after
        say(board, after, "+switch-master", SWITCH, host)
        board.confirm(NEW, SWITCHED, WHOLE)
        assert (board.document()["master"], failovers(board)) == told


# -- a master that restarts


def test_a_restart_of_the_master_is_noted_once(board: Board) -> None:
    healthy(board)
    for after, host in ((2.0, S1), (7.4, S2), (11.9, S3)):  # each finds out at its next INFO
        say(board, after, "+reboot", OF_OLD, host)
    assert board.document()["master"]["restartedAt"] == "2026-01-31T12:00:02Z"
    say(board, 60.0, "+reboot", OF_OLD)
    assert board.document()["master"]["restartedAt"] == "2026-01-31T12:01:00Z"
    board.confirm(OLD, CALM, WHOLE)
    assert board.document()["master"]["restartedAt"] == "2026-01-31T12:01:00Z"
    board.confirm(NEW, SWITCHED, WHOLE)
    assert "restartedAt" not in board.document()["master"]


def test_a_restart_of_another_redis_is_no_restart_of_the_master(board: Board) -> None:
    before = healthy(board).document()
    say(board, 2.0, "+reboot", OF_NEW)
    say(board, 2.0, "+reboot", f"master redis-cluster {ADDRESS[S1]} 6379")
    assert board.document() == before


# -- following


def of_host(board: Board, name: str) -> dict[str, Any]:
    return next(each for each in board.document()["hosts"] if each["name"] == name)


def test_a_sentinel_that_is_not_heard_is_shown_at_once_at_its_host(board: Board) -> None:
    healthy(board)
    before = board.document()
    assert "followed" not in of_host(board, S1)
    for name in (S1, S2, S3):
        board.heard(name, Known("following"))
    assert of_host(board, S1) == next(each for each in before["hosts"] if each["name"] == S1) | {"followed": True}
    lost = Unknown("the sentinel on redis_slave01 did not answer in time", "NoAnswer")
    board.heard(S1, lost)
    assert of_host(board, S1)["followed"] is False
    assert of_host(board, S1)["message"] == lost.message
    assert of_host(board, S2)["followed"] is True
    board.heard(S1, Known("following"))
    assert of_host(board, S1)["followed"] is True
    assert "message" not in of_host(board, S1)


def test_a_sentinel_that_does_not_run_says_so_once(board: Board) -> None:
    healthy(board)
    board.heard(S1, Unknown("host redis_slave01: nobody listens on port 26379", "NoAnswer"))
    stopped = ClusterFacts(running().hosts | {S1: replace(alive(S1), sentinel=Known(None))}, 0.0)
    board.report(report(stopped), WHOLE)
    assert (of_host(board, S1)["followed"], of_host(board, S1)["message"]) == (False, "no sentinel runs there")


def test_after_a_restart_only_the_following_is_said_anew(board: Board, clock: Clock) -> None:
    healthy(board)
    again = restarted(board, clock)
    again.heard(S1, Unknown("gone", "NoAnswer"))
    assert of_host(again, S1) == of_host(board, S1) | {"followed": False}


def test_what_somebody_undid_is_kept_with_the_failover_that_it_led_to(board: Board) -> None:
    healthy(board)
    undone = report(running())
    assert undone.verdict is not None
    board.report(replace(undone, verdict=replace(undone.verdict, undone=f"{M} came up as a replica")), WHOLE)
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 5.1, "+elected-leader", OF_OLD)
    say(board, 6.0, "+promoted-slave", OF_NEW)
    board.confirm(NEW, SWITCHED, WHOLE)
    say(board, 6.1, "+switch-master", SWITCH)
    (entry,) = failovers(board)
    assert (entry["to"], entry["result"], entry["message"]) == (S1, "Succeeded", f"{M} came up as a replica")


def asked(step: str) -> Operation:
    return Operation("op1", "switchover", step, "t", "t", "t", "-", ADDRESS[M], ADDRESS[S1], 0, ADDRESS[S2])


def test_a_failover_that_a_procedure_asked_for_is_the_operators_own(board: Board) -> None:
    healthy(board)
    board.operate(asked("ask"))
    say(board, 5, "+try-failover", OF_OLD)
    say(board, 6, "+promoted-slave", OF_NEW)
    say(board, 7, "+switch-master", SWITCH)
    board.operate(None)
    say(board, 7.1, "+switch-master", SWITCH, S3)
    (entry,) = failovers(board)
    assert (entry["cause"], entry["from"], entry["to"]) == ("Ours", M, S1)


def test_one_that_was_told_before_the_record_was_read_again_is_so_too(board: Board) -> None:
    healthy(board)
    say(board, 5, "+try-failover", OF_OLD)
    say(board, 6, "+promoted-slave", OF_NEW)
    board.operate(asked("demote"))
    (entry,) = failovers(board)
    assert entry["cause"] == "Ours"


@pytest.mark.parametrize("step", ["prefer", "fence"])
def test_one_that_somebody_asked_for_before_the_procedure_did_is_not(board: Board, step: str) -> None:
    healthy(board)
    board.operate(asked(step))
    say(board, 5, "+try-failover", OF_OLD)
    say(board, 6, "+promoted-slave", OF_NEW)
    (entry,) = failovers(board)
    assert entry["cause"] == "Requested"


def test_a_failure_in_the_middle_of_a_procedure_stays_one(board: Board) -> None:
    healthy(board)
    board.operate(asked("ask"))
    say(board, 5, "+odown", f"{OF_OLD} #quorum 2/2")
    say(board, 6, "+promoted-slave", OF_NEW)
    (entry,) = failovers(board)
    assert entry["cause"] == "Failure"
