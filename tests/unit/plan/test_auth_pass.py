"""Password of the sentinels, by the line that they keep: given to a running one, put right in a stopped one's file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import HostFacts, Known, SentinelFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigDrift, EditConf, Need, Plan, SentinelSet, StartUnit, StopUnit
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, NOBODY, alive, planned
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    PASSWORD,
    S1,
    S2,
    S3,
    Change,
    M,
    cluster,
    desired,
    sees,
    sentinel_file,
    stopped_sentinel,
    text_of,
    verdict,
    with_file,
    with_unit,
)

DOWN = frozenset({"master", "s_down", "o_down"})
CALLED_DOWN = verdict(Situation.ALIVE, M, "the sentinel on redis_slave01 sees the master as down")
WHY = "with another password it sees no server any more once it must connect again"


def with_password(host: HostFacts, password: str | None) -> HostFacts:
    """A sentinel that goes on with what it has, and another password in its file."""
    text = sentinel_file(M).replace(f"sentinel auth-pass {NAME} {PASSWORD}\n", "")
    line = "" if password is None else f"sentinel auth-pass {NAME} {password}\n"
    return with_file(host, EL7.sentinel_conf, text + line)


def running(host: HostFacts, version: str, flags: frozenset[str]) -> HostFacts:
    seen = sees(M, flags=flags)
    assert isinstance(seen.value, SentinelFacts)
    host = replace(host, sentinel=Known(replace(seen.value, version=version)))
    assert isinstance(host.units, Known)
    unit = replace(host.units.value[EL7.sentinel_unit], main_pid=8)
    return replace(host, units=Known({**host.units.value, EL7.sentinel_unit: unit}))


def refused(version: str) -> Change:
    return lambda host: with_password(running(host, version, DOWN), "wrong")


def shown(todo: Plan) -> list[tuple[str, str]]:
    return [(step.host, step.what) for step in todo.steps]


@pytest.mark.parametrize(("password", "have"), [("wrong", "(another)"), (None, "(none)")])
def test_a_running_sentinel_is_given_the_password(password: str | None, have: str) -> None:
    todo = planned(S1=lambda host: with_password(host, password))
    assert [(step.host, step.what, step.why) for step in todo.steps] == [(S1, "set auth-pass on the sentinel", WHY)]
    assert todo.steps[0].action == SentinelSet(NAME, {"auth-pass": Secret(PASSWORD)}, 26379)
    assert todo.steps[0].needs == {Need.CLAIM, Need.SERVING}
    assert todo.drift == {S1: (ConfigDrift("sentinel auth-pass", "(the Secret's)", have),)}
    assert PASSWORD not in repr(todo)


def test_a_sentinel_that_runs_with_a_file_which_was_not_read_is_left_alone() -> None:
    def elsewhere(host: HostFacts) -> HostFacts:
        assert isinstance(host.sentinel, Known)
        assert isinstance(host.sentinel.value, SentinelFacts)
        own = replace(host.sentinel.value, config_file="/opt/sentinel.conf")
        return with_password(replace(host, sentinel=Known(own)), "wrong")

    assert planned(S1=elsewhere).settled


def test_without_a_password_what_the_sentinels_have_is_theirs() -> None:
    todo = plan(desired(password=None), cluster(alive), ALIVE, DONE)
    assert not [step for step in todo.steps if isinstance(step.action, SentinelSet)]


@pytest.mark.parametrize("version", ["3.2.6", "7.2.4"])
def test_those_that_call_the_master_down_for_it_get_it_though_that_is_a_transition(version: str) -> None:
    facts = cluster(alive, **{name: refused(version) for name in ("S1", "S2", "S3")})
    todo = plan(desired(), facts, CALLED_DOWN, DONE)
    assert shown(todo) == [(name, "set auth-pass on the sentinel") for name in (S1, S2, S3)]


@pytest.mark.parametrize("version", ["5.0.6", "6.0.16", "6.2.14"])
def test_those_that_would_not_connect_again_are_stopped_one_at_a_time(version: str) -> None:
    facts = cluster(alive, **{name: refused(version) for name in ("S1", "S2", "S3")})
    todo = plan(desired(), facts, CALLED_DOWN, DONE)
    assert [(step.host, step.action, step.needs) for step in todo.steps] == [
        (S1, StopUnit(EL7.sentinel_unit), {Need.CLAIM, Need.SERVING})
    ]
    facts = cluster(alive, S2=refused(version), S3=stopped_sentinel)
    waiting = plan(desired(), facts, CALLED_DOWN, DONE)
    assert [step.what for step in waiting.steps] == ["start sentinel (redis-sentinel.service)"]
    assert f"the sentinel of {S2} needs a restart for its password and waits for {S3}" in waiting.waiting


def test_one_that_still_sees_its_master_is_not_stopped_whatever_its_version() -> None:
    todo = planned(S1=lambda host: with_password(running(host, "6.2.14", frozenset({"master"})), "wrong"))
    assert shown(todo) == [(S1, "set auth-pass on the sentinel")]


def test_one_that_runs_by_itself_is_not_stopped_but_told() -> None:
    def by_hand(host: HostFacts) -> HostFacts:
        return with_unit(refused("6.2.14")(host), EL7.sentinel_unit, main_pid=0)  # type: ignore[arg-type]

    todo = plan(desired(), cluster(alive, S1=by_hand), CALLED_DOWN, DONE)
    assert todo.steps == ()
    assert todo.waiting[1] == (
        f"the sentinel of {S1} has another password than the Secret, and before Redis 7 takes one only at its start; "
        "it does not run as redis-sentinel.service: stop it, and the operator starts it there with sentinel auth-pass "
        f"{NAME} set right"
    )


def test_nothing_is_set_in_a_failover_or_while_nobody_is_master() -> None:
    failing = frozenset({"master", "o_down", "failover_in_progress"})
    facts = cluster(alive, S1=refused("3.2.6"), S2=lambda host: running(host, "3.2.6", failing))
    for judged in (CALLED_DOWN, NOBODY):
        todo = plan(desired(), facts, judged, DONE)
        assert not [step for step in todo.steps if isinstance(step.action, SentinelSet | StopUnit)]
        assert todo.drift[S1][0].key == "sentinel auth-pass"


# -- stopped ones


def stray(host: HostFacts) -> HostFacts:
    """The seed's own mistake: the password for a master of another name."""
    text = sentinel_file(M).replace(f"auth-pass {NAME}", "auth-pass mymaster")
    return stopped_sentinel(with_file(host, EL7.sentinel_conf, text))


