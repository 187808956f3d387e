"""A living cluster: what drifts is set right."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import (
    ConfigDrift,
    ConfigSet,
    EditConf,
    EnableUnits,
    Need,
    Plan,
    Refusal,
    SentinelSet,
    WriteDropIn,
)
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive, edited, fresh, planned, with_config, without
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    PASSWORD,
    S1,
    S2,
    S3,
    M,
    cluster,
    desired,
    stopped_redis,
    text_of,
    with_file,
    with_unit,
)


def test_where_all_is_as_declared_nothing_is_planned() -> None:
    assert planned() == Plan()


# -- drift


def test_a_directive_that_the_server_does_not_have_is_refused() -> None:
    wanted = desired(redis_config={"lazyfree-lazy-expire": "yes"})
    todo = plan(wanted, cluster(alive), ALIVE, DONE)
    assert todo.refusal == Refusal(
        "ConfigInSync",
        "DirectiveNotInVersion",
        "spec.redis.config.lazyfree-lazy-expire: the redis of redis_master01 is of version 3.2.6, which does not have "
        "it and would not start with it. Nothing is changed on any host. Remove it from the spec.",
    )


def test_a_directive_in_the_file_is_set_again() -> None:
    todo = planned(S1=lambda host: edited(host, repl_timeout="59"))
    assert [(step.host, step.what, step.why) for step in todo.steps] == [
        (S1, "set repl-timeout in /etc/redis.conf", "repl-timeout is 59, wanted is 60")
    ]
    assert todo.drift == {S1: (ConfigDrift("repl-timeout", "60", "59"),)}
    action = todo.steps[0].action
    assert isinstance(action, EditConf)
    assert action.base_sha256 == sha256(edited(alive(S1), repl_timeout="59").files.value[EL7.redis_conf].text)  # type: ignore[union-attr]
    assert redis_conf.parse(action.text.reveal()).get("repl-timeout") == "60"


def test_a_role_line_is_never_touched_while_redis_runs() -> None:
    todo = planned(S1=lambda host: edited(host, repl_timeout="59", slaveof="10.9.9.9 1"))
    action = todo.steps[0].action
    assert isinstance(action, EditConf)
    assert redis_conf.parse(action.text.reveal()).get("slaveof") == "10.9.9.9 1"


def test_a_running_value_is_set_again_live() -> None:
    todo = planned(M=lambda host: with_config(host, repl_timeout="30"))
    assert [(step.host, step.action) for step in todo.steps] == [(M, ConfigSet({"repl-timeout": "60"}, 6379))]
    assert todo.steps[0].needs == {Need.CLAIM, Need.CONFIRMED}


def test_what_the_running_server_takes_only_by_a_restart_is_written_and_told() -> None:
    todo = planned(S1=lambda host: with_config(edited(host, bind="127.0.0.1"), bind="127.0.0.1"))
    assert [step.what for step in todo.steps] == ["set bind in /etc/redis.conf"]
    assert todo.drift == {S1: (ConfigDrift("bind", "0.0.0.0", "127.0.0.1", pending_restart=True),)}


def test_a_pending_restart_of_the_master_is_settled_and_told() -> None:
    todo = planned(M=lambda host: with_config(host, bind="127.0.0.1"))
    assert todo.settled
    assert todo.drift == {M: (ConfigDrift("bind", "0.0.0.0", "127.0.0.1", pending_restart=True),)}


def test_values_that_mean_the_same_are_no_drift() -> None:
    assert planned(S1=lambda host: with_config(edited(host, repl_timeout="060"), repl_timeout="60")).settled


def test_a_bind_that_nobody_declared_is_kept_where_the_host_is_reached_by_it() -> None:
    own = desired(redis_config={})
    facts = cluster(fresh, S1=lambda host: edited(fresh(S1), bind=f"127.0.0.1 {ADDRESS[S1]}"))
    assert plan(own, facts, ALIVE, DONE).settled
    facts = cluster(fresh, S1=lambda host: edited(fresh(S1), bind="127.0.0.1"))
    assert [step.what for step in plan(own, facts, ALIVE, DONE).steps] == ["set bind in /etc/redis.conf"]


def test_the_masterauth_that_the_seed_forgets_is_mended_live_and_in_the_file() -> None:
    todo = planned(M=lambda host: with_config(without(host, "masterauth"), masterauth=""))
    assert [step.what for step in todo.steps] == [
        "set masterauth on the running redis",
        "set masterauth in /etc/redis.conf",
    ]
    assert todo.steps[0].action == ConfigSet({"masterauth": Secret(PASSWORD)}, 6379)
    assert todo.drift[M] == (ConfigDrift("masterauth", "(the Secret's)", "(none)"),)
    assert PASSWORD not in repr(todo)


def test_a_replica_without_its_password_gets_it_back_last() -> None:
    todo = planned(S1=lambda host: with_config(host, requirepass="", masterauth=""))
    action = todo.steps[0].action
    assert isinstance(action, ConfigSet)
    assert list(action.values) == ["masterauth", "requirepass"]


def test_a_file_that_others_can_read_is_closed() -> None:
    todo = planned(S1=lambda host: with_file(host, EL7.redis_conf, text_of(host, EL7.redis_conf), 0o644))
    assert [(step.what, step.why) for step in todo.steps] == [
        ("give /etc/redis.conf to redis alone", "others may read it")
    ]


def test_a_missing_redis_conf_is_not_made_up() -> None:
    todo = planned(S1=lambda host: with_file(host, EL7.redis_conf, None))
    assert todo.steps == ()
    assert f"{S1} has no /etc/redis.conf" in todo.waiting[0]


def test_a_redis_conf_that_redis_cannot_read_is_told_and_left() -> None:
    todo = planned(S1=lambda host: with_file(host, EL7.redis_conf, 'port 6379\nrequirepass "x\n'))
    assert todo.steps == ()
    assert "unbalanced quotes in line 2" in todo.waiting[0]


@pytest.mark.parametrize("text", [None, 'port 6379\nrequirepass "x\n'])
def test_a_stopped_redis_whose_role_line_cannot_be_written_is_not_started(text: str | None) -> None:
    todo = planned(S1=lambda host: with_file(stopped_redis(host), EL7.redis_conf, text))
    assert todo.steps == ()
    assert "/etc/redis.conf" in todo.waiting[0]


def test_what_is_disabled_on_one_host_is_enabled_at_once() -> None:
    names = (EL7.redis_unit, EL7.sentinel_unit)
    todo = planned(
        S1=lambda each: with_unit(with_unit(each, names[0], enabled="disabled"), names[1], enabled="disabled")
    )
    assert [(step.what, step.action) for step in todo.steps] == [(f"enable {', '.join(names)}", EnableUnits(names))]


@pytest.mark.parametrize("host", [M, S1])
def test_a_disabled_unit_is_enabled_without_a_start_the_masters_too(host: str) -> None:
    short = {M: "M", S1: "S1"}[host]
    todo = planned(**{short: lambda each: with_unit(each, EL7.redis_unit, enabled="disabled")})
    assert [(step.host, step.action) for step in todo.steps] == [(host, EnableUnits(("redis.service",)))]


def test_a_drop_in_that_was_changed_is_written_again() -> None:
    todo = planned(S1=lambda host: with_file(host, EL7.redis_drop_in, "[Service]\nRestart=always\n"))
    action = todo.steps[0].action
    assert isinstance(action, WriteDropIn)
    assert "ExecStop=\n" in action.text
    assert "Restart" not in action.text


def test_the_sentinels_settings_are_set_live() -> None:
    own = desired(sentinel=SentinelSettings(2, down_after=7000, parallel_syncs=2))
    todo = plan(own, cluster(alive), ALIVE, DONE)
    values = {"down-after-milliseconds": "7000", "parallel-syncs": "2"}
    assert [(step.host, step.action) for step in todo.steps] == [
        (name, SentinelSet(NAME, values, 26379)) for name in (S1, S2, S3)
    ]
    assert todo.drift[S1][0] == ConfigDrift("sentinel down-after-milliseconds", "7000", "5000")
