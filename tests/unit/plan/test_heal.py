"""After a switch: what is made a replica, what is left to the sentinels, and what is only waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    HostFacts,
    Known,
    RedisFacts,
    ReplicaLink,
    ReplicaView,
)
from redis_sentinel_operator.model.step import Impact, MakeReplica, Need, Plan, RestoreMaster
from redis_sentinel_operator.model.verdict import Situation, Uncertain, Verdict
from redis_sentinel_operator.plan.order import plan
from redis_sentinel_operator.plan.part import Stage
from unit.plan.living import alive, edited
from unit.plan.test_bootstrap import shown
from unit.plan.world import ADDRESS, DONE, S1, S2, S3, Change, M, desired, sees, switched, verdict

SWITCHED = replace(verdict(Situation.ALIVE, S1), master_for=100.0)
YOUNG = "the last switch is younger than 10 s"
HEALED = "make redis a replica of redis_slave01 (192.168.3.42:6379)"


def with_redis(host: HostFacts, **changes: object) -> HostFacts:
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    return replace(host, redis=Known(replace(host.redis.value, **changes)))  # type: ignore[arg-type]


def world(**changed: Change) -> ClusterFacts:
    """S1 was promoted and lists the replicas that follow it; every sentinel knows them."""
    hosts = {name: switched(alive(name), S1) for name in (M, S1, S2, S3)}
    names = {"M": M, "S1": S1, "S2": S2, "S3": S3}
    hosts |= {names[short]: change(hosts[names[short]]) for short, change in changed.items()}
    following = [host for host in hosts.values() if _follows(host, S1)]
    links = tuple(ReplicaLink(host.address, 6379, 100) for host in following)
    hosts[S1] = with_redis(hosts[S1], replicas=links)
    seen = tuple(ReplicaView(host.address, 6379, frozenset({"slave"}), "ok", 100, 1) for host in following)
    for name in (S1, S2, S3):
        if hosts[name].sentinel == sees(S1):
            hosts[name] = replace(hosts[name], sentinel=sees(S1, replicas=seen))
    return ClusterFacts(hosts, 0.0)


def _follows(host: HostFacts, master: str) -> bool:
    value = host.redis.value if isinstance(host.redis, Known) else None
    return isinstance(value, RedisFacts) and value.master_address == ADDRESS[master]


def follows(master: str) -> Change:
    return lambda host: with_redis(host, master_address=ADDRESS[master], link="down")


def returned(host: HostFacts) -> HostFacts:
    return with_redis(host, role="master", master_address="", link="", uptime=5, run_id="new")


def planned(facts: ClusterFacts, judged: Verdict = SWITCHED, members: tuple[str, ...] = (M, S1, S2, S3)) -> Plan:
    return plan(desired(), facts, judged, replace(DONE, members=frozenset(members)))


def test_the_world_after_a_switch_needs_nothing() -> None:
    assert planned(world()).settled


def test_a_replica_left_on_a_stale_master_is_pointed_to_the_confirmed_one() -> None:
    todo = planned(world(S3=follows(M)))
    assert shown(todo) == [(Stage.ROLE, S3, HEALED)]
    step = todo.steps[0]
    assert step.action == MakeReplica(ADDRESS[S1], 6379, 1, "r", "slave")
    assert step.needs == {Need.CLAIM, Need.CONFIRMED}
    assert step.impact is Impact.RESTART
    assert step.why == "it follows 192.168.3.41, which is not the master"


def test_a_returned_master_is_made_a_replica_within_the_settle_time() -> None:
    todo = planned(world(M=returned), replace(SWITCHED, transition=(YOUNG,)))
    assert shown(todo) == [(Stage.ROLE, M, HEALED)]
    step = todo.steps[0]
    assert step.action == MakeReplica(ADDRESS[S1], 6379, 1, "new", "master")
    assert step.needs == {Need.CLAIM, Need.CONFIRMED, Need.SUPERSEDED}
    assert step.why == "it came back as a master, and redis_slave01 is one since before it started"
    assert todo.waiting == (YOUNG,)


def test_what_gets_another_role_is_not_changed_otherwise_in_the_same_plan() -> None:
    todo = planned(world(M=lambda host: edited(returned(host), repl_timeout="59")))
    assert shown(todo) == [(Stage.ROLE, M, HEALED)]


def test_the_steps_come_before_all_others() -> None:
    todo = planned(world(M=returned, S2=lambda host: edited(host, repl_timeout="59")))
    assert shown(todo)[0] == (Stage.ROLE, M, HEALED)
    assert len(todo.steps) > 1


LEFT_ALONE: dict[str, tuple[Change, str]] = {
    "it ran before the switch": (
        lambda host: with_redis(returned(host), uptime=200),
        "it did not start after redis_slave01 became master",
    ),
    "it has replicas": (
        lambda host: with_redis(returned(host), replicas=(ReplicaLink("192.168.3.44", 6379, 1),)),
        "it has replicas: 192.168.3.44",
    ),
}


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_a_second_master_that_is_not_proved_to_be_superseded_is_left_to_the_sentinels(case: str) -> None:
    change, why = LEFT_ALONE[case]
    todo = planned(world(M=change))
    assert todo.steps == ()
    assert todo.waiting == (
        f"redis on {M} is a master too. The sentinels make it a replica of {S1} within some ten seconds; the operator "
        f"does not now: {why}. If it stays so, send `SLAVEOF 192.168.3.42 6379` to it",
    )


def test_in_a_failover_a_stale_replica_is_the_sentinels() -> None:
    odd = sees(S1, flags=frozenset({"master", "failover_in_progress"}))
    for changed in (
        {"S2": lambda host: replace(host, sentinel=odd), "S3": follows(M)},
        {"S3": lambda host: replace(follows(M)(host), sentinel=odd)},  # also where its own host has the leader
    ):
        todo = planned(world(**changed))
        assert not any(isinstance(step.action, MakeReplica) for step in todo.steps)
        assert "the operator does not now: the sentinel on redis_slave0" in todo.waiting[0]


def test_without_a_confirmed_master_nobody_is_pointed_anywhere() -> None:
    todo = planned(world(M=returned, S3=follows(M)), verdict(Situation.ALIVE))
    assert not any(isinstance(step.action, MakeReplica) for step in todo.steps)


UNREAD: dict[str, Callable[[HostFacts], HostFacts]] = {
    "loading": lambda host: with_redis(follows(M)(host), loading=True),
    "refuses us": lambda host: replace(host, redis=Known(Denied("NOAUTH"))),
}


@pytest.mark.parametrize("case", UNREAD)
def test_a_redis_that_cannot_be_asked_is_left_alone(case: str) -> None:
    todo = planned(world(S3=UNREAD[case]))
    assert not any(isinstance(step.action, MakeReplica) for step in todo.steps)


def test_a_replica_that_the_master_shows_follows_it_whatever_address_it_uses() -> None:
    """Behind NAT, or by name: the master's own list of replicas counts."""
    facts = world()
    facts = ClusterFacts({**facts.hosts, S3: with_redis(facts.hosts[S3], master_address="redis-a.example")}, 0.0)
    assert not any(isinstance(step.action, MakeReplica) for step in planned(facts).steps)