def test_the_line_of_another_master_by_which_no_sentinel_starts_is_put_right_before_the_start() -> None:
    todo = planned(S1=stray)
    assert [(step.what, step.why) for step in todo.steps] == [
        (
            f"set sentinel auth-pass {NAME} in /etc/redis-sentinel.conf",
            "it names the master mymaster, which is not monitored: no sentinel starts so",
        ),
        ("start sentinel (redis-sentinel.service)", "it is stopped; its file keeps what it knew"),
    ]
    edit = todo.steps[0].action
    assert isinstance(edit, EditConf)
    before, after = text_of(stray(alive(S1)), EL7.sentinel_conf), edit.text.reveal()
    assert set(after.splitlines()) ^ set(before.splitlines()) == {
        f"sentinel auth-pass mymaster {PASSWORD}",
        f"sentinel auth-pass {NAME} {PASSWORD}",
    }
    assert isinstance(todo.steps[1].action, StartUnit)


@pytest.mark.parametrize(("password", "why"), [("old", "it is not the Secret's password"), (None, "it is missing")])
def test_a_stopped_sentinel_gets_the_password_before_it_starts(password: str | None, why: str) -> None:
    todo = planned(S1=lambda host: stopped_sentinel(with_password(host, password)))
    assert [step.why for step in todo.steps] == [why, "it is stopped; its file keeps what it knew"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "sentinel parallel-syncs mymaster 1",
            f"line 6 of /etc/redis-sentinel.conf on {S1} (sentinel parallel-syncs) is about the master mymaster, "
            "which it does not monitor: the sentinel will not start with it; correct or remove that line",
        ),
        (
            'logfile "x',
            f"/etc/redis-sentinel.conf of {S1} has unbalanced quotes in line 6: the sentinel will not start with it; "
            "correct that line",
        ),
    ],
)
def test_a_file_that_no_sentinel_starts_with_is_told(line: str, told: str) -> None:
    todo = planned(S1=lambda host: stopped_sentinel(with_file(host, EL7.sentinel_conf, f"{sentinel_file(M)}{line}\n")))
    assert (todo.steps, todo.waiting) == ((), (told,))


def test_without_any_sentinel_the_files_are_put_right_and_all_are_started() -> None:
    """As the seed was left by its own document: nobody is confirmed, the redis servers run."""
    facts = cluster(alive, S1=stray, S2=stray, S3=stray)
    todo = plan(desired(), facts, NOBODY, DONE)
    edits = [(step.host, type(step.action).__name__) for step in todo.steps]
    assert sorted(edits) == [(name, kind) for name in (S1, S2, S3) for kind in ("EditConf", "StartUnit")]
    assert ADDRESS[M] not in {step.host for step in todo.steps}
