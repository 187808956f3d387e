"""A living cluster: what is down comes back, and the promise that what a sentinel calls master is never started."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    Known,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.step import (
    EditConf,
    Need,
    StartUnit,
    WriteSentinelConf,
)
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import plan
from unit.examples import tried
from unit.plan.living import ALIVE, NOBODY, alive, planned, without
from unit.plan.test_bootstrap import shown
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    S1,
    S2,
    S3,
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
    switched,
    text_of,
    unreachable,
    verdict,
    with_file,
    with_unit,
)

# -- what is down


def test_a_stopped_replica_comes_back() -> None:
    todo = planned(S1=stopped_redis)
    assert shown(todo) == [(4, S1, "start redis (redis.service)")]
    assert todo.steps[0].needs == {Need.CLAIM, Need.CONFIRMED}


def test_a_stopped_sentinel_comes_back_with_its_file() -> None:
    todo = planned(S1=stopped_sentinel)
    assert shown(todo) == [(6, S1, "start sentinel (redis-sentinel.service)")]


def test_an_old_master_gets_its_role_line_before_it_is_started() -> None:
    others = {name: switched(alive(name), S1) for name in (S1, S2, S3)}
    facts = ClusterFacts({M: stopped_redis(alive(M)), **others}, 0.0)
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
    late = replace(switched(alive(S3), S1), sentinel=sees(M))
    others = {name: switched(alive(name), S1) for name in (S1, S2)} | {S3: late}
    facts = ClusterFacts({M: stopped_redis(alive(M)), **others}, 0.0)
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


@settings(max_examples=tried(400))
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
