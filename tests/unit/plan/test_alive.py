"""A living cluster: drift is mended, what is down comes back, and what the sentinels decide is left to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    Denied,
    FirewallFacts,
    HostFacts,
    Known,
    PeerView,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import (
    ConfigDrift,
    ConfigSet,
    EditConf,
    EnableUnit,
    Need,
    Plan,
    Refusal,
    SentinelSet,
    StartUnit,
    TakeClaim,
    WriteDropIn,
    WriteSentinelConf,
)
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import PlanContext, plan
from unit.plan.test_bootstrap import SETTING_UP, all_passes, shown
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    OWNER,
    PASSWORD,
    S1,
    S2,
    S3,
    SHIPPED,
    Change,
    M,
    bare,
    carried_out,
    claimed,
    cluster,
    desired,
    installed,
    sees,
    sentinel_file,
    stopped_redis,
    stopped_sentinel,
    text_of,
    unreachable,
    verdict,
    view,
    with_file,
    with_unit,
)

ALIVE = verdict(Situation.ALIVE, M)
NOBODY = verdict(Situation.ALIVE)
RUNNING, _ = all_passes(cluster(bare))


def alive(name: str) -> HostFacts:
    host = RUNNING.hosts[name]
    return host if name == M else with_file(host, EL7.sentinel_conf, sentinel_file(M))


def fresh(name: str) -> HostFacts:
    """A host on which nothing was ever declared."""
    return replace(alive(name), claim=Known(Claim(OWNER, "b1")))


def with_config(host: HostFacts, **changes: str) -> HostFacts:
    """A running redis with other values than its file has."""
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    named = {key.replace("_", "-"): value for key, value in changes.items()}
    return replace(host, redis=Known(replace(host.redis.value, config={**host.redis.value.config, **named})))


def with_version(host: HostFacts, version: str) -> HostFacts:
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    return replace(host, redis=Known(replace(host.redis.value, version=version)))


def edited(host: HostFacts, **changes: str) -> HostFacts:
    """The file of redis with other values."""
    named = {key.replace("_", "-"): value for key, value in changes.items()}
    text = redis_conf.parse(text_of(host, EL7.redis_conf)).edit(named)
    return with_file(host, EL7.redis_conf, text)


def without(host: HostFacts, name: str) -> HostFacts:
    if isinstance(host.files, Known) and host.files.value[EL7.redis_conf] is None:
        return host
    return with_file(host, EL7.redis_conf, redis_conf.parse(text_of(host, EL7.redis_conf)).edit({}, remove=[name]))


def planned(**changed: Change) -> Plan:
    return plan(desired(), cluster(alive, **changed), ALIVE, DONE)


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
    newer = cluster(lambda name: with_version(alive(name), "5.0.6"))
    assert plan(wanted, newer, ALIVE, DONE).refusal is None


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


@pytest.mark.parametrize("host", [M, S1])
def test_a_disabled_unit_is_enabled_without_a_start_the_masters_too(host: str) -> None:
    short = {M: "M", S1: "S1"}[host]
    todo = planned(**{short: lambda each: with_unit(each, EL7.redis_unit, enabled="disabled")})
    assert [(step.host, step.action) for step in todo.steps] == [(host, EnableUnit("redis.service"))]


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


# -- what is down


def test_a_stopped_replica_comes_back() -> None:
    todo = planned(S1=stopped_redis)
    assert shown(todo) == [(4, S1, "start redis (redis.service)")]
    assert todo.steps[0].needs == {Need.CLAIM, Need.CONFIRMED}


def test_a_stopped_sentinel_comes_back_with_its_file() -> None:
    todo = planned(S1=stopped_sentinel)
    assert shown(todo) == [(6, S1, "start sentinel (redis-sentinel.service)")]


def test_an_old_master_gets_its_role_line_before_it_is_started() -> None:
    switched = {name: replace(alive(name), sentinel=sees(S1)) for name in (S1, S2, S3)}
    facts = ClusterFacts({M: stopped_redis(alive(M)), **switched}, 0.0)
    todo = plan(desired(), facts, verdict(Situation.ALIVE, S1), DONE)
    assert shown(todo) == [(2, M, "set slaveof in /etc/redis.conf"), (4, M, "start redis (redis.service)")]
    action = todo.steps[0].action
    assert isinstance(action, EditConf)
    assert redis_conf.parse(action.text.reveal()).get("slaveof") == f"{ADDRESS[S1]} 6379"
    assert all(Need.CONFIRMED in step.needs for step in todo.steps)
    after = carried_out(facts, todo)
    assert plan(desired(), after, verdict(Situation.ALIVE, S1), DONE).settled


def test_a_dead_master_without_a_successor_waits() -> None:
    todo = plan(desired(), cluster(alive, M=stopped_redis), NOBODY, DONE)
    assert todo.steps == ()
    assert todo.waiting == (
        f"The sentinels name {M} ({ADDRESS[M]}:6379) as master, but no redis listens there. The sentinels fail over "
        "when they can; the operator does not start it, because a master that comes back empty empties its replicas.",
    )


def test_one_sentinel_that_still_names_it_is_enough_to_wait() -> None:
    seen = {name: replace(alive(name), sentinel=sees(S1)) for name in (S1, S2)}
    facts = ClusterFacts({M: stopped_redis(alive(M)), **seen, S3: alive(S3)}, 0.0)
    todo = plan(desired(), facts, verdict(Situation.ALIVE, S1), DONE)
    assert todo.steps == ()
    assert "does not start it" in todo.waiting[0]


def test_with_all_sentinels_down_their_files_tell_who_is_master() -> None:
    stopped = {name: stopped_sentinel(alive(name)) for name in (S1, S2, S3)}
    facts = ClusterFacts({M: stopped_redis(alive(M)), **stopped}, 0.0)
    todo = plan(desired(), facts, NOBODY, DONE)
    assert shown(todo) == [(6, name, "start sentinel (redis-sentinel.service)") for name in (S1, S2, S3)]
    assert "does not start it" in todo.waiting[0]


def test_a_replica_waits_until_a_master_is_confirmed() -> None:
    todo = plan(desired(), cluster(alive, S1=stopped_redis), NOBODY, DONE)
    assert todo.steps == ()
    assert todo.waiting == (f"redis on {S1} is stopped; it is started when a master is confirmed",)


def test_a_redis_that_does_not_answer_is_not_started() -> None:
    todo = planned(S1=lambda host: replace(host, redis=Unknown("no answer within 3 s", "NoAnswer")))
    assert todo.steps == ()
    assert todo.waiting == (f"redis on {S1} could not be read: no answer within 3 s",)


def test_a_unit_on_its_way_is_waited_for() -> None:
    todo = planned(S1=lambda host: with_unit(stopped_redis(host), EL7.redis_unit, active="activating"))
    assert todo.steps == ()
    assert todo.waiting == (f"redis on {S1} does not listen, but is not stopped either (its unit is activating)",)


def test_a_masked_unit_is_told() -> None:
    todo = planned(S1=lambda host: with_unit(stopped_redis(host), EL7.redis_unit, load="masked"))
    assert [step.what for step in todo.steps] == []
    assert todo.waiting == (f"redis on {S1} cannot be started: its unit redis.service is masked",)


def test_a_redis_that_refuses_us_is_told() -> None:
    todo = planned(S1=lambda host: replace(host, redis=Known(Denied("NOAUTH Authentication required."))))
    assert todo.steps == ()
    assert todo.waiting == (f"redis on {S1} does not let the operator in: NOAUTH Authentication required.",)


def test_a_host_without_anything_joins_as_a_replica() -> None:
    facts = cluster(alive, S3=lambda host: claimed(bare(host.name)))
    first = plan(desired(), facts, ALIVE, DONE)
    assert shown(first) == [(1, S3, "install redis")]
    second = plan(desired(), carried_out(facts, first), ALIVE, DONE)
    starts = [step.action for step in second.steps if isinstance(step.action, StartUnit)]
    assert [start.unit for start in starts] == ["redis.service", "redis-sentinel.service"]
    edit = next(step.action for step in second.steps if isinstance(step.action, EditConf))
    assert redis_conf.parse(edit.text.reveal()).get("slaveof") == f"{ADDRESS[M]} 6379"
    assert plan(desired(), carried_out(carried_out(facts, first), second), ALIVE, DONE).settled


def test_a_sentinel_that_others_remember_gets_no_second_identity() -> None:
    peer = PeerView("b" * 40, ADDRESS[S3], 26379, frozenset({"sentinel", "s_down"}))
    knowing = Known(SentinelFacts("3.2.6", "s", 8, False, (NAME,), view(M, peers=(peer,))))
    lost = with_file(stopped_sentinel(alive(S3)), EL7.sentinel_conf, SHIPPED[EL7.sentinel_conf])
    facts = cluster(alive, S1=lambda host: replace(host, sentinel=knowing), S3=lambda _: lost)
    todo = plan(desired(), facts, ALIVE, DONE)
    assert todo.steps == ()
    assert f"{S1} remembers the sentinel bbbbbbbbbbbb there" in todo.waiting[0]


def test_a_sentinel_of_another_cluster_is_not_started() -> None:
    other = with_file(stopped_sentinel(alive(S3)), EL7.sentinel_conf, "sentinel monitor other 10.1.1.1 6379 2\n")
    todo = planned(S3=lambda _: other)
    assert todo.steps == ()
    assert todo.waiting == (f"the sentinel of {S3} monitors other instead of {NAME} and is not started",)


def test_a_hand_started_sentinel_of_the_package_is_told() -> None:
    todo = planned(
        S3=lambda host: replace(host, sentinel=Known(SentinelFacts("3.2.6", "s", 8, False, ("mymaster",), None)))
    )
    assert todo.steps == ()
    assert f"the sentinel of {S3} runs and monitors mymaster, not {NAME}" in todo.waiting[0]


def test_a_sentinel_without_a_file_waits_for_a_master() -> None:
    lost = with_file(stopped_sentinel(alive(S3)), EL7.sentinel_conf, None)
    todo = plan(desired(), cluster(alive, S3=lambda _: lost), NOBODY, DONE)
    assert todo.steps == ()
    assert "gets one when a master is confirmed" in todo.waiting[0]
    confirmed = plan(desired(), cluster(alive, S3=lambda _: lost), ALIVE, DONE)
    action = confirmed.steps[0].action
    assert isinstance(action, WriteSentinelConf)
    assert action.base_sha256 == ""


# -- what is in transition, or whose it is


def test_in_a_transition_only_what_a_failover_needs_is_done() -> None:
    closed = Known(FirewallFacts("firewalld", "public"))
    changed: dict[str, Change] = {
        "M": stopped_redis,
        "S1": lambda host: replace(edited(host, repl_timeout="59"), firewall=closed),
        "S2": stopped_sentinel,
        "S3": stopped_redis,
    }
    todo = plan(desired(), cluster(alive, **changed), verdict(Situation.ALIVE, None, "S1 sees it down"), DONE)
    assert shown(todo) == [
        (2, S1, "open 6379/tcp, 26379/tcp in firewalld in zone public"),
        (6, S2, "start sentinel (redis-sentinel.service)"),
    ]
    assert todo.waiting == ("S1 sees it down",)
    assert all(step.needs == {Need.CLAIM} for step in todo.steps)


def test_an_unreadable_host_gets_no_step_and_holds_nobody() -> None:
    todo = planned(S1=unreachable, S2=lambda host: edited(host, repl_timeout="59"))
    assert [step.host for step in todo.steps] == [S2]
    assert todo.waiting == (f"{S1} could not be read and is left alone: no route to host",)


def test_an_unclaimed_host_is_claimed_before_anything_else_happens_to_it() -> None:
    todo = planned(S1=lambda host: replace(edited(host, repl_timeout="59"), claim=Known(None)))
    assert [(step.host, step.action) for step in todo.steps] == [(S1, TakeClaim(OWNER, "b1", ADDRESS[M]))]


def test_what_would_be_done_is_shown_without_a_claim_where_nothing_is_done() -> None:
    own = desired(management="Observe")
    facts = cluster(alive, S1=lambda host: replace(edited(host, repl_timeout="59"), claim=Known(None)))
    todo = plan(own, facts, ALIVE, DONE)
    assert [step.what for step in todo.steps] == [
        "claim the host for this resource",
        "set repl-timeout in /etc/redis.conf",
    ]


def test_a_host_of_another_owner_stops_everything_until_a_person_says_so() -> None:
    facts = cluster(
        alive,
        S1=lambda host: claimed(host, "beef/other/redis", ""),
        S2=lambda host: edited(host, repl_timeout="59"),
    )
    todo = plan(desired(), facts, ALIVE, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.condition) == ("HostClaimedByAnother", "HostsClaimed")
    assert todo.refusal.message.startswith(f"Owned by beef/other/redis: {S1}.")
    adopted = plan(desired(), facts, ALIVE, PlanContext(OWNER, DONE.bootstrap, adopt_claim=True))
    assert adopted.steps[0].action == TakeClaim(OWNER, "b1", ADDRESS[M], force=True)


# -- passwords


def test_another_password_of_the_running_master_is_refused() -> None:
    own = desired(password=Secret("another"))
    todo = plan(own, cluster(alive), ALIVE, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.condition) == ("PasswordChanged", "CredentialsInSync")
    assert PASSWORD not in repr(todo)


def test_another_password_that_shuts_us_out_is_refused() -> None:
    shut = Known(Denied("WRONGPASS"))
    facts = cluster(alive, **{short: lambda host: replace(host, redis=shut) for short in ("M", "S1", "S2", "S3")})
    todo = plan(desired(password=Secret("another")), facts, NOBODY, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "PasswordChanged"


def test_a_password_where_there_is_none_is_refused() -> None:
    facts = cluster(
        alive,
        **{short: lambda host: with_config(host, requirepass="", masterauth="") for short in ("M", "S1", "S2", "S3")},
    )
    todo = plan(desired(), facts, ALIVE, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "PasswordChanged"


def test_a_stopped_cluster_with_another_password_is_not_started() -> None:
    facts = cluster(lambda name: stopped_redis(alive(name) if name == M else stopped_sentinel(alive(name))))
    todo = plan(desired(password=Secret("another")), facts, verdict(Situation.STOPPED), DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "PasswordChanged"


def test_another_version_of_the_package_is_refused() -> None:
    hosts = tuple(replace(host, package=replace(host.package, version="3.2.6-3.el7")) for host in desired().hosts)
    todo = plan(desired(hosts=hosts), cluster(alive), ALIVE, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "NotSupportedYet"
    assert f"{M} has redis 3.2.6-2.el7, declared is 3.2.6-3.el7" in todo.refusal.message


@pytest.mark.parametrize("declared", ["3.2.6", "3.2.6-2.el7", "redis-3.2.6"])
def test_the_declared_version_may_be_less_exact(declared: str) -> None:
    hosts = tuple(replace(host, package=replace(host.package, version=declared)) for host in desired().hosts)
    assert plan(desired(hosts=hosts), cluster(alive), ALIVE, DONE).settled


def test_foreign_data_is_refused_with_the_judges_words() -> None:
    foreign = verdict(Situation.FOREIGN, message="There is data.", reason="ForeignData")
    todo = plan(desired(), cluster(bare), foreign, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.message) == ("ForeignData", "There is data.")


def test_an_unsupported_system_is_refused() -> None:
    def debian(host: HostFacts) -> HostFacts:
        assert isinstance(host.os, Known)
        return replace(host, os=Known(replace(host.os.value, id="debian", version_id="12")))

    todo = plan(desired(), cluster(bare, S1=debian), SETTING_UP, DONE)
    assert todo.refusal is not None
    assert todo.refusal.reason == "UnsupportedSystem"


def test_nothing_is_changed_while_undeclared_sentinels_vote() -> None:
    strangers = tuple(PeerView(str(i) * 40, f"10.9.9.{i}", 26379, frozenset({"sentinel"})) for i in range(4))

    def visited(host: HostFacts) -> HostFacts:
        fact = host.sentinel
        assert isinstance(fact, Known)
        assert isinstance(fact.value, SentinelFacts)
        assert fact.value.view is not None
        return replace(host, sentinel=Known(replace(fact.value, view=replace(fact.value.view, peers=strangers))))

    todo = plan(desired(), cluster(alive, S1=visited, S2=stopped_redis), ALIVE, DONE)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.condition, todo.refusal.reason) == ("PreflightPassed", "UndeclaredSentinels")


# -- a stopped cluster


def stopped(name: str) -> HostFacts:
    host = stopped_redis(alive(name))
    return host if name == M else stopped_sentinel(host)


def test_a_stopped_cluster_is_started_with_the_files_it_has() -> None:
    facts = cluster(stopped, S1=lambda host: edited(host, repl_timeout="59"))
    todo = plan(desired(), facts, verdict(Situation.STOPPED), DONE)
    assert shown(todo) == [
        (3, M, "start redis (redis.service)"),
        *((4, name, "start redis (redis.service)") for name in (S1, S2, S3)),
        *((6, name, "start sentinel (redis-sentinel.service)") for name in (S1, S2, S3)),
    ]


def test_a_master_of_earlier_days_stays_down_in_a_cold_start() -> None:
    newer = {short: (lambda host: with_file(host, EL7.sentinel_conf, sentinel_file(S1, 2))) for short in ("S2", "S3")}
    facts = cluster(stopped, **newer)
    todo = plan(desired(), facts, verdict(Situation.STOPPED), DONE)
    assert [(step.stage, step.host) for step in todo.steps if step.stage < 6] == [(3, S1), (4, S2), (4, S3)]


def test_a_cold_start_that_is_cut_off_never_leaves_the_last_master_to_a_failover() -> None:
    facts = cluster(stopped, S3=lambda host: with_file(host, EL7.sentinel_conf, sentinel_file(S3, 2)))
    todo = plan(desired(), facts, verdict(Situation.STOPPED), DONE)
    for cut in range(1, len(todo.steps)):
        left = carried_out(facts, Plan(todo.steps[:cut]))
        assert left.hosts[S3].redis != Known(None)
        again = plan(desired(), left, verdict(Situation.ALIVE), DONE)
        # replicas wait for the sentinels, and those are started: they find their master alive
        assert {step.action.sentinel for step in again.steps if isinstance(step.action, StartUnit)} <= {True}


@pytest.mark.parametrize(
    "out_of_order",
    [
        lambda host: with_file(host, EL7.redis_conf, None),
        lambda host: with_file(host, EL7.redis_conf, 'requirepass "x\n'),
        lambda host: with_unit(host, EL7.redis_unit, load="masked"),
    ],
)
def test_a_cold_start_waits_for_a_last_master_that_cannot_be_started(out_of_order: Change) -> None:
    todo = plan(desired(), cluster(stopped, M=out_of_order), verdict(Situation.STOPPED), DONE)
    assert todo.steps == ()
    assert f"{M} was the last master and its redis cannot be started" in todo.waiting[-1]


def test_a_stopped_cluster_is_claimed_first() -> None:
    facts = cluster(stopped, S2=lambda host: replace(host, claim=Known(None)))
    todo = plan(desired(), facts, verdict(Situation.STOPPED), PlanContext(OWNER))
    assert [step.action for step in todo.steps] == [TakeClaim(OWNER, "")]


def test_one_unreadable_host_holds_a_cold_start() -> None:
    todo = plan(desired(), cluster(stopped, S3=unreachable), verdict(Situation.STOPPED), DONE)
    assert todo.steps == ()


# -- the promise

CHANGES: tuple[Change, ...] = (
    lambda host: host,
    stopped_redis,
    stopped_sentinel,
    lambda host: stopped_sentinel(stopped_redis(host)),
    lambda host: replace(host, sentinel=sees(S1)) if host.name != M else host,
    lambda host: stopped_redis(replace(host, sentinel=sees(S1, told_address=ADDRESS[M]))) if host.name != M else host,
    unreachable,
    lambda host: replace(host, redis=Unknown("hangs")),
    lambda host: replace(host, sentinel=Unknown("hangs")),
    lambda host: without(host, "slaveof"),
    lambda host: claimed(bare(host.name)),
    lambda host: with_file(host, EL7.sentinel_conf, sentinel_file(S2, 3)),
    lambda host: replace(host, claim=Known(None)),
    lambda host: installed(claimed(bare(host.name))),
)
SHORT = ("M", "S1", "S2", "S3")


def called_master(facts: ClusterFacts) -> set[str]:
    views = [
        each.sentinel.value.view
        for each in facts.hosts.values()
        if isinstance(each.sentinel, Known)
        and isinstance(each.sentinel.value, SentinelFacts)
        and each.sentinel.value.view
    ]
    return {address for view in views for address in (view.address, view.told_address)}


@settings(max_examples=400, deadline=None)
@given(
    changes=st.tuples(*[st.lists(st.sampled_from(CHANGES), max_size=2) for _ in SHORT]),
    confirmed=st.sampled_from([None, M, S1, S2]),
    transition=st.booleans(),
)
def test_a_redis_that_a_sentinel_calls_master_is_never_started(
    changes: tuple[list[Change], ...], confirmed: str | None, transition: bool
) -> None:
    hosts = {name: alive(name) for name in ADDRESS}
    for name, some in zip(hosts, changes, strict=True):
        for change in some:
            if isinstance(hosts[name].files, Known):
                hosts[name] = change(hosts[name])
    facts = ClusterFacts(hosts, 0.0)
    seen = verdict(Situation.ALIVE, confirmed, *(["a sign"] if transition else []))
    todo = plan(desired(), facts, seen, DONE)
    started = {step.host for step in todo.steps if isinstance(step.action, StartUnit) and not step.action.sentinel}
    assert not {ADDRESS[name] for name in started} & called_master(facts)
    assert not started or (confirmed is not None and not transition)
    for name in started:
        edit = next((s.action for s in todo.steps if s.host == name and isinstance(s.action, EditConf)), None)
        text = edit.text.reveal() if edit else text_of(hosts[name], EL7.redis_conf)
        assert confirmed is not None
        assert redis_conf.parse(text).get("slaveof") == f"{ADDRESS[confirmed]} 6379"


def test_units_that_nobody_wants_are_left_alone() -> None:
    todo = planned(M=lambda host: with_unit(host, EL7.sentinel_unit, active="active", enabled="enabled"))
    assert todo.settled
