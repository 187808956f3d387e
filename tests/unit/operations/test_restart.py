"""Each step of a round of restarts: the plan's restarts of replicas, a switchover, and the former master."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.operation import Before, ForgetOperation, Operation
from redis_sentinel_operator.model.step import ConfigDrift, ConfigSet, EditConf, Impact, Plan, StartUnit, Step
from redis_sentinel_operator.model.verdict import Confirmed, Situation
from redis_sentinel_operator.operations import restart
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import failed, next_move
from redis_sentinel_operator.plan.part import Stage
from unit.operations.scenes import (
    ELSEWHERE,
    LATER,
    NEVER,
    NOBODY,
    NOBODY_CAN,
    NOON,
    NOON_TEXT,
    SWITCHED,
    both,
    carrying,
    config,
    facts,
    not_calm,
    of_a_restart,
    redis,
    scene,
    unread,
)
from unit.plan.living import edited
from unit.plan.world import ADDRESS, S1, S2, S3, Change, M, stopped_redis, unreachable, verdict

WISH = Wish("restart", "-", "2026-01-31T11:59:59Z")
ALL = dict.fromkeys((M, S1, S2, S3), LATER)


def restarts(host: str) -> Step:
    """What the plan has for a replica that waits."""
    action = StartUnit("redis.service", 6379, False, EL7.redis_log, restart=True)
    return Step(host, "restart redis (redis.service)", "why", action, Stage.RESTART, Impact.RESTART)


OTHER = Step(S3, "set repl-timeout", "why", ConfigSet({}, 6379), Stage.FILES)
FIRST, ONLY_MASTER = Plan((restarts(S1),), drift=ALL), Plan(drift={M: LATER})


def test_the_record_has_all_that_whoever_goes_on_must_know() -> None:
    begun = restart.begin(scene(todo=FIRST), WISH)
    assert isinstance(begun, Operation)
    assert begun == Operation(
        begun.id, "restart", "replicas", NOON_TEXT, NOON_TEXT, WISH.at, "-", ADDRESS[M], ADDRESS[S1], 1, ""
    )
    assert restart.announce(scene(todo=FIRST), begun) == (
        f"redis is to be restarted on {S1}, {S2}, {S3}, {M}, one after the other, the last one after a switchover"
    )


def test_replicas_alone_need_no_switchover() -> None:
    todo = Plan((restarts(S1),), drift={S1: LATER})
    begun = restart.begin(scene(todo=todo), WISH)
    assert isinstance(begun, Operation)
    assert begun.new == ""
    assert restart.announce(scene(todo=todo), begun) == f"redis is to be restarted on {S1}, one after the other"


CALM = "; a restart begins only while all is calm: ask again when phase is Healthy or WaitingForYou"
WORK = "something is to be done first: {}; ask again when phase is Healthy or WaitingForYou"
NOTHING = "nothing waits for a restart: no entry in status.hosts[].config has pendingRestart true"
REFUSED: dict[str, tuple[Scene, Wish, str]] = {
    **not_calm(WISH, CALM, todo=FIRST),
    **unread(WISH, WORK, todo=FIRST),
    "a-host": (
        scene(todo=FIRST),
        replace(WISH, arg=S1),
        f"a restart is for every host that waits for one, so {S1} cannot be named: ask with -",
    ),
    "nothing-waits": (scene(), WISH, NOTHING),
    "no-restart-helps": (
        scene(todo=Plan(drift={M: (ConfigDrift("maxclients", "9", "8", pending_restart=True),)})),
        WISH,
        NOTHING,
    ),
    "something-waits": (scene(todo=replace(FIRST, waiting=("it is so.",))), WISH, WORK.format("it is so")),
    "other-work": (scene(todo=replace(FIRST, steps=(OTHER,))), WISH, WORK.format(f"{S3}: set repl-timeout")),
    "nobody-to-switch-to": (
        scene(facts(**NEVER), todo=ONLY_MASTER),
        WISH,
        NOBODY_CAN,
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_does_not_begin(case: str) -> None:
    now, wish, message = REFUSED[case]
    assert restart.begin(now, wish) == message


# -- replicas


def test_the_plans_restarts_go_on_one_by_one() -> None:
    now = next_move(scene(todo=FIRST), of_a_restart())
    assert (now.record, now.steps, now.then) == (of_a_restart(), (restarts(S1),), None)


@pytest.mark.parametrize(
    "now",
    [
        scene(todo=Plan(waiting=(f"{S2} needs a restart and waits: it synchronises",), drift=ALL)),
        scene(facts(S1=redis(syncing=True)), todo=ONLY_MASTER),
        scene(facts(S1=unreachable), todo=ONLY_MASTER),
    ],
    ids=["the-plan-waits", "not-in-sync", "unread"],
)
def test_the_next_one_waits_until_the_last_one_is_in_sync(now: Scene) -> None:
    moved = next_move(now, of_a_restart())
    assert (moved.record, moved.steps) == (of_a_restart(), ())


def test_a_restart_that_fails_ends_the_round() -> None:
    after = failed(of_a_restart(), restarts(S1), "it is failed.", begun=True, sure=False, now=NOON)
    assert after is not None
    assert (after.step, after.result, after.message) == ("restore", "Failed", f"{S1}: it is failed")
    assert failed(of_a_restart(), restarts(S1), "not calm", begun=False, sure=True, now=NOON) is None


@pytest.mark.parametrize("found", [ELSEWHERE, verdict(Situation.ALIVE, S3)])
def test_another_master_ends_the_round(found: object) -> None:
    now = next_move(scene(None, found, todo=FIRST), of_a_restart())  # type: ignore[arg-type]
    assert (now.record.step, now.record.result, now.steps) == ("restore", "Failed", ())
    assert now.record.message.startswith(f"{S3} is master at config epoch ")


def test_where_only_replicas_waited_it_is_done() -> None:
    now = next_move(scene(), of_a_restart())
    assert (now.record.step, now.record.result, now.record.message) == (
        "restore",
        "Done",
        f"every redis has in force what is declared, and {M} is still the master",
    )


def test_when_only_the_master_waits_a_switchover_begins_with_a_record_of_its_own() -> None:
    now = next_move(scene(todo=ONLY_MASTER, after=30), of_a_restart())
    assert (now.record.type, now.record.step, now.record.id) == ("restart", "prefer", "op3")
    assert (now.record.started_at, now.record.since) == (NOON_TEXT, "2026-01-31T12:00:30.000Z")
    assert (now.record.new, now.record.sentinel) == (ADDRESS[S1], ADDRESS[S2])
    assert now.record.before[ADDRESS[S1]] == {"slave-priority": Before("100", "100")}
    (step,) = now.steps
    assert (step.host, step.action) == (S1, ConfigSet({"slave-priority": "1"}, 6379))
    assert step.why == "a restart was asked for by the act annotation"


def test_a_switchover_that_may_not_begin_ends_the_round() -> None:
    now = next_move(scene(facts(**NEVER), todo=ONLY_MASTER), of_a_restart())
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message.startswith("no replica can become master: ")


# -- the switchover, and the last one


def test_a_question_is_never_asked_again() -> None:
    now = next_move(scene(None, NOBODY, after=19), of_a_restart("ask"))
    assert (now.record, now.steps) == (of_a_restart("ask"), ())


@pytest.mark.parametrize(("step", "after"), [("ask", 500.0), ("demote", 1.0)])
def test_when_the_old_master_is_a_replica_it_is_its_turn(step: str, after: float) -> None:
    now = next_move(scene(facts(M=redis(role="slave")), SWITCHED, after=after), of_a_restart(step))
    assert (now.record.step, now.record.result, now.record.message, now.steps) == ("last", "", "", ())


def test_a_switchover_that_is_given_up_ends_the_round() -> None:
    now = next_move(scene(facts(M=redis(role="slave")), ELSEWHERE), of_a_restart("demote"))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == f"the sentinels made {S3} master instead of {S2}"


SWITCHED_FACTS: dict[str, Change] = {
    "S2": redis(role="master"),
    **{each: redis(role="slave", master_address=ADDRESS[S2], link="up") for each in ("M", "S1", "S3")},
}


def last(todo: Plan, after: float = 1, **changed: Change) -> Scene:
    """All follow S2, and carry the record."""
    carried = carrying(of_a_restart("last"))
    whole = {
        each: both(change, carried, changed.get(each, lambda host: host)) for each, change in SWITCHED_FACTS.items()
    }
    return scene(facts(**whole), SWITCHED, after=after, todo=todo)


def test_what_the_switchover_changed_is_put_back_before_the_last_restart() -> None:
    raised = both(config(slave_priority="1"), lambda host: edited(host, slave_priority="1"))
    now = next_move(last(Plan((restarts(M),), drift={M: LATER}), S2=raised), of_a_restart("last"))
    assert [(step.host, type(step.action)) for step in now.steps] == [(S2, ConfigSet), (S2, EditConf)]
    assert now.record == of_a_restart("last")


def test_the_former_master_is_restarted_as_the_plan_wants() -> None:
    now = next_move(last(Plan((restarts(M),), drift={M: LATER})), of_a_restart("last"))
    (step,) = now.steps
    assert step.what == "restart the former master, which is a replica now (redis.service)"
    assert step.action == restarts(M).action


@pytest.mark.parametrize(
    "now",
    [
        last(Plan(waiting=("the last switch is younger than 10 s",), drift={M: LATER})),
        last(ONLY_MASTER),
        last(Plan(), M=redis(syncing=True)),
        last(Plan(), M=stopped_redis),
    ],
    ids=["settling", "not-yet-planned", "not-in-sync", "down"],
)
def test_it_is_not_done_before_the_former_master_is_in_sync(now: Scene) -> None:
    moved = next_move(now, of_a_restart("last"))
    assert (moved.record, moved.steps) == (of_a_restart("last"), ())


@pytest.mark.parametrize("after", [1, 700])
def test_it_is_done_when_nobody_waits_any_more(after: float) -> None:
    now = next_move(last(Plan(), after), of_a_restart("last"))
    assert (now.record.step, now.record.result) == ("restore", "Done")
    assert now.record.message == f"every redis has in force what is declared; {S2} is the master, before it was {M}"
    struck = next_move(last(Plan()), now.record)
    assert {type(step.action) for step in struck.steps} == {ForgetOperation}


AGAIN = replace(SWITCHED, master=Confirmed(M, ADDRESS[M], 6379, 3))


@pytest.mark.parametrize(
    ("todo", "result", "message"),
    [
        (Plan(), "Done", f"every redis has in force what is declared; {M} is the master again"),
        (Plan((OTHER,)), "Done", f"every redis has in force what is declared; {M} is the master again"),
        (ONLY_MASTER, "Failed", f"{M} is the master again"),
        (Plan((OTHER,), drift={M: LATER}), "Failed", f"{M} is the master again"),
    ],
    ids=["restarted", "restarted-and-somebody-to-heal", "not-restarted", "not-restarted-and-somebody-to-heal"],
)
def test_where_the_former_master_is_master_again_it_is_not_waited_for_as_a_replica(
    todo: Plan, result: str, message: str
) -> None:
    """The new master has died: while the round goes on nobody would start it."""
    now = next_move(scene(facts(S2=stopped_redis), AGAIN, after=1, todo=todo), of_a_restart("last"))
    assert (now.record.step, now.record.result, now.steps) == ("restore", result, ())
    assert now.record.message.startswith(f"{message}, as the sentinels have switched once more")


def test_one_that_does_not_come_back_in_time_is_told() -> None:
    now = next_move(last(Plan(), 601, M=redis(syncing=True)), of_a_restart("last"))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == f"{S2} is the master, before it was {M}; the step last did not end within 600 s"