NEVER_SEEN = (
    "was never seen in this cluster, so its data are not replaced. If they may go, send `SLAVEOF 192.168.3.42 6379` "
    "to it"
)


def test_what_was_never_seen_in_the_cluster_keeps_its_data() -> None:
    todo = planned(world(M=returned, S3=follows(M)), members=())
    assert todo.steps == ()
    assert todo.waiting == (
        f"redis on {M} is a master and {NEVER_SEEN}",
        f"redis on {S3} follows another server and {NEVER_SEEN}",
    )


def test_what_a_sentinel_lists_as_a_replica_is_of_the_cluster() -> None:
    facts = world(M=returned)
    listed = tuple(
        ReplicaView(ADDRESS[name], 6379, frozenset({"slave", "s_down"}), "err", 100, 1) for name in (M, S2, S3)
    )
    facts = ClusterFacts({**facts.hosts, S2: replace(facts.hosts[S2], sentinel=sees(S1, replicas=listed))}, 0.0)
    assert shown(planned(facts, members=())) == [(Stage.ROLE, M, HEALED)]


def test_a_replica_that_a_sentinel_does_not_know_is_waited_for() -> None:
    facts = world()
    only = (ReplicaView(ADDRESS[S2], 6379, frozenset({"slave"}), "ok", 100, 1),)
    facts = ClusterFacts({**facts.hosts, S2: replace(facts.hosts[S2], sentinel=sees(S1, replicas=only))}, 0.0)
    todo = planned(facts)
    assert todo.steps == ()
    assert todo.waiting == (
        f"the sentinel on {S2} does not know {M}, {S3} as a replica, so it could not promote it; it finds it when it "
        "asks the master again, within ten seconds",
    )


def test_a_replica_that_announces_another_address_is_known() -> None:
    facts = world()
    others = tuple(ReplicaView(f"10.0.0.{n}", 6379, frozenset({"slave"}), "ok", 100, 1) for n in (1, 2, 3))
    facts = ClusterFacts({**facts.hosts, S2: replace(facts.hosts[S2], sentinel=sees(S1, replicas=others))}, 0.0)
    assert planned(facts).settled


def test_a_master_that_a_play_undid_gets_its_role_back_before_all_else() -> None:
    """With drift on another host, and whether or not the sentinels call it down by now."""
    undone = f"{S1} came up as a replica of {M}"
    judged = replace(SWITCHED, master=Uncertain("RoleUndone", "", ADDRESS[S1]), undone=undone, restores=S1)
    facts = world(S1=follows(M), S2=lambda host: edited(host, repl_timeout="7"))
    for each in (judged, replace(judged, transition=("the sentinel on redis_slave02 sees the master as down",))):
        todo = planned(facts, each)
        assert shown(todo) == [(Stage.ROLE, S1, "make redis the master again")]
        (step,) = todo.steps
        assert step.action == RestoreMaster(1, "r")
        assert (step.needs, step.impact) == ({Need.CLAIM, Need.UNDONE}, Impact.RESTART)
        assert step.why == f"{undone}; all sentinels name it, and none can promote another"
    assert not any(
        isinstance(step.action, RestoreMaster) for step in planned(facts, replace(judged, restores="")).steps
    )
