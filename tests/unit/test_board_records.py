"""What the board keeps: bootstrap, acts, failovers; and its one writer, in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_writer import NO_HURRY
from redis_sentinel_operator.errors import ApiUnavailable, ObjectReplaced
from redis_sentinel_operator.model.event import SentinelEvent
from redis_sentinel_operator.model.fact import Known, Unknown
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import BootstrapRecord, Finding, Uncertain
from unit.boarding import (
    CALM,
    DOWN,
    NEW,
    NO_MASTER,
    NOON,
    SWITCHED,
    WHOLE,
    Clock,
    Store,
    condition,
    healthy,
    report,
)
from unit.judge.clusters import (
    ADDRESS,
    S1,
    S2,
    S3,
    M,
    running,
)

# -- bootstrap, acts, events, deletion


def test_the_bootstrap_is_kept(board: Board, clock: Clock, store: Store) -> None:
    board.begin_bootstrap("b1", M)
    assert board.bootstrap == BootstrapRecord("b1", M, "2026-01-31T12:00:00Z")
    clock.seconds = 8
    again = Board(WHOLE.ref, board.document(), store.write, clock)
    again.complete_bootstrap()
    done = BootstrapRecord("b1", M, "2026-01-31T12:00:00Z", "2026-01-31T12:00:08Z")
    assert again.bootstrap == done
    clock.seconds = 9
    again.complete_bootstrap()
    assert again.bootstrap == done


def test_how_long_the_master_has_been_it_outlives_the_operator(
    board: Board, clock: Clock, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert board.last_for == 0.0
    healthy(board)
    clock.seconds = 40
    board.confirm(NEW, SWITCHED, WHOLE)
    clock.seconds = 47.5
    assert Board(WHOLE.ref, board.document(), store.write, clock).last_for == 6.5  # status keeps whole seconds
    steady = [100.0]
    monkeypatch.setattr("redis_sentinel_operator.board_failovers.time.monotonic", lambda: steady[0])
    new = healthy(Board(WHOLE.ref, {}, store.write, clock))
    steady[0] += 3.0
    assert new.last_for == 3.0, "by the clock that never jumps"


def test_acts_are_answered_once_and_the_last_ten_are_kept(board: Board) -> None:
    for minute in range(12):
        board.act("adopt-claim", "-", f"2026-01-31T12:{minute:02d}:00Z", "Done", "It was done.")
    acts = board.document()["acts"]
    assert [act["at"] for act in acts] == [f"2026-01-31T12:{minute:02d}:00Z" for minute in range(2, 12)]
    assert "2026-01-31T12:00:00Z" in board.answered


def test_an_act_that_is_no_act_is_answered_with_a_time_that_the_api_takes(board: Board, store: Store) -> None:
    board.act("", "", "please do something", "Refused", "Write it as ...")
    assert board.document()["acts"] == [
        {
            "verb": "unknown",
            "arg": "please do something",
            "at": "2026-01-31T12:00:00Z",
            "result": "Refused",
            "message": "Write it as ...",
        }
    ]
    assert "please do something" in Board(WHOLE.ref, board.document(), store.write, Clock()).answered


def test_a_failover_is_one_entry_with_the_time_of_its_publication(board: Board, clock: Clock) -> None:
    healthy(board)
    old, new = f"master {'redis-cluster'} {ADDRESS[M]} 6379", f"{ADDRESS[S1]}:6379 {ADDRESS[S1]} 6379"
    at = NOON.timestamp() + 10
    told = [
        (0.0, "+sdown", old),
        (0.1, "+odown", f"{old} #quorum 2/2"),
        (0.2, "+elected-leader", old),
        (1.2, "+promoted-slave", f"slave {new} @ redis-cluster {ADDRESS[M]} 6379"),
        (1.4, "+switch-master", f"redis-cluster {ADDRESS[M]} 6379 {ADDRESS[S1]} 6379"),
    ]
    for later, channel, payload in told:
        for host in (S1, S2, S3):
            board.event(SentinelEvent(host, at + later, channel, payload, "redis-cluster"), WHOLE)
    clock.seconds = 12.345
    board.confirm(NEW, SWITCHED)
    (entry,) = board.document()["failovers"]
    assert (entry["from"], entry["to"], entry["cause"]) == (M, S1, "Failure")
    assert entry["published"] == "2026-01-31T12:00:12.345Z"
    assert board.document()["master"]["since"] == "2026-01-31T12:00:11Z"
    again = Board(WHOLE.ref, board.document(), Store().write, clock)
    assert again.document() == board.document()


def test_a_master_that_sentinels_suspect_for_a_moment_is_no_failover(board: Board) -> None:
    healthy(board)
    before = board.document()
    for channel in ("+sdown", "-sdown"):
        payload = f"master redis-cluster {ADDRESS[M]} 6379"
        board.event(SentinelEvent(S1, NOON.timestamp(), channel, payload, "redis-cluster"), WHOLE)
        assert board.document() == before


def test_a_switch_that_is_told_after_it_was_seen_bears_the_time_of_its_publication(board: Board, clock: Clock) -> None:
    healthy(board)
    clock.seconds = 10
    board.confirm(NEW, SWITCHED)
    payload = f"redis-cluster {ADDRESS[M]} 6379 {ADDRESS[S1]} 6379"
    board.event(SentinelEvent(S2, NOON.timestamp() + 10.1, "+switch-master", payload, "redis-cluster"), WHOLE)
    (entry,) = board.document()["failovers"]
    assert (entry["from"], entry["to"], entry["published"]) == (M, S1, "2026-01-31T12:00:10.000Z")
    assert (entry["switched"], "message" in entry) == ("2026-01-31T12:00:10.100Z", False)


def test_what_was_said_of_the_services_stays_over_a_restart(board: Board, store: Store, clock: Clock) -> None:
    healthy(board).services(Finding(True, "ServicesFollow", "They lead to the master."))
    clock.seconds = 60
    again = healthy(Board(WHOLE.ref, board.document(), store.write, clock))
    assert again.document() == board.document()
    again.services(Finding(False, "ServiceNotOurs", "It is another's."))
    assert condition(again, "EndpointsInSync") == {
        "type": "EndpointsInSync",
        "status": "False",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-31T12:01:00Z",
        "reason": "ServiceNotOurs",
        "message": "It is another's.",
    }
    assert (again.document()["phase"], condition(again, "Ready")["status"]) == ("Healthy", "True")


def test_deleting(board: Board) -> None:
    healthy(board).deleting()
    assert board.document()["phase"] == "Deleting"
    assert condition(board, "Ready")["status"] == "False"


# -- the writer, in virtual time


@pytest.mark.looptime
async def test_the_latest_wins_and_the_document_is_whole(board: Board, store: Store, writing: object) -> None:
    store.seconds = 1.0
    healthy(board)
    await asyncio.sleep(0.5)  # the first write goes on
    for epoch in range(1, 6):
        board.confirm(replace(NEW, config_epoch=epoch), SWITCHED)
    await board.flush()
    assert [each["master"]["configEpoch"] for each in store.documents] == [0, 5]
    assert store.documents[-1] == board.document()


@pytest.mark.looptime
async def test_equal_documents_are_not_written(board: Board, store: Store, writing: object) -> None:
    healthy(board)
    await board.flush()
    for _ in range(20):
        healthy(board)
        await board.flush()
        await asyncio.sleep(10)
    assert len(store.documents) == 1


@pytest.mark.looptime
async def test_what_somebody_may_have_changed_is_written_again(board: Board, store: Store, writing: object) -> None:
    healthy(board)
    await board.flush()
    board._writer.again()
    await board.flush()
    assert store.documents == [board.document(), board.document()]


@pytest.mark.looptime
async def test_a_switch_finds_no_message_of_a_sentinel_being_written(
    board: Board, store: Store, writing: object, looptime: Any
) -> None:
    healthy(board)
    await board.flush()
    store.seconds = 1.0
    _promoted(board)
    await asyncio.sleep(0.05)  # the reading that the message led to
    board.confirm(Uncertain("SentinelsDisagree", "Two addresses."), CALM, WHOLE)
    await asyncio.sleep(0.05)  # and the one after it
    board.confirm(NEW, SWITCHED, WHOLE)
    await asyncio.sleep(1.01)
    assert [each["master"]["host"] for each in store.documents] == [M, S1]
    assert store.documents[-1]["failovers"][0]["to"] == S1


@pytest.mark.looptime
@pytest.mark.parametrize("under_way", [False, True])
async def test_messages_of_sentinels_are_written_soon_however_many_come(
    board: Board, store: Store, writing: object, under_way: bool
) -> None:
    healthy(board)
    if not under_way:
        await board.flush()
    store.seconds = 0.05
    await asyncio.sleep(0.01)
    _promoted(board)
    for _ in range(7):
        await asyncio.sleep(0.1)
        board._writer.put(board.document(), NO_HURRY)
    assert len(store.documents) == 2
    assert store.documents[-1]["failovers"][0]["to"] == S1


@pytest.mark.looptime
@pytest.mark.parametrize(("away", "writes"), [(0.2, 0), (1.0, 2)])
async def test_a_sentinel_that_is_lost_for_a_moment_is_no_news(
    board: Board, store: Store, writing: object, away: float, writes: int
) -> None:
    healthy(board)
    board.heard(S1, Known("following"))
    await board.flush()
    before = len(store.documents)
    board.heard(S1, Unknown("the connection was closed", "NoAnswer"))
    await asyncio.sleep(away)
    board.heard(S1, Known("following"))
    await asyncio.sleep(1.0)
    assert len(store.documents) - before == writes


@pytest.mark.looptime
async def test_a_master_that_is_down_is_told_at_once(board: Board, store: Store, writing: object) -> None:
    healthy(board)
    await board.flush()
    board.confirm(NO_MASTER, DOWN, WHOLE)
    await asyncio.sleep(0.01)
    assert store.documents[-1]["master"]["withdrawnSince"]


@pytest.mark.looptime
async def test_the_beginning_of_a_failover_is_written_at_once(board: Board, store: Store, writing: object) -> None:
    """It is news of its own, also where the switch follows within the patience for that."""
    healthy(board)
    await board.flush()
    elected = SentinelEvent(S1, NOON.timestamp(), "+elected-leader", f"master redis-cluster {ADDRESS[M]} 6379", "")
    board.event(elected, WHOLE)
    await asyncio.sleep(0.01)
    _promoted(board)
    await asyncio.sleep(0.01)
    assert "promoted" not in store.documents[-1]["failovers"][0]


def _promoted(board: Board) -> None:
    payload = f"slave {ADDRESS[S1]}:6379 {ADDRESS[S1]} 6379 @ redis-cluster {ADDRESS[M]} 6379"
    board.event(SentinelEvent(S1, NOON.timestamp(), "+promoted-slave", payload, "redis-cluster"), WHOLE)


@pytest.mark.looptime
async def test_a_failed_write_is_repeated_with_the_latest(
    board: Board, store: Store, writing: object, looptime: Any
) -> None:
    store.failures = [ApiUnavailable("503"), ApiUnavailable("503"), TimeoutError("no answer"), ValueError("a mistake")]
    healthy(board)
    await asyncio.sleep(0.3)
    board.confirm(NEW, SWITCHED)
    await board.flush()
    assert [each["master"]["host"] for each in store.documents] == [S1]
    assert looptime == pytest.approx(0.2 + 0.4 + 0.8 + 1.6)


@pytest.mark.looptime
async def test_a_write_that_failed_and_arrived_is_repaired(board: Board, store: Store, writing: object) -> None:
    """A document, another that fails (but may be stored), and back to the first: it must be written again."""
    healthy(board)
    await board.flush()
    store.failures = [ApiUnavailable("the connection broke after the request")]
    board.report(report(running(), Plan(waiting=("redis waits",))), WHOLE)
    await asyncio.sleep(0.1)
    healthy(board)
    await board.flush()
    assert store.documents == [board.document(), board.document()]


@pytest.mark.looptime
async def test_an_object_that_was_replaced_ends_the_writer_and_every_flush(
    board: Board, store: Store, writing: asyncio.Task[None]
) -> None:
    store.failures = [ObjectReplaced("another uid")]
    board.begin_bootstrap("b1", M)
    with pytest.raises(ObjectReplaced):
        await board.flush()
    with pytest.raises(ObjectReplaced):
        await writing
    board.complete_bootstrap()
    with pytest.raises(ObjectReplaced):
        await board.flush()
    assert store.documents == []


@pytest.mark.looptime
async def test_flush_waits_for_the_bootstrap_record(board: Board, store: Store, writing: object, looptime: Any) -> None:
    store.seconds = 2.0
    healthy(board)
    await asyncio.sleep(1.0)  # this document is being written
    board.begin_bootstrap("b1", M)
    await board.flush()
    assert looptime == pytest.approx(4.0)
    assert store.documents[-1]["bootstrap"]["id"] == "b1"


def test_nothing_is_called_well_after_a_switch_before_all_was_read(board: Board) -> None:
    healthy(board)
    assert board.document()["phase"] == "Healthy"
    board.confirm(NEW, SWITCHED, WHOLE)
    status = board.document()
    assert (status["phase"], status["master"]["host"]) == ("Degraded", NEW.host)
    assert status["message"] == "The master has changed just now, and all hosts are read anew."


def test_the_bootstrap_that_another_operator_began_before_is_taken_over(board: Board) -> None:
    board.begin_bootstrap("ours", M)
    board.begun_by_another({"bootstrap": {"id": "theirs", "master": S1, "startedAt": "2026-01-31T11:59:59Z"}})
    assert board.bootstrap == BootstrapRecord("theirs", S1, "2026-01-31T11:59:59Z")
    board.complete_bootstrap()
    assert board.bootstrap.completed_at, "the one that is there is completed"
    assert board.document()["bootstrap"]["id"] == "theirs"
