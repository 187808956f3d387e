"""What holds for every procedure: which one goes on, one at a time, the way back, and what is put back on each host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import Unknown
from redis_sentinel_operator.model.operation import Before, Fence, ForgetOperation, Operation
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Step
from redis_sentinel_operator.operations.leftovers import put_back
from redis_sentinel_operator.operations.move import Scene
from redis_sentinel_operator.operations.procedures import PROCEDURES, begin, current, failed, next_move
from redis_sentinel_operator.plan.host import readable
from unit.operations.scenes import (
    NOON,
    NOON_TEXT,
    RECORDS,
    WISH,
    both,
    carrying,
    config,
    facts,
    record,
    redis,
    scene,
)
from unit.plan.living import edited, without
from unit.plan.world import ADDRESS, S1, S2, S3, Change, M, desired, stopped_redis, stopped_sentinel

NOBODY_ANSWERED: frozenset[str] = frozenset()


# -- which one goes on


def test_status_and_hosts_together_tell_how_far_it_is() -> None:
    """Status has no values; the hosts may be a step behind, or ahead where status was not stored."""
    begun = record()
    stored = replace(begun, before={}, step="ask", since="2026-01-31T12:00:09.000Z")
    assert current(stored, [begun], NOBODY_ANSWERED) == replace(stored, before=begun.before)
    ahead = replace(begun, step="ask", since="2026-01-31T12:00:10.000Z")
    assert current(replace(begun, before={}), [begun, ahead], NOBODY_ANSWERED) == ahead


def test_where_status_is_lost_the_hosts_tell() -> None:
    ahead = replace(record("ask"), since="2026-01-31T12:00:10.000Z")
    assert current(None, [record(), ahead, record()], NOBODY_ANSWERED) == ahead


def test_what_a_host_carries_of_an_ended_procedure_does_not_go_on() -> None:
    assert current(None, [record("ask")], frozenset({WISH.at})) is None
    another = replace(record(), id="op2")
    assert current(another, [record("ask")], frozenset({WISH.at})) == another
    assert current(None, [], NOBODY_ANSWERED) is None


def test_one_at_a_time() -> None:
    assert begin(scene(), replace(WISH, at="2026-01-31T12:00:01Z"), record("ask")) == (
        f"the switchover from {M} to {S2} goes on (ask), and there is one at a time: ask again when status.operation "
        "is gone"
    )


@pytest.mark.parametrize("changes", [{"type": "conjure"}, {"step": "levitate"}])
def test_what_a_later_version_began_is_left_alone(changes: dict[str, str]) -> None:
    strange = replace(record(), **changes)  # type: ignore[arg-type]
    now = next_move(scene(after=1000), strange)
    assert (now.record, now.steps) == (strange, ())
    assert now.says == (
        f"the procedure {strange.type!r} is at {strange.step!r}, which this version of the operator does not know: "
        "nothing is done; run the version that began it"
    )


# -- deadlines and the way back


STEPS = [(verb, step) for verb, procedure in PROCEDURES.items() for step in procedure.deadlines]


def test_every_procedure_has_steps_with_deadlines_and_commands() -> None:
    for procedure in PROCEDURES.values():
        assert procedure.deadlines
        assert procedure.commands.keys() <= procedure.deadlines.keys()
        assert procedure.forward | procedure.noted | procedure.undone <= procedure.deadlines.keys()
        assert all(seconds > 0 for seconds in procedure.deadlines.values())


@pytest.mark.parametrize(("verb", "step"), STEPS)
def test_every_step_has_a_deadline_and_a_way_back(verb: str, step: str) -> None:
    limit = PROCEDURES[verb].deadlines[step]
    now = next_move(scene(after=limit + 0.1), RECORDS[verb](step))
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    told = (f"the step {step} did not end within {limit:.0f} s", "by somebody", "runs again")
    assert any(each in now.record.message for each in told)
    kept = next_move(scene(after=limit - 0.1), RECORDS[verb](step))
    assert "did not end" not in kept.record.message


@pytest.mark.parametrize(("verb", "step"), STEPS)
def test_every_step_can_be_left_for_the_way_back(verb: str, step: str) -> None:
    read = facts(S1=stopped_sentinel) if verb == "reset-stale" else facts()
    now = next_move(scene(read, leaving=f"the {verb} must go"), RECORDS[verb](step))
    if step in PROCEDURES[verb].forward:  # the sentinels are at work: there the way back is what comes of it
        assert now.record.step in (step, "restore", "ended")
        assert "must go" not in now.record.message
        return
    assert (now.record.step, now.record.result) == ("restore", "Failed")
    assert now.record.message.endswith(f"the {verb} must go")


def test_a_failed_step_goes_back_but_an_uncertain_question_is_watched() -> None:
    fence = next_move(scene(facts({"S2": 1}, S2=config(slave_priority="1"))), record())
    assert fence.then is not None
    (stop,), (ask,) = fence.steps, fence.then.steps

    def after(step: str, what: Step, *, begun: bool = True, sure: bool = False) -> Operation | None:
        return failed(record(step), what, "no answer.", begun=begun, sure=sure, now=NOON)

    back = replace(record("ask"), step="restore", result="Failed")
    assert after("ask", ask) is None, "it may have been heard"
    assert after("ask", ask, sure=True) == replace(back, message=f"{S1}: no answer")
    assert after("ask", ask, begun=False, sure=True) == replace(back, message=f"{S1}: no answer")
    assert after("fence", stop) == replace(back, message=f"{M}: no answer")
    assert after("fence", stop, begun=False, sure=True) is None, "the next pass begins it"
    assert after("demote", stop) is None, "tried again"
    assert isinstance(stop.action, Fence)


# -- putting back

CHANGED = {
    "M": both(config(min_slaves_to_write="99"), lambda host: edited(host, min_slaves_to_write="99")),
    "S2": both(config(slave_priority="1"), lambda host: edited(host, slave_priority="1")),
}


def ending(**changed: Change) -> Scene:
    """All hosts carry the record at its last step, some are as the procedure had made them."""
    last = record("ask")
    whole = {short: both(carrying(last), changed.get(short, lambda host: host)) for short in ("M", "S1", "S2", "S3")}
    return scene(facts(**whole))


RESTORING = replace(record("restore"), result="Failed", message="it was so")


def test_all_is_put_back_in_force_and_in_the_files_then_struck() -> None:
    now = next_move(ending(**CHANGED), RESTORING)
    done = [(step.host, step.what) for step in now.steps]
    assert done == [
        (M, "put back min-slaves-to-write on the running redis"),
        (M, "put back min-slaves-to-write in /etc/redis.conf"),
        (S1, "strike the switchover from the host"),
        (S2, "put back slave-priority on the running redis"),
        (S2, "put back slave-priority in /etc/redis.conf"),
        (S3, "strike the switchover from the host"),
    ]
    assert now.steps[0].action == ConfigSet({"min-slaves-to-write": "0"}, 6379)
    line, priority = now.steps[1].action, now.steps[4].action
    assert isinstance(line, EditConf)
    assert isinstance(priority, EditConf)
    assert (line.directives, line.remove) == ({}, ("min-slaves-to-write",))
    assert "min-slaves-to-write 99" not in line.text.reveal()
    assert (priority.directives, priority.remove) == ({"slave-priority": "100"}, ())
    assert (line.owner, line.group) == (EL7.user, EL7.conf_group)
    assert now.record == RESTORING


def test_what_is_as_before_is_struck_and_then_it_has_ended() -> None:
    struck = next_move(ending(), RESTORING)
    assert {step.action for step in struck.steps} == {ForgetOperation()}
    assert struck.record == RESTORING
    ended = next_move(scene(), RESTORING)
    assert (ended.record.step, ended.record.result, ended.record.message) == ("ended", "Failed", "it was so")


def test_a_master_whose_writes_may_still_be_paused_gets_them_back() -> None:
    now = next_move(ending(M=redis(version="6.2.14")), RESTORING)
    assert [step.action for step in now.steps if step.host == M] == [ForgetOperation(unpause=6379)]


def test_a_host_that_is_away_has_what_to_put_back_with_it() -> None:
    away = {"M": lambda host: replace(host, os=Unknown("gone"))}
    now = next_move(scene(facts(**away), after=59), RESTORING)
    assert (now.record, now.steps) == (RESTORING, ())
    late = next_move(scene(facts(**away), after=61), RESTORING)
    assert (late.record.step, late.record.message) == (
        "ended",
        f"it was so; what it changed on {M} is put back when it can be",
    )


@pytest.mark.parametrize(
    ("change", "whats"),
    [
        (stopped_redis, ["put back slave-priority in /etc/redis.conf"]),
        (both(stopped_redis, lambda host: edited(host, slave_priority="100")), ["strike the switchover from the host"]),
        (lambda host: replace(host, redis=Unknown("no answer")), ["put back slave-priority in /etc/redis.conf"]),
        (
            both(lambda host: edited(host, slave_priority="100"), lambda host: replace(host, redis=Unknown("silent"))),
            [],
        ),
        (
            lambda host: without(host, "slave-priority"),
            ["put back slave-priority on the running redis", "put back slave-priority in /etc/redis.conf"],
        ),
    ],
    ids=["stopped", "stopped-and-written", "silent", "silent-and-written", "line-gone"],
)
def test_what_a_host_still_has_to_put_back(change: Change, whats: list[str]) -> None:
    spoilt = both(carrying(record("ask")), CHANGED["S2"], change)
    hosts, _ = readable(desired(), facts(S2=spoilt))
    (host,) = (each for each in hosts if each.name == S2)
    assert [step.what for step in put_back(host, 6379)] == whats


def test_a_host_without_a_record_has_nothing_to_put_back() -> None:
    hosts, _ = readable(desired(), facts(**CHANGED))
    assert [put_back(host, 6379) for host in hosts] == [(), (), (), ()]
    assert record().before[ADDRESS[S2]] == {"slave-priority": Before("100", "100")}
    assert record().started_at == NOON_TEXT
