"""When sentinels are mended, and everything that keeps them from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, ReplicaView, Unknown
from redis_sentinel_operator.model.operation import MonitorAnew, Operation
from redis_sentinel_operator.model.step import Plan, SentinelReset, StartUnit, Step, StopUnit, WriteSentinelConf
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.operations import reset_stale
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import failed, next_move
from redis_sentinel_operator.plan.order import plan
from unit.operations.scenes import NOON, NOON_TEXT, facts, redis, views
from unit.operations.stuck import (
    ASTRAY,
    AUTOMATIC,
    DISAGREE,
    GHOST,
    HAUNTED,
    NOWHERE,
    REPLACED,
    WISH,
    at,
    begun,
    calm,
    idle,
    not_known_to_others,
    peers,
    says,
    shipped,
    stopped,
)
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    S1,
    S2,
    S3,
    Change,
    M,
    desired,
    stopped_redis,
    text_of,
    unreachable,
    verdict,
    with_file,
)

FINE = verdict(Situation.ALIVE, M)
WRONG = f"the sentinel on {S3} names {NOWHERE} at config epoch 1"
PACKAGED = calm(**not_known_to_others({"S3": shipped}))


# -- before it begins


def test_the_record_and_what_is_told() -> None:
    assert begun() == Operation("op6", "reset-stale", "watch", NOON_TEXT, NOON_TEXT, WISH.at, "-", "", "", 0, "")
    assert reset_stale.announce(at(), begun()) == (
        f"The sentinel on {S3} names {NOWHERE} at config epoch 1: one after the other is mended, if it stays so for "
        "10 s"
    )


def _with_script(host: HostFacts) -> HostFacts:
    text = text_of(host, EL7.sentinel_conf) + f"sentinel client-reconfig-script {NAME} /bin/true\n"
    return with_file(host, EL7.sentinel_conf, text)


TODO = Plan((Step(S1, "start redis (redis.service)", "it is stopped", StopUnit("x"), 3),))
NOT_NOW = f"{WRONG}, and is not mended now: "
COUNTS = f"the sentinel on {S1} counts 1 that are gone, and is not mended now: "
SLEEPS = f"the sentinel on {S3} runs with its package's file, and is not mended now: "
AWAY = "; one that is away could bring an old master back, so all must answer: bring it back first"


def haunted(**changed: Change) -> ClusterFacts:
    return calm(**{**HAUNTED, **changed})


REFUSED: dict[str, tuple[Scene, Wish, str]] = {
    "stopped-cluster": (
        at(judged=verdict(Situation.STOPPED)),
        WISH,
        "it is so; sentinels are mended only in a living cluster",
    ),
    "no-such-host": (
        at(),
        replace(WISH, arg=M),
        f"{M} is no host of spec.hosts with a sentinel: name one of {S1}, {S2}, {S3}, or - for all",
    ),
    "nothing-to-mend": (
        at(calm(), FINE),
        WISH,
        "no sentinel stays with a wrong master, counts one that is gone, or runs with its package's file",
    ),
    "another-one": (
        at(),
        replace(WISH, arg=S1),
        f"no sentinel on {S1} stays with a wrong master, counts one that is gone, or runs with its package's file",
    ),
    "something-else-first": (
        at(todo=TODO),
        WISH,
        f"something is to be done first: {S1}: start redis (redis.service); ask again when that is done",
    ),
    "tilt": (
        at(calm(S3=ASTRAY, S1=says(S1, tilt=True))),
        WISH,
        f"{NOT_NOW}the sentinel on {S1} is in tilt mode: ask again in half a minute",
    ),
    "master-down": (
        at(calm(S3=ASTRAY, S1=says(S1, flags=frozenset({"master", "s_down"})))),
        WISH,
        f"{NOT_NOW}the sentinel on {S1} is at work on the master (s_down): ask again when that is over",
    ),
    "failover": (
        at(calm(S3=says(S3, master=NOWHERE, flags=frozenset({"failover_in_progress"})))),
        WISH,
        f"{NOT_NOW}the sentinel on {S3} is in a failover (failover_in_progress): ask again when that is over",
    ),
    "master-unread": (
        at(calm(S3=ASTRAY, M=lambda host: replace(host, redis=Unknown("silent")))),
        WISH,
        f"{NOT_NOW}redis on {M}, which the majority names, could not be read",
    ),
    "master-is-none": (
        at(calm(S3=ASTRAY, M=redis(role="slave"))),
        WISH,
        f"{NOT_NOW}redis on {M}, which the majority names, says that it is a slave",
    ),
    "master-of-nobody": (
        at(calm(S1=says(S1, master=NOWHERE), S2=says(S2, master=NOWHERE))),
        WISH,
        f"the sentinel on {S3} names {M} at config epoch 1, and is not mended now: the majority names {NOWHERE}:6379, "
        "which is no redis of spec.hosts",
    ),
    "two-masters": (
        at(calm(S3=says(S3, master=S2), S2=redis(role="master"))),
        WISH,
        f"the sentinel on {S3} names {S2} at config epoch 1, and is not mended now: redis on {S2} is a master too: "
        "make it a replica, or let it be the master, first",
    ),
    "one-not-seen-at-equal-epochs": (
        at(calm(S3=ASTRAY, S2=lambda host: replace(host, redis=Unknown("silent")))),
        WISH,
        f"{NOT_NOW}redis on {S2} could not be read, and at equal config epochs it may be the master: bring it back or "
        "stop it first",
    ),
    "scripts": (
        at(calm(S3=lambda host: _with_script(ASTRAY(host)))),
        WISH,
        f"{NOT_NOW}{EL7.sentinel_conf} on {S3} has client-reconfig-script, which it would lose: stop the sentinel "
        "there, correct its sentinel monitor line and remove its config-epoch, and start it",
    ),
    "no-file": (
        at(calm(S3=lambda host: with_file(ASTRAY(host), EL7.sentinel_conf, None))),
        WISH,
        f"{NOT_NOW}the sentinel.conf of {S3} could not be read",
    ),
    "ghosts-and-one-away": (
        at(haunted(S3=unreachable), FINE),
        WISH,
        "no sentinel stays with a wrong master, counts one that is gone, or runs with its package's file",
    ),
    "ghosts-and-nobody-confirmed": (at(haunted()), WISH, f"{COUNTS}They disagree"),
    "ghosts-and-a-replica-down": (
        at(haunted(S2=lambda host: says(S2, GHOST)(stopped_redis(host))), FINE),
        WISH,
        f"{COUNTS}{S2}: its redis does not run",
    ),
    "ghosts-and-a-sign": (
        at(haunted(S2=says(S2, GHOST, flags=frozenset({"master", "s_down"}))), FINE),
        WISH,
        f"{COUNTS}the sentinel on {S2} sees the master as down",
    ),
    "ghost-that-one-hears": (
        at(haunted(S2=says(S2, replace(GHOST, flags=frozenset({"sentinel"})))), FINE),
        WISH,
        f"{COUNTS}the sentinel on {S2} hears {NOWHERE}, which was gone, again",
    ),
    "ghosts-and-strangers-to-each-other": (
        at(haunted(S2=says(S2, GHOST, peers=peers(S2, GHOST)[1:])), FINE),
        WISH,
        f"{COUNTS}the sentinel on {S2} does not know all others yet",
    ),
    "ghosts-and-an-unknown-replica": (
        at(haunted(S3=says(S3, GHOST, replicas=())), FINE),
        WISH,
        f"{COUNTS}the sentinel on {S3} does not know all replicas yet",
    ),
    "shipped-where-two-are-known": (
        at(calm(S2=shipped, S1=says(S1, REPLACED)), FINE),
        WISH,
        f"{SLEEPS.replace(S3, S2)}{S2} has no sentinel state, and the others remember several sentinels there: "
        f"22222222 ({S3}), 88888888 ({S1}). Let them forget these: SENTINEL RESET {NAME} on one after the other, each "
        "when it knows all again",
    ),
    "shipped-and-nobody-confirmed": (at(PACKAGED), WISH, f"{SLEEPS}They disagree"),
    "shipped-in-transition": (
        at(PACKAGED, verdict(Situation.ALIVE, M, "the last switch is younger than 10 s")),
        WISH,
        f"{SLEEPS}the last switch is younger than 10 s",
    ),
}


def test_a_shipped_file_is_replaced_where_one_sentinel_is_remembered() -> None:
    assert isinstance(reset_stale.begin(at(calm(S3=shipped), FINE), WISH), Operation)


@pytest.mark.parametrize(("now", "wish", "why"), REFUSED.values(), ids=REFUSED)
def test_it_does_not_begin(now: Scene, wish: Wish, why: str) -> None:
    assert reset_stale.begin(now, wish) == why


FIFTH = replace(desired().hosts[0], name="five", address="192.168.3.45", redis=False, sentinel=True)
OF_FIVE = desired(hosts=(*(replace(host, sentinel=True) for host in desired().hosts), FIFTH))


def with_fifth(fifth: Change) -> ClusterFacts:
    """Three of five sentinels name the master, that of S3 is stale."""
    read = calm(S3=ASTRAY, M=lambda host: replace(host, sentinel=says(S1)(host).sentinel))
    return ClusterFacts({**read.hosts, "five": replace(fifth(read.hosts[S2]), name="five")}, 0.0)


@pytest.mark.parametrize(
    ("fifth", "why"),
    [
        (lambda host: replace(host, sentinel=Unknown("no route to host")), f"five: no route to host{AWAY}"),
        (lambda host: replace(host, sentinel=Known(None)), f"five: no sentinel runs there{AWAY}"),
        (
            says(S2, master=S1, config_epoch=2),
            f"the sentinel on five is at config epoch 2, above the 1 of the majority, so {S1} may be the newest "
            "master: look at its ROLE first",
        ),
    ],
    ids=["away", "stopped", "ahead"],
)
def test_none_is_told_anew_beside_one_that_could_bring_another_master(fifth: Change, why: str) -> None:
    assert reset_stale.begin(at(with_fifth(fifth), what=OF_FIVE), WISH) == f"{NOT_NOW}{why}"
    assert isinstance(reset_stale.begin(at(with_fifth(says(S2)), what=OF_FIVE), WISH), Operation)


# -- what is done


def move(read: ClusterFacts, judged: Verdict, record: Operation, **more: object) -> reset_stale.Move:
    return next_move(at(read, judged, **more), record)  # type: ignore[arg-type]


def test_it_is_watched_first() -> None:
    now = move(calm(S3=ASTRAY), DISAGREE, begun(), after=9.9)
    assert (now.record, now.steps) == (begun(), ())
    assert now.says == f"reset-stale: {WRONG}; that is watched for 10 s"


def test_what_gets_over_it_by_itself_is_left_alone() -> None:
    now = move(calm(), FINE, begun(), after=5)
    assert (now.record.step, now.record.result) == ("restore", "Done")
    assert now.record.message == "nothing had to be done: the sentinels got over it by themselves"


@pytest.mark.parametrize(
    "astray", [ASTRAY, says(S3, master=S1, config_epoch=0), idle()], ids=["equal", "lower", "idle"]
)
def test_one_that_is_astray_is_told_anew(astray: Change) -> None:
    now = move(calm(S3=astray), DISAGREE, begun(), after=10)
    (step,) = now.steps
    assert (step.host, step.what) == (S3, f"let the sentinel monitor {M} (SENTINEL REMOVE, MONITOR and SET)")
    assert step.action == MonitorAnew(ADDRESS[M], 1)
    assert (now.record.step, now.record.sentinel) == ("monitor", ADDRESS[S3])


def test_what_a_stale_one_knows_holds_nobody_up() -> None:
    """It takes the master for a replica, and whoever was killed before it was told goes on."""
    rows = (*views(), ReplicaView(ADDRESS[M], 6379, frozenset({"slave"}), "ok", 100, 1))
    read = calm(S3=says(S3, master=NOWHERE, replicas=rows, peers=()))
    now = move(read, DISAGREE, begun("monitor"), after=1)
    assert [step.host for step in now.steps] == [S3]
    assert now.record == begun("monitor")


def test_at_a_lower_epoch_a_replica_may_be_away() -> None:
    silent: Callable[[HostFacts], HostFacts] = lambda host: replace(host, redis=Unknown("silent"))  # noqa: E731
    read = calm(S3=says(S3, master=NOWHERE, config_epoch=0), S2=silent)
    assert move(read, FINE, begun(), after=10).steps


def test_one_that_watches_another_cluster_is_not_touched() -> None:
    assert isinstance(reset_stale.begin(at(calm(S3=idle("theirs")), FINE), WISH), str)


def test_ghosts_are_forgotten_by_one_and_then_the_next_waits() -> None:
    now = move(haunted(), FINE, begun(), after=10)
    (step,) = now.steps
    assert (step.host, step.what) == (S1, f"let the sentinel forget what is gone (SENTINEL RESET {NAME})")
    assert step.action == SentinelReset(NAME, 26379, (GHOST.id,))
    waits = move(haunted(S1=says(S1, replicas=())), FINE, now.record, after=12)
    assert (waits.record, waits.steps) == (now.record, ())
    assert waits.says == f"reset-stale: the sentinel on {S1} does not know all replicas yet"
    then = move(haunted(S1=says(S1)), FINE, now.record, after=12)
    assert [step.host for step in then.steps] == [S2]
    assert then.record.since > now.record.since


def test_only_the_named_one() -> None:
    made = reset_stale.begin(at(haunted(), FINE), replace(WISH, arg=S2))
    assert isinstance(made, Operation)
    assert [step.host for step in move(haunted(), FINE, made, after=10).steps] == [S2]


def test_a_shipped_one_is_stopped_and_set_up_as_the_plan_does_it() -> None:
    now = move(PACKAGED, FINE, begun(), after=10)
    (step,) = now.steps
    assert (step.host, step.action) == (S3, StopUnit(EL7.sentinel_unit))
    assert now.record.step == "stop"
    read = calm(**not_known_to_others({"S3": stopped}))
    todo = plan(desired(), read, FINE, DONE)
    write = move(read, FINE, now.record, after=11, todo=todo)
    assert [type(step.action) for step in write.steps] == [WriteSentinelConf]
    assert (write.record.step, write.record.sentinel) == ("write", ADDRESS[S3])
    left = Plan(tuple(step for step in todo.steps if not isinstance(step.action, WriteSentinelConf)))
    start = move(read, FINE, write.record, after=12, todo=left)
    assert [type(step.action) for step in start.steps] == [StartUnit]
    assert start.record.step == "start"
    assert move(read, FINE, start.record, after=13).steps == ()


@pytest.mark.parametrize("step", ["stop", "write", "start"])
def test_left_in_the_middle_the_stopped_one_runs_again_and_nothing_more_is_begun(step: str) -> None:
    """Also where its start was recorded, and the resource was changed right before it was sent."""
    paused = "management became Paused"
    read = calm(**not_known_to_others({"S3": stopped}))
    todo = plan(desired(), read, FINE, DONE)
    assert move(read, FINE, begun(step), after=11, todo=todo, leaving=paused).steps[0].host == S3
    for back in (calm(S3=ASTRAY), calm(**HAUNTED), PACKAGED):
        given_up = move(back, DISAGREE, begun(step), after=12, leaving=paused)
        assert (given_up.record.step, given_up.record.message, given_up.steps) == ("restore", paused, ())


def test_one_that_was_just_set_up_gets_time_to_follow() -> None:
    """It begins at epoch 0, and the others tell it theirs within two seconds."""
    read = calm(S3=says(S3, config_epoch=0))
    now = move(read, FINE, begun("start"), after=9.9)
    assert (now.record, now.steps) == (begun("start"), ())
    assert [type(step.action) for step in move(read, FINE, begun("start"), after=10).steps] == [MonitorAnew]
    assert [type(step.action) for step in move(read, FINE, begun("monitor"), after=0).steps] == [MonitorAnew]


def test_it_is_through_when_all_know_all() -> None:
    waits = move(calm(S3=says(S3, replicas=())), FINE, begun("monitor"), after=12)
    assert (waits.record.step, waits.steps) == ("agree", ())
    done = move(calm(), FINE, waits.record, after=13)
    assert (done.record.step, done.record.result) == ("restore", "Done")
    assert done.record.message == f"every sentinel names {M} at config epoch 1 and knows all others"


@pytest.mark.parametrize("step", ["watch", "monitor", "forget"])
def test_where_something_speaks_against_it_it_is_given_up(step: str) -> None:
    read = calm(S3=ASTRAY, M=redis(role="slave"))
    now = move(read, DISAGREE, begun(step), after=10)
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == f"redis on {M}, which the majority names, says that it is a slave"


def test_a_refused_step_ends_it_but_a_reset_is_tried_again() -> None:
    (step,) = move(calm(S3=ASTRAY), DISAGREE, begun(), after=10).steps
    back = failed(begun("monitor"), step, "nothing was done: tilt", begun=True, sure=True, now=NOON)
    assert back is not None
    assert (back.step, back.message) == ("restore", f"{S3}: nothing was done: tilt")
    assert failed(begun("forget"), step, "not yet", begun=True, sure=True, now=NOON) is None


# -- by itself


def test_by_itself_it_begins_only_where_that_is_declared() -> None:
    assert reset_stale.due(at(), ()) is None
    made = reset_stale.due(at(what=AUTOMATIC), ())
    assert isinstance(made, Operation)
    assert (made.at, made.arg, made.step) == ("", "", "watch")
    assert move(calm(S3=ASTRAY), DISAGREE, made, after=59.9, what=AUTOMATIC).steps == ()
    now = move(calm(S3=ASTRAY), DISAGREE, made, after=60, what=AUTOMATIC)
    assert [step.host for step in now.steps] == [S3]
    assert now.record.at == "2026-01-31T12:01:00Z", "it is told in status.acts from here on"


def test_by_itself_only_what_another_has_replaced_is_forgotten() -> None:
    assert reset_stale.due(at(haunted(), FINE, what=AUTOMATIC), ()) is None
    both = calm(S1=says(S1, REPLACED, GHOST))
    assert reset_stale.due(at(both, FINE, what=AUTOMATIC), ()) is None
    replaced = calm(S1=says(S1, REPLACED))
    made = reset_stale.due(at(replaced, FINE, what=AUTOMATIC), ())
    assert isinstance(made, Operation)
    (step,) = move(replaced, FINE, made, after=60, what=AUTOMATIC).steps
    assert step.action == SentinelReset(NAME, 26379, (REPLACED.id,))


def test_by_itself_it_says_what_it_waits_for() -> None:
    read = calm(S3=ASTRAY, M=redis(role="slave"))
    said = reset_stale.due(at(read, what=AUTOMATIC), ())
    why = f"redis on {M}, which the majority names, says that it is a slave"
    assert said == f"{WRONG}, and is mended when it is safe: {why}"


@pytest.mark.parametrize(
    ("now", "more"),
    [
        (at(calm(), FINE, what=AUTOMATIC), {}),
        (at(judged=verdict(Situation.STOPPED), what=AUTOMATIC), {}),
        (at(what=AUTOMATIC, todo=TODO), {}),
        (at(judged=replace(DISAGREE, transition=("the last switch is younger than 10 s",)), what=AUTOMATIC), {}),
    ],
    ids=["well", "stopped", "something-else", "just-switched"],
)
def test_by_itself_it_does_not_begin(now: Scene, more: dict[str, object]) -> None:
    assert reset_stale.due(now, ()) is None


def test_one_that_failed_is_not_tried_again_at_once() -> None:
    act = {"verb": "reset-stale", "result": "Failed", "at": "2026-01-31T11:55:00Z"}
    said = reset_stale.due(at(what=AUTOMATIC), (act,))
    assert (
        said == f"{WRONG}, and is mended when it is safe: the last attempt has failed, and the next is 10 minutes later"
    )
    assert isinstance(reset_stale.due(at(what=AUTOMATIC, after=400), (act,)), Operation)
    assert isinstance(reset_stale.due(at(what=AUTOMATIC), ({**act, "result": "Done"},)), Operation)


def test_a_calm_cluster_has_nothing_to_mend() -> None:
    assert isinstance(reset_stale.begin(at(facts(), FINE), WISH), str)
