"""Where the Services lead to: every row of what evidence does to them, and what holds over any mix of answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.judge.endpoints import offer
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.master import mastership
from redis_sentinel_operator.model.endpoint import Endpoint, Offer
from redis_sentinel_operator.model.event import SentinelEvent
from redis_sentinel_operator.model.fact import ClusterFacts, Known, SentinelFacts
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import Confirmed, Uncertain
from unit.boarding import CALM, DOWN, NEW, NO_MASTER, NOON, OLD, SERVING, SWITCHED, WHOLE, Clock, Store, healthy, report
from unit.examples import tried
from unit.judge.clusters import (
    ADDRESS,
    OWNER,
    S1,
    S2,
    S3,
    M,
    RedisFact,
    SentinelFact,
    alive,
    facts,
    master,
    replica,
    running,
    sentinel,
    unreachable,
)
from unit.judge.test_master import REDISES, SENTINELS

READY, WITHDRAWN = (Endpoint(ADDRESS[M], True),), (Endpoint(ADDRESS[M], False),)
SAYS_SLAVE = Uncertain("RoleDisagrees", "It says slave.", ADDRESS[M])
UNREACHABLE = Uncertain("SentinelsUnreachable", "Nobody answers.")
SPLIT = Uncertain("SentinelsDisagree", "Two addresses.")


def offered(board: Board, before: Offer | None = None) -> Offer:
    return offer(board.known(), before or Offer())


def said(channel: str, payload: str, seconds: float) -> SentinelEvent:
    return SentinelEvent(S1, NOON.timestamp() + seconds, channel, payload, "redis-cluster")


# -- the rows


def test_a_confirmed_master_is_ready(board: Board) -> None:
    board.confirm(OLD, CALM, WHOLE)
    assert offered(board) == Offer(master=READY)


def test_a_master_that_a_majority_calls_down_is_withdrawn(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, DOWN)
    assert offered(board).master == WITHDRAWN
    assert "withdrawnSince" in board.document()["master"]


def test_a_master_that_answers_and_is_called_down_is_withdrawn(board: Board) -> None:
    healthy(board).confirm(SERVING, DOWN)
    assert offered(board).master == WITHDRAWN


def test_a_master_that_says_it_is_none_is_withdrawn(board: Board) -> None:
    healthy(board).confirm(SAYS_SLAVE, CALM)
    assert offered(board).master == WITHDRAWN


def test_what_one_sentinel_says_withdraws_nothing(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, CALM | {S1: sentinel(M, 0, "o_down")})
    assert offered(board).master == READY


def test_a_serving_master_is_ready_again_when_the_sentinels_had_their_time(board: Board, clock: Clock) -> None:
    healthy(board).confirm(SERVING, DOWN)
    clock.seconds = 20
    board.confirm(SERVING, DOWN)
    assert offered(board).master == WITHDRAWN
    clock.seconds = 20.1
    board.confirm(SERVING, DOWN)
    assert offered(board).master == READY
    assert not_reached(board, down_for=20.1)


def test_a_serving_master_is_ready_again_when_every_failover_was_aborted(board: Board, clock: Clock) -> None:
    old = f"master redis-cluster {ADDRESS[M]} 6379"
    healthy(board).event(said("+sdown", old, -1), WHOLE)
    board.event(said("+odown", f"{old} #quorum 2/2", 0), WHOLE)
    board.confirm(SERVING, DOWN)
    board.event(said("+try-failover", old, 0.1), WHOLE)
    clock.seconds = 1
    board.confirm(SERVING, DOWN)
    assert offered(board).master == WITHDRAWN, "an attempt goes on"
    board.event(said("-failover-abort-no-good-slave", old, 1), WHOLE)
    board.confirm(SERVING, DOWN)
    assert offered(board).master == READY
    assert not_reached(board, down_for=1, aborted=True)
    board.event(said("+try-failover", old, 8), WHOLE)
    clock.seconds = 8
    board.confirm(SERVING, DOWN)
    assert offered(board).master == WITHDRAWN, "the next attempt goes on"


def test_an_abort_of_an_earlier_outage_does_not_count(board: Board, clock: Clock) -> None:
    old = f"master redis-cluster {ADDRESS[M]} 6379"
    healthy(board).event(said("+odown", f"{old} #quorum 2/2", 0), WHOLE)
    board.event(said("+try-failover", old, 0.1), WHOLE)
    board.event(said("-failover-abort-no-good-slave", old, 1), WHOLE)
    clock.seconds = 3600
    board.confirm(SERVING, DOWN)
    clock.seconds = 3601
    board.confirm(SERVING, DOWN)
    assert offered(board).master == WITHDRAWN


@pytest.mark.parametrize("found", [replace(SERVING, replicas=0), NO_MASTER], ids=["without replicas", "dead"])
def test_a_master_that_serves_nobody_stays_withdrawn(board: Board, clock: Clock, found: Confirmed | Uncertain) -> None:
    healthy(board).confirm(found, DOWN)
    clock.seconds = 60
    board.confirm(found, DOWN)
    assert offered(board).master == WITHDRAWN


def test_a_successor_takes_the_place_in_one(board: Board) -> None:
    healthy(board).confirm(NO_MASTER, DOWN)
    board.confirm(NEW, SWITCHED)
    assert offered(board).master == (Endpoint(ADDRESS[S1], True),)


@pytest.mark.parametrize("found", [UNREACHABLE, SPLIT, NO_MASTER])
def test_no_evidence_changes_nothing(board: Board, found: Uncertain) -> None:
    healthy(board).confirm(found, {})
    assert offered(board).master == READY
    board.confirm(NO_MASTER, DOWN)
    board.confirm(found, {})
    assert offered(board).master == WITHDRAWN


def test_a_new_process_touches_nothing_before_it_has_judged(board: Board, store: Store, clock: Clock) -> None:
    stored = healthy(board).document()
    again = Board(WHOLE.ref, stored, store.write, clock)
    assert offered(again) == Offer()
    again.confirm(UNREACHABLE, {}, WHOLE)
    again.report(report(running()), WHOLE)
    assert offered(again) == Offer(), "what was published may be newer than the status that was stored"
    again.confirm(NO_MASTER, DOWN)
    assert offered(again).master == WITHDRAWN
    again.confirm(NEW, SWITCHED)
    assert offered(again).master == (Endpoint(ADDRESS[S1], True),)


def test_a_withdrawal_that_was_stored_is_judged_anew(board: Board, store: Store, clock: Clock) -> None:
    healthy(board).confirm(NO_MASTER, DOWN)
    again = Board(WHOLE.ref, board.document(), store.write, clock)
    again.confirm(UNREACHABLE, {}, WHOLE)
    assert offered(again) == Offer()
    again.confirm(OLD, CALM)
    assert offered(again).master == READY


def not_reached(board: Board, down_for: float, aborted: bool = False) -> bool:
    """Whether a pass says of this that the sentinels do not reach the master."""
    down = {name: replace(alive(name), sentinel=DOWN[name]) for name in (S1, S2, S3)}
    read = facts(*down.values(), of=alive)
    verdict = judge(WHOLE, read, board.last_master, JudgeContext(OWNER, None, down_for=down_for, aborted=aborted))
    board.report(Report(1, read, verdict, Plan(), (), "all is as declared"), WHOLE)
    said = next(each for each in board.document()["conditions"] if each["type"] == "QuorumHealthy")
    return (said["status"], said["reason"]) == ("False", "SentinelsCannotReachMaster")


# -- replicas and sentinels


def told(board: Board, read: ClusterFacts, before: Offer | None = None) -> dict[str, bool]:
    """The replicas of a reading, and whether each is ready."""
    board.report(report(read), WHOLE)
    found = offered(board, before).replicas
    assert found is not None
    return {each.address: each.ready for each in found}


def replicas(**ready: bool) -> dict[str, bool]:
    return {ADDRESS[name]: ready.get(name, True) for name in (S1, S2, S3)}


def test_replicas_with_their_link_up_and_sentinels_that_answer_are_ready(board: Board) -> None:
    found = offered(healthy(board))
    everybody = tuple(Endpoint(ADDRESS[name], True) for name in (S1, S2, S3))
    assert found == Offer(READY, everybody, everybody)


@pytest.mark.parametrize(
    "redis", [replica(link="down"), replica(syncing=True), replica(of=S2), master(), Known(None)], ids=repr
)
def test_a_replica_that_does_not_follow_is_not_ready(board: Board, redis: RedisFact) -> None:
    assert told(healthy(board), facts(replace(alive(S1), redis=redis), of=alive)) == replicas(**{S1: False})


def test_a_replica_that_cannot_be_read_is_as_its_master_says(board: Board) -> None:
    listed = facts(unreachable(S1), of=alive)
    assert told(healthy(board), listed) == replicas()
    not_listed = facts(unreachable(S1), replace(alive(M), redis=master(S2, S3)), of=alive)
    assert told(board, replace(not_listed, at=3.0)) == replicas(**{S1: False})


def test_replicas_of_which_nobody_can_tell_stay_as_they_were(board: Board) -> None:
    before = offered(healthy(board))
    assert told(board, facts(of=unreachable), before) == replicas()
    assert told(board, facts(of=unreachable), Offer()) == dict.fromkeys(replicas(), False)


def test_after_a_switch_nobody_is_a_replica_before_it_was_seen_to_follow(board: Board) -> None:
    healthy(board).confirm(NEW, SWITCHED)
    found = offered(board).replicas
    assert found == tuple(Endpoint(ADDRESS[name], False) for name in (M, S2, S3))


def test_sentinels_that_do_not_answer_are_not_ready(board: Board) -> None:
    stopped = replace(alive(S2), sentinel=Known(None))
    board.confirm(OLD, CALM, WHOLE)
    board.report(report(facts(unreachable(S1), stopped, of=alive)), WHOLE)
    assert offered(board).sentinels == tuple(Endpoint(ADDRESS[name], name == S3) for name in (S1, S2, S3))


def test_sentinels_stay_as_they_were_when_the_operator_is_cut_off(board: Board) -> None:
    before = offered(healthy(board))
    board.report(report(facts(of=unreachable)), WHOLE)
    assert offered(board, before).sentinels == before.sentinels


# -- what holds over any mix of answers

SERVERS = REDISES | st.just({name: master(*(other for other in ADDRESS if other != name)) for name in ADDRESS})


@settings(max_examples=tried(300))
@given(st.lists(st.tuples(SENTINELS, SERVERS, st.floats(0, 30)), max_size=12))
def test_never_two_masters_and_never_one_that_was_not_confirmed_last(
    readings: list[tuple[dict[str, SentinelFact], dict[str, RedisFact], float]],
) -> None:
    clock = Clock()
    board, found, last = Board(WHOLE.ref, {}, Store().write, clock), Offer(), ""
    for sentinels, redis, pause in readings:
        clock.seconds += pause
        judged = mastership(WHOLE, sentinels, redis, board.last_master)
        board.confirm(judged, sentinels, WHOLE)
        before, found = found, offer(board.known(), found)
        last = judged.address if isinstance(judged, Confirmed) else last
        if not last:
            assert found == Offer()
            continue
        assert found.master is not None
        (only,) = found.master
        assert only.address == last
        if _called_down(sentinels, last) and not getattr(judged, "replicas", 0):
            assert not only.ready
        if isinstance(judged, Uncertain) and only.ready:
            assert before.master == found.master, "nobody becomes ready without being confirmed"


def _called_down(sentinels: Mapping[str, SentinelFact], address: str) -> bool:
    """Whether two of the three declared sentinels show o_down for the address."""
    seen = [fact.value for name, fact in sentinels.items() if name in CALM and isinstance(fact, Known)]
    views = [facts.view for facts in seen if isinstance(facts, SentinelFacts) and facts.view]
    return sum("o_down" in view.flags and view.told_address == address for view in views) >= 2
