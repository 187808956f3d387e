"""Each step of a drill: what it does next, when it is through, and when redis is started again as the master it was."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.event import Failover
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, SurveyFacts, Unknown
from redis_sentinel_operator.model.operation import ForgetOperation, Operation, StartAgain, StopMaster
from redis_sentinel_operator.model.step import Impact, Plan, StartUnit, Step
from redis_sentinel_operator.operations import drill
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import failed, next_move
from unit.operations.scenes import (
    NOBODY,
    NOON,
    NOON_TEXT,
    SWITCHED,
    carrying,
    config,
    facts,
    no_quorum,
    not_calm,
    of_a_drill,
    redis,
    scene,
    unread,
)
from unit.plan.world import (
    ADDRESS,
    S1,
    S2,
    S3,
    Change,
    M,
    desired,
    sees,
    stopped_redis,
    unreachable,
    with_unit,
)

WISH = Wish("drill", "-", "2026-01-31T11:59:59Z")
UNIT = "redis.service"


def cleanly(host: HostFacts) -> HostFacts:
    """Redis stopped as systemctl stops it."""
    return with_unit(stopped_redis(host), EL7.redis_unit, active="inactive")


def test_the_record_has_all_that_whoever_goes_on_must_know() -> None:
    begun = drill.begin(scene(facts(M=redis(offset=4711))), replace(WISH, arg=M))
    assert isinstance(begun, Operation)
    assert begun == Operation(
        begun.id, "drill", "stop", NOON_TEXT, NOON_TEXT, WISH.at, M, ADDRESS[M], "", 1, "", 4711, {}
    )
    assert drill.announce(scene(), begun) == f"redis on {M} is to be stopped, so that the sentinels replace it"


WELL = "; a drill begins only while all is well: ask again when phase is Healthy"
FIRST = "something is to be done first: {}; ask again when phase is Healthy"
SLOW = desired(sentinel=replace(desired().sentinel, failover_timeout=180_000))
REFUSED: dict[str, tuple[Scene, Wish, str]] = {
    **not_calm(WISH, WELL),
    **no_quorum(WISH, WELL),
    **unread(WISH, FIRST),
    "another-host": (
        scene(),
        replace(WISH, arg=S1),
        f"a drill is for the master, which is {M}: name that, or - for whoever it is",
    ),
    "changes-to-be-made": (scene(pending=f"{S1}: set repl-timeout"), WISH, FIRST.format(f"{S1}: set repl-timeout")),
    "nobody-to-promote": (
        scene(facts(**{each: config(slave_priority="0") for each in ("S1", "S2", "S3")})),
        WISH,
        "no replica can become master: "
        + "; ".join(
            f"{each} has replica-priority 0, so that no sentinel promotes it: give it another one there first"
            for each in (S1, S2, S3)
        ),
    ),
    "no-room-for-a-resynchronisation": (
        scene(
            facts(
                M=redis(used_memory=3 * 2**30),
                S3=lambda host: replace(host, survey=Known(SurveyFacts((0, 0), free=2**20))),
            )
        ),
        WISH,
        f"Redis before 4.0 sends all data anew to every replica after a switch, and {S3} has 1 MiB of disk left for a "
        "dump of 3.0 GiB: make room there",
    ),
    "cannot-save": (
        scene(facts(M=redis(saved_ok=False))),
        WISH,
        f"{M} cannot write its data to disk, and would not be stopped without: make room there first",
    ),
    "memory-only": (
        scene(facts(M=config(save=""))),
        WISH,
        f"{M} keeps its data in memory only: if no failover came it would be started again without them. Set save or "
        "appendonly in spec.redis.config first",
    ),
    "slow-sentinels": (
        scene(what=SLOW),
        WISH,
        "with these settings the sentinels may take 545 s, and a drill waits for at most 300 s: lower "
        "spec.sentinel.downAfterMilliseconds or failoverTimeoutMilliseconds first",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_does_not_begin(case: str) -> None:
    now, wish, message = REFUSED[case]
    assert drill.begin(now, wish) == message


def test_an_append_only_file_is_as_good_as_a_dump() -> None:
    assert isinstance(drill.begin(scene(facts(M=config(save="", appendonly="yes"))), WISH), Operation)


# -- stop


def test_the_master_is_stopped_where_all_is_well() -> None:
    now = next_move(scene(), of_a_drill())
    (step,) = now.steps
    assert (step.host, step.what, step.impact) == (M, f"stop redis ({UNIT})", Impact.FAILOVER)
    assert step.action == StopMaster(UNIT, 1)
    assert (now.record, now.then) == (of_a_drill(), None)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (scene(facts(S1=stopped_redis)), f"{S1}: its redis does not run"),
        (scene(None, NOBODY), "No majority names one"),
        (scene(leaving="management became Paused"), "management became Paused"),
        (scene(after=91), "the step stop did not end within 90 s"),
    ],
)
def test_a_master_that_runs_is_left_running_where_anything_is_different(now: Scene, why: str) -> None:
    moved = next_move(now, of_a_drill())
    assert moved.record == replace(of_a_drill(), step="restore", since=moved.record.since, result="Failed", message=why)
    assert moved.steps == ()


@pytest.mark.parametrize("more", [{}, {"leaving": "management became Paused"}, {"after": 500}])
def test_a_master_that_is_stopped_is_followed_whatever_else_is_wanted(more: dict[str, object]) -> None:
    now = next_move(scene(facts(M=cleanly), NOBODY, **more), of_a_drill())  # type: ignore[arg-type]
    assert (now.record.step, now.record.result, now.steps) == ("watch", "", ())


def test_a_stop_that_may_have_been_heard_is_looked_after_and_a_refused_one_goes_back() -> None:
    (step,) = next_move(scene(), of_a_drill()).steps
    assert failed(of_a_drill(), step, "no answer", begun=True, sure=False, now=NOON) is None
    assert failed(of_a_drill(), step, "not yet", begun=False, sure=True, now=NOON) is None
    back = failed(of_a_drill(), step, "a replica is behind", begun=True, sure=True, now=NOON)
    assert back is not None
    assert (back.step, back.result, back.message) == ("restore", "Failed", f"{M}: a replica is behind")


def test_while_it_stops_it_does_not_answer() -> None:
    now = next_move(scene(facts(M=lambda host: replace(host, redis=Unknown("silent")))), of_a_drill())
    assert (now.record, now.steps) == (of_a_drill(), ())


# -- watch


@pytest.mark.parametrize("found", [None, NOBODY])
def test_nothing_is_done_while_the_sentinels_are_at_work(found: object) -> None:
    now = next_move(scene(facts(M=cleanly), found, after=34), of_a_drill("watch"))  # type: ignore[arg-type]
    assert (now.record, now.steps) == (of_a_drill("watch"), ())


def test_when_they_have_switched_it_comes_back_as_the_plan_wants() -> None:
    mine = Step(M, "start redis (redis.service)", "why", StartUnit(UNIT, 6379, False), 4)
    other = Step(S1, "set something", "why", StartUnit(UNIT, 6379, False), 4)
    now = next_move(scene(facts(M=cleanly), SWITCHED, after=400, todo=Plan((other, mine))), of_a_drill("watch"))
    assert (now.record.step, now.steps) == ("rejoin", (mine,))


def test_somebody_else_may_start_it_before() -> None:
    now = next_move(scene(after=3), of_a_drill("watch"))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == (f"redis on {M} was started by somebody before the sentinels had replaced it")


# -- rejoin

HEARD = Failover(
    M, S2, "Drill", "2026-01-31T12:00:05.100Z",
    detected="2026-01-31T12:00:05.200Z", elected="2026-01-31T12:00:05.300Z",
    promoted="2026-01-31T12:00:06.400Z", published="2026-01-31T12:00:06.600Z",
)  # fmt: skip
BACK = redis(role="slave", master_address=ADDRESS[S2], link="up")
FOLLOWING: dict[str, Change] = {"S2": redis(role="master"), "M": BACK}


def test_it_is_done_when_the_stopped_one_follows_the_new_master() -> None:
    now = next_move(scene(facts(**FOLLOWING), SWITCHED, failover=HEARD), of_a_drill("rejoin"))
    assert (now.record.step, now.record.result) == ("restore", "Done")
    assert now.record.message == (
        f"{S2} is the master at config epoch 2. Counted from the stop: the sentinels agreed that it is down after "
        "5.2 s, elected one of them after 5.3 s, promoted the replica after 6.4 s, status named it after 6.6 s; "
        f"{M} is its replica"
    )


@pytest.mark.parametrize("last", [None, replace(HEARD, from_host=S3)])
def test_what_was_not_heard_is_not_measured(last: Failover | None) -> None:
    now = next_move(scene(facts(**FOLLOWING), SWITCHED, failover=last), of_a_drill("rejoin"))
    assert now.record.message == (
        f"{S2} is the master at config epoch 2; the operator did not hear how it came; {M} is its replica"
    )


def test_one_that_does_not_come_back_in_time_is_told_with_what_was_measured() -> None:
    syncing = facts(S2=redis(role="master"), M=redis(role="slave", master_address=ADDRESS[S2], syncing=True))
    kept = next_move(scene(syncing, SWITCHED, failover=HEARD, after=179), of_a_drill("rejoin"))
    assert kept.record == of_a_drill("rejoin")
    now = next_move(scene(syncing, SWITCHED, failover=HEARD, after=181), of_a_drill("rejoin"))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message.startswith(f"{S2} is the master at config epoch 2. Counted from the stop: ")
    assert now.record.message.endswith("after 6.6 s; the step rejoin did not end within 180 s")


# -- back

NO_FAILOVER = "no failover came about within 35 s"
ABORTED = Failover(M, "", "Failure", NOON_TEXT, result="Aborted", message="No replica could be promoted. Look there.")


@pytest.mark.parametrize(
    ("last", "why"), [(None, NO_FAILOVER), (ABORTED, f"{NO_FAILOVER} (No replica could be promoted. Look there)")]
)
def test_without_a_failover_it_goes_back(last: Failover | None, why: str) -> None:
    now = next_move(scene(facts(M=cleanly), NOBODY, after=36, failover=last), of_a_drill("watch"))
    assert (now.record.step, now.record.message, now.record.result) == ("back", why, "")
    assert now.steps == ()


def back(**changes: object) -> Operation:
    return of_a_drill("back", message=NO_FAILOVER, **changes)


def down(**changed: Change) -> ClusterFacts:
    return facts(**{"M": cleanly, **changed})


def test_a_master_that_was_stopped_cleanly_is_started_where_nobody_was_promoted() -> None:
    now = next_move(scene(down(), NOBODY, after=5), back())
    (step,) = now.steps
    assert (step.host, step.what, step.action) == (
        M,
        f"start redis again ({UNIT})",
        StartAgain(UNIT, EL7.redis_log, 1),
    )
    assert step.why == f"{NO_FAILOVER}, and the drill had stopped it"
    assert now.record == back()


def sentinel(master: str = M, **changes: object) -> Change:
    return lambda host: replace(host, sentinel=sees(master, **changes))


NOT_AGAIN: dict[str, tuple[ClusterFacts, str]] = {
    "killed": (down(M=stopped_redis), "it is not proved that it was stopped cleanly (its unit is failed)"),
    "unread": (down(M=unreachable), f"{M} could not be read"),
    "silent": (
        down(M=lambda host: replace(host, redis=Unknown("silent"))),
        "it is not proved that it was stopped cleanly (its unit is active)",
    ),
    "a-sentinel-away": (down(S3=unreachable), "not every declared sentinel answers and names the same master"),
    "one-names-another": (
        down(S3=sentinel(S2, config_epoch=2)),
        "not every declared sentinel answers and names the same master",
    ),
    "all-name-another": (
        down(**{each: sentinel(S2) for each in ("S1", "S2", "S3")}),
        f"the sentinel on {S1} names another",
    ),
    "a-failover-begins": (
        down(S2=sentinel(flags=frozenset({"master", "o_down", "failover_in_progress"}))),
        f"the sentinel on {S2} is in a failover (failover_in_progress)",
    ),
    "another-epoch": (
        down(**{each: sentinel(config_epoch=2) for each in ("S1", "S2", "S3")}),
        "the sentinels are at another config epoch by now",
    ),
    "one-was-promoted": (down(S2=redis(role="master")), f"redis on {S2} runs as a master"),
    "one-may-have-been": (
        down(S2=lambda host: replace(host, redis=Unknown("silent"))),
        f"redis on {S2} could not be read",
    ),
}


@pytest.mark.parametrize("case", NOT_AGAIN)
def test_it_is_not_started_where_somebody_may_have_been_promoted(case: str) -> None:
    read, reason = NOT_AGAIN[case]
    now = next_move(scene(read, NOBODY, after=59), back())
    assert (now.record, now.steps) == (back(), ())
    assert now.says.endswith(f"redis stays stopped for now: {reason}")
    late = next_move(scene(read, NOBODY, after=61), back())
    assert (late.record.step, late.record.result, late.steps) == ("restore", "Failed", ())
    assert late.record.message == (
        f"{NO_FAILOVER}, and redis on {M} stays stopped, as somebody else may be master: {reason}. If the sentinels "
        "switch, the operator brings it back as a replica; if you know that nobody else was promoted, start it there"
    )


def test_a_replica_that_is_proved_to_be_stopped_does_not_stand_in_the_way() -> None:
    now = next_move(scene(down(S2=stopped_redis), NOBODY, after=5), back())
    assert [type(step.action) for step in now.steps] == [StartAgain]


@pytest.mark.parametrize("after", [5, 500])
def test_a_failover_that_came_after_all_is_followed(after: float) -> None:
    now = next_move(scene(down(S2=redis(role="master")), SWITCHED, after=after), back())
    assert (now.record.step, now.record.message) == ("rejoin", "")


def test_when_it_runs_again_the_drill_has_failed_and_nothing_else() -> None:
    now = next_move(scene(after=5), back())
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == f"{NO_FAILOVER}; redis on {M} runs again, with all that it had"
    carried: dict[str, Change] = dict.fromkeys(("M", "S1", "S2", "S3"), carrying(back()))
    struck = next_move(scene(facts(**carried), after=5), now.record)
    assert {step.action for step in struck.steps} == {ForgetOperation()}
    assert next_move(scene(after=5), now.record).record.step == "ended"
