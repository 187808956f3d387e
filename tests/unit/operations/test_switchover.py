"""Each step of a switchover: what it does next, when it is through, and when it goes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.desired import Membership
from redis_sentinel_operator.model.fact import Known, MachineFacts, SurveyFacts, Unknown
from redis_sentinel_operator.model.operation import AskFailover, Before, Demote, Fence, Operation
from redis_sentinel_operator.model.step import ConfigSet, Impact
from redis_sentinel_operator.operations import switchover
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import next_move
from unit.operations.scenes import (
    ELSEWHERE,
    NOBODY,
    NOON_TEXT,
    SWITCHED,
    WISH,
    config,
    facts,
    no_quorum,
    not_calm,
    record,
    redis,
    scene,
    unread,
)
from unit.plan.world import ADDRESS, S1, S2, S3, Change, M, desired, sees, stopped_redis, unreachable, view

FENCE = Fence(
    6379,
    20.0,
    S2,
    {"min-slaves-max-lag": "10", "min-slaves-to-write": "99"},
    {"min-slaves-to-write": "0", "min-slaves-max-lag": "10"},
)


@pytest.mark.parametrize("state", ["Joining", "Leaving"])
def test_a_host_on_its_way_in_or_out_does_not_become_master(state: Membership) -> None:
    hosts = tuple(replace(host, state=state) if host.name == S2 else host for host in desired().hosts)
    assert switchover.begin(scene(what=desired(hosts=hosts)), WISH) == (
        f"{S2} is no host of spec.hosts that runs redis: name a replica ({S1}, {S3}), or - for the best one"
    )


def test_the_record_has_all_that_whoever_goes_on_must_know() -> None:
    begun = switchover.begin(scene(facts(M=redis(offset=4711))), WISH)
    assert isinstance(begun, Operation)
    assert begun == Operation(
        begun.id,
        "switchover",
        "prefer",
        NOON_TEXT,
        NOON_TEXT,
        WISH.at,
        S2,
        ADDRESS[M],
        ADDRESS[S2],
        1,
        ADDRESS[S1],
        4711,
        {
            ADDRESS[M]: {"min-slaves-to-write": Before("0", None), "min-slaves-max-lag": Before("10", None)},
            ADDRESS[S2]: {"slave-priority": Before("100", "100")},
        },
    )


def test_the_sentinel_to_be_asked_stands_beside_neither_master_if_it_may() -> None:
    begun = switchover.begin(scene(), replace(WISH, arg=S1))
    assert isinstance(begun, Operation)
    assert begun.sentinel == ADDRESS[S2]


@pytest.mark.parametrize(
    ("changes", "best"),
    [
        ({}, S1),
        ({"S3": redis(offset=9)}, S3),
        ({"S3": redis(offset=9), "S2": config(slave_priority="50")}, S2),
        ({"S1": config(slave_priority="0"), "S2": redis(saved_ok=False)}, S3),
    ],
)
def test_the_best_replica_is_the_one_that_sentinel_would_take(changes: dict[str, Change], best: str) -> None:
    begun = switchover.begin(scene(facts(**changes)), replace(WISH, arg="-"))
    assert isinstance(begun, Operation)
    assert begun.new == ADDRESS[best]


REPLICAS = f"({S1}, {S2}, {S3})"
CALM = "; a switchover begins only while all is calm: ask again when phase is Healthy"
FIRST = "something is to be done first: {}; ask again when phase is Healthy"
REFUSED: dict[str, tuple[Scene, Wish, str]] = {
    **not_calm(WISH, CALM),
    **no_quorum(WISH, CALM),
    **unread(WISH, FIRST),
    "not-a-host": (
        scene(),
        replace(WISH, arg="redis_slave09"),
        f"redis_slave09 is no host of spec.hosts that runs redis: name a replica {REPLICAS}, or - for the best one",
    ),
    "the-master": (
        scene(),
        replace(WISH, arg=M),
        f"{M} is the master already: name a replica {REPLICAS}, or - for the best one",
    ),
    "the-replica-itself": (scene(facts(S2=stopped_redis)), WISH, f"{S2}: its redis does not run{CALM}"),
    "changes-to-be-made": (
        scene(pending=f"{S1}: set repl-timeout in /etc/redis.conf"),
        WISH,
        FIRST.format(f"{S1}: set repl-timeout in /etc/redis.conf"),
    ),
    "never-to-be-promoted": (
        scene(facts(S2=config(slave_priority="0"))),
        WISH,
        f"{S2} has replica-priority 0, so that no sentinel promotes it: give it another one there first",
    ),
    "cannot-save": (
        scene(facts(S2=redis(saved_ok=False))),
        WISH,
        f"{S2} cannot write its data to disk: make room there first",
    ),
    "newer": (
        scene(facts(S2=redis(version="5.0.6"))),
        WISH,
        f"{S2} has redis 5.0, but {M} has redis 3.2, {S1} has redis 3.2, {S3} has redis 3.2, which could not follow "
        "it: bring them to the same version first",
    ),
    "none-for-best": (
        scene(facts(**{each: config(slave_priority="0") for each in ("S1", "S2", "S3")})),
        replace(WISH, arg="-"),
        "no replica can become master: "
        + "; ".join(
            f"{each} has replica-priority 0, so that no sentinel promotes it: give it another one there first"
            for each in (S1, S2, S3)
        ),
    ),
    "memory": (
        scene(
            facts(
                M=redis(used_memory=3 * 2**30),
                S2=lambda host: replace(host, machine=Known(MachineFacts({}, 4 * 2**30, 2**30))),
            )
        ),
        WISH,
        f"Redis before 4.0 sends all data anew to every replica after a switch, and {S2} has 1.0 GiB of memory left "
        "for a copy of 3.0 GiB: free memory there, or name another host",
    ),
    "disk": (
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
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_does_not_begin(case: str) -> None:
    now, wish, message = REFUSED[case]
    assert switchover.begin(now, wish) == message


def test_no_resynchronisation_from_4_on() -> None:
    full = {each: redis(version="5.0.6", used_memory=3 * 2**30) for each in ("M", "S1", "S2", "S3")}
    found = facts(**full)
    hosts = {name: replace(host, survey=Known(SurveyFacts((0, 0), free=2**20))) for name, host in found.hosts.items()}
    assert isinstance(switchover.begin(scene(replace(found, hosts=hosts)), WISH), Operation)


# -- prefer


def test_the_wanted_one_is_preferred_and_no_other_is_as_good() -> None:
    rival = {"S1": config(slave_priority="1"), "S3": config(slave_priority="0")}
    begun = switchover.begin(scene(facts(**rival)), WISH)
    assert isinstance(begun, Operation)
    assert begun.before[ADDRESS[S1]] == {"slave-priority": Before("1", "100")}
    assert ADDRESS[S3] not in begun.before
    now = next_move(scene(facts(**rival)), begun)
    assert now.record == begun
    assert [(step.host, step.action) for step in now.steps] == [
        (S1, ConfigSet({"slave-priority": "2"}, 6379)),
        (S2, ConfigSet({"slave-priority": "1"}, 6379)),
    ]


PREFERRED = config(slave_priority="1")


@pytest.mark.parametrize("seen", [{}, {"S2": 1, "S1": 1}, {"S2": 0}, {"S2": 100, "S1": 101, "S3": 100}])
def test_it_waits_until_the_sentinel_has_read_it(seen: dict[str, int]) -> None:
    now = next_move(scene(facts(seen, S2=PREFERRED)), record())
    assert (now.record, now.steps) == (record(), ())
    assert now.says == (
        f"switchover from {M} to {S2}: waits until the sentinel on {S1} has read which replica is wanted (it reads "
        "every 10 s)"
    )


# -- fence and ask


@pytest.mark.parametrize("step", ["prefer", "fence"])
def test_the_fence_and_then_the_question_which_is_recorded_first(step: str) -> None:
    now = next_move(scene(facts({"S2": 1, "S3": 0}, S2=PREFERRED), after=2), record(step))
    assert (now.record.step, now.record.since) == (
        "fence",
        NOON_TEXT if step == "fence" else "2026-01-31T12:00:02.000Z",
    )
    (fence,) = now.steps
    assert (fence.host, fence.action, fence.impact) == (M, FENCE, Impact.FAILOVER)
    assert now.then is not None
    assert now.then.record == replace(now.record, step="ask", since="2026-01-31T12:00:02.000Z")
    (ask,) = now.then.steps
    assert (ask.host, ask.action) == (S1, AskFailover(FENCE, M, 1))
    assert now.then.then is None


def test_a_lag_of_zero_would_make_the_fence_useless() -> None:
    open_ = config(min_slaves_max_lag="0")
    begun = switchover.begin(scene(facts(M=open_)), WISH)
    assert isinstance(begun, Operation)
    (fence,) = next_move(scene(facts({"S2": 1}, S2=PREFERRED, M=open_)), begun).steps
    assert isinstance(fence.action, Fence)
    assert fence.action.values["min-slaves-max-lag"] == "10"
    assert fence.action.back["min-slaves-max-lag"] == "0"


@pytest.mark.parametrize(("down_after", "seconds"), [(5000, 5.0), (60000, 20.0)])
def test_a_newer_master_pauses_writes_for_no_longer_than_a_sentinel_waits(down_after: int, seconds: float) -> None:
    newer = {each: redis(version="6.2.14") for each in ("M", "S1", "S3")} | {
        "S2": lambda host: PREFERRED(redis(version="6.2.14")(host))
    }
    what = desired(sentinel=replace(desired().sentinel, down_after=down_after))
    begun = switchover.begin(scene(facts(**newer), what=what), WISH)
    assert isinstance(begun, Operation)
    assert ADDRESS[M] not in begun.before
    (fence,) = next_move(scene(facts({"S2": 1}, **newer), what=what), begun).steps
    assert fence.action == Fence(6379, seconds, S2)
    assert fence.what == "let redis take no writes for a while (CLIENT PAUSE WRITE)"


GIVEN_UP = {
    "failover": (
        scene(facts(S1=lambda host: replace(host, sentinel=sees(M, flags=frozenset({"master", "o_down"}))))),
        f"the sentinel on {S1} is in a failover (o_down)",
    ),
    "another-master": (
        scene(None, ELSEWHERE),
        f"{S3} is master at config epoch 2 by now",
    ),
    "nobody": (scene(None, NOBODY), "No majority names one"),
    "the-replica-died": (scene(facts(S2=stopped_redis)), f"{S2}: its redis does not run"),
    "a-host-away": (
        scene(facts(M=lambda host: replace(host, os=Unknown("gone")))),
        f"{M} could not be read and is left alone: gone",
    ),
    "paused": (scene(leaving="management became Paused"), "management became Paused"),
    "full": (
        scene(facts(S2=redis(aof_written_ok=False))),
        f"{S2} cannot write its data to disk: make room there first",
    ),
}


@pytest.mark.parametrize("step", ["prefer", "fence"])
@pytest.mark.parametrize("case", GIVEN_UP)
def test_before_the_question_anything_different_is_a_reason_to_go_back(step: str, case: str) -> None:
    now, why = GIVEN_UP[case]
    moved = next_move(now, record(step))
    assert moved.record == replace(record(step), step="restore", result="Failed", message=why)
    assert moved.steps == ()


def test_too_many_writes_for_the_output_buffers() -> None:
    limits = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
    busy = {
        "M": redis(used_memory=2**30, offset=400 * 2**20),
        "S2": lambda host: config(client_output_buffer_limit=limits)(PREFERRED(host)),
    }
    moved = next_move(scene(facts({"S2": 1}, **busy), after=20), record())
    assert moved.record.message == (
        "Redis before 4.0 sends all data anew to every replica after a switch, and at 20 MiB a second 410 MiB would "
        f"wait for each, more than client-output-buffer-limit of {S2} allows its replicas: raise it in "
        "spec.redis.config, or ask at a quieter time"
    )


# -- ask: whoever finds it recorded only watches


@pytest.mark.parametrize("found", [None, NOBODY])
def test_a_question_is_never_asked_again(found: object) -> None:
    now = next_move(scene(facts({"S2": 1}, S2=PREFERRED), found, after=19), record("ask"))  # type: ignore[arg-type]
    assert (now.record, now.steps, now.then) == (record("ask"), (), None)


def test_without_an_answer_it_goes_back() -> None:
    now = next_move(scene(after=21), record("ask"))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == "the step ask did not end within 20 s"


@pytest.mark.parametrize("after", [1.0, 500.0])
def test_when_the_sentinels_have_switched_the_old_master_becomes_a_replica(after: float) -> None:
    now = next_move(scene(facts(S2=redis(role="master")), SWITCHED, after=after), record("ask"))
    assert now.record.step == "demote"
    (step,) = now.steps
    back = {"min-slaves-to-write": "0", "min-slaves-max-lag": "10"}
    assert (step.host, step.action) == (M, Demote(ADDRESS[S2], 6379, 2, back, pause=False))


# -- demote


@pytest.mark.parametrize("old", [redis(role="slave"), stopped_redis, unreachable])
def test_an_old_master_that_is_none_any_more_is_done_with(old: Change) -> None:
    now = next_move(scene(facts(M=old), SWITCHED), record("demote"))
    assert (now.record.step, now.record.result, now.steps) == ("restore", "Done", ())
    assert now.record.message == f"{S2} is the master at config epoch 2, before it was {M}"


def test_another_one_than_wanted_is_told_as_a_failure() -> None:
    now = next_move(scene(facts(M=redis(role="slave")), ELSEWHERE), record("demote"))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message == f"the sentinels made {S3} master instead of {S2}"


def test_nobody_is_demoted_while_nobody_is_confirmed() -> None:
    now = next_move(scene(None, NOBODY), record("demote"))
    assert (now.record, now.steps) == (record("demote"), ())


def test_every_step_has_a_table_here() -> None:
    assert set(switchover.DEADLINES) == set(switchover.COMMANDS) == {"prefer", "fence", "ask", "demote"}
    assert view(M)  # the sentinels' words come from the same world as everywhere


def test_an_older_master_that_leaves_need_not_be_able_to_follow_and_one_that_stays_must() -> None:
    read = facts(**{short: redis(version="6.2.14") for short in ("S1", "S2", "S3")})
    staying = switchover.begin(scene(read), WISH)
    assert isinstance(staying, str)
    assert f"{M} has redis 3.2, which could not follow it" in staying
    hosts = tuple(replace(host, state="Leaving") if host.name == M else host for host in desired().hosts)
    leaving = desired(hosts=hosts)
    assert isinstance(switchover.begin(scene(read, what=leaving), WISH), Operation)
    assert isinstance(switchover.begin(scene(read, what=leaving), replace(WISH, arg="-")), Operation)
