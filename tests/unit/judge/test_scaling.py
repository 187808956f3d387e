"""When a host has joined, when a sentinel may be made to forget, and when a host may be forgotten: each refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.findings import preflight, quorum, reachable, replication
from redis_sentinel_operator.judge.joining import not_joined
from redis_sentinel_operator.judge.leaving import cleared, why_not_forget, why_not_reset
from redis_sentinel_operator.judge.master import Sentinels, facts_of, mastership
from redis_sentinel_operator.judge.signs import transition_signs
from redis_sentinel_operator.judge.superseded import in_failover
from redis_sentinel_operator.model.desired import Desired, GoneHost, SentinelSettings
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, PeerView, RedisFacts
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from unit.plan.living import ALIVE, NOBODY
from unit.plan.scaling import changed, knowing, scaled, serving
from unit.plan.world import ADDRESS, S1, S2, S3, M, redis_facts, sees, stopped_redis, stopped_sentinel, unreachable

JOINING = scaled("Joining", sentinel=SentinelSettings(3))
LEAVING = scaled("Leaving")
GONE = replace(LEAVING, hosts=LEAVING.hosts[:3], gone=(GoneHost(S3, ADDRESS[S3]),))
FULL, LEFT = serving(), serving(down=[S3])


def with_redis(host: HostFacts, **changes: object) -> HostFacts:
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    return replace(host, redis=Known(replace(host.redis.value, **changes)))  # type: ignore[arg-type]


def sentinels(facts: ClusterFacts) -> Sentinels:
    return {name: each.sentinel for name, each in facts.hosts.items()}


NOT_JOINED = {
    "nobody is confirmed": (FULL, NOBODY, "nobody is confirmed as master"),
    "its redis is stopped": (changed(FULL, stopped_redis(FULL.hosts[S3])), ALIVE, "its redis does not run"),
    "it synchronises": (
        changed(FULL, with_redis(FULL.hosts[S3], syncing=True)),
        ALIVE,
        "it synchronises with the master",
    ),
    "its sentinel is stopped": (
        changed(FULL, stopped_sentinel(FULL.hosts[S3])),
        ALIVE,
        "its sentinel does not answer for the cluster yet",
    ),
    "its sentinel names another": (
        changed(FULL, replace(FULL.hosts[S3], sentinel=sees(S1))),
        ALIVE,
        "its sentinel names 192.168.3.42 at config epoch 1 as master",
    ),
    "its sentinel is not at the epoch yet": (
        changed(FULL, knowing(FULL.hosts[S3], config_epoch=0)),
        ALIVE,
        "its sentinel names 192.168.3.41 at config epoch 0 as master",
    ),
    "its sentinel sees no master": (
        changed(FULL, knowing(FULL.hosts[S3], flags=frozenset({"master", "s_down"}))),
        ALIVE,
        "its sentinel does not reach the master",
    ),
    "one of the others is away": (
        changed(FULL, stopped_sentinel(FULL.hosts[S2])),
        ALIVE,
        f"every sentinel must know the new one, and {S2}: no sentinel runs there",
    ),
    "one of the others does not know it": (
        changed(FULL, knowing(FULL.hosts[S2], (S1, S2))),
        ALIVE,
        f"the sentinel on {S2} does not know the new one yet",
    ),
    "one of the others does not reach it": (
        changed(FULL, knowing(FULL.hosts[S2], down=[S3])),
        ALIVE,
        f"the sentinel on {S2} does not know the new one yet",
    ),
    "it does not know one of the others": (
        changed(FULL, knowing(FULL.hosts[S3], (S1, S3))),
        ALIVE,
        f"the new sentinel does not know the one on {S2} yet",
    ),
    "all is well": (FULL, ALIVE, ""),
}


@pytest.mark.parametrize(("facts", "verdict", "why"), NOT_JOINED.values(), ids=NOT_JOINED)
def test_when_a_host_is_not_part_of_the_cluster_yet(facts: ClusterFacts, verdict: Verdict, why: str) -> None:
    assert not_joined(JOINING, JOINING.hosts[3], facts, verdict) == why


def leads(facts: ClusterFacts, name: str) -> ClusterFacts:
    return changed(facts, knowing(facts.hosts[name], flags=frozenset({"master", "failover_in_progress"})))


def named(facts: ClusterFacts, name: str, other: str) -> ClusterFacts:
    return changed(facts, knowing(replace(facts.hosts[name], sentinel=sees(other)), (S1, S2)))


def with_peers(host: HostFacts, *peers: PeerView) -> HostFacts:
    found = facts_of(host.sentinel)
    assert found is not None
    assert found.view is not None
    return replace(host, sentinel=Known(replace(found, view=replace(found.view, peers=peers))))


def without_replicas(host: HostFacts) -> HostFacts:
    found = facts_of(host.sentinel)
    assert found is not None
    assert found.view is not None
    return replace(host, sentinel=Known(replace(found, view=replace(found.view, replicas=()))))


NO_RESET: dict[str, tuple[Desired, ClusterFacts, str | None]] = {
    "one is away": (GONE, changed(LEFT, stopped_sentinel(LEFT.hosts[S2])), f"{S2}: no sentinel runs there"),
    "one cannot be read": (GONE, changed(LEFT, unreachable(LEFT.hosts[S2])), f"{S2}: no route to host"),
    "one disagrees": (
        GONE,
        named(LEFT, S2, S1),
        "the sentinels do not name the same master at the same config epoch",
    ),
    "one is in a failover": (GONE, leads(LEFT, S2), f"the sentinel on {S2} runs a failover"),
    "it is heard again": (
        GONE,
        changed(LEFT, FULL.hosts[S2]),
        f"the sentinel on {S2} still hears the sentinel of {S3}",
    ),
    "another one has just been reset": (
        GONE,
        changed(LEFT, knowing(LEFT.hosts[S2], ())),
        f"the sentinel on {S2} does not know all others yet",
    ),
    "another one knows one that leaves and not all that stay": (
        replace(GONE, hosts=(*GONE.hosts, replace(LEAVING.hosts[3], name="db9", address="192.168.3.99"))),
        changed(LEFT, with_peers(LEFT.hosts[S2], PeerView("b" * 40, "192.168.3.99", 26379, frozenset({"sentinel"})))),
        f"the sentinel on {S2} does not know all others yet",
    ),
    "another one has no replicas yet": (
        GONE,
        changed(LEFT, without_replicas(LEFT.hosts[S2])),
        f"the sentinel on {S2} does not know all replicas yet",
    ),
    "one is joining": (replace(JOINING, gone=(GoneHost("old", "192.168.3.99"),)), FULL, f"{S3} is joining"),
    "all is well": (GONE, LEFT, None),
}


@pytest.mark.parametrize(("wanted", "facts", "why"), NO_RESET.values(), ids=NO_RESET)
def test_when_a_sentinel_may_not_be_made_to_forget(wanted: Desired, facts: ClusterFacts, why: str | None) -> None:
    assert why_not_reset(wanted, S1, sentinels(facts)) == why


def test_the_one_that_is_to_forget_may_itself_lack_something() -> None:
    assert why_not_reset(GONE, S1, sentinels(changed(LEFT, knowing(LEFT.hosts[S1], (S3,), [S3])))) is None


def test_what_is_forgotten_by_all_is_gone_and_only_then() -> None:
    forgotten = serving((S1, S2))
    assert cleared(GONE, sentinels(forgotten)) == {S3}
    assert cleared(GONE, sentinels(changed(forgotten, LEFT.hosts[S2]))) == frozenset()
    assert cleared(GONE, sentinels(changed(forgotten, unreachable(LEFT.hosts[S2])))) == frozenset()


AWAY = changed(LEFT, unreachable(LEFT.hosts[S3]))
NOT_FORGOTTEN = {
    "unknown": ("db9", AWAY, ALIVE, f"db9 is no host that is leaving (leaving: {S3})"),
    "declared": (S1, AWAY, ALIVE, f"{S1} stands in spec.hosts: take it out there first"),
    "it answers": (
        S3,
        LEFT,
        ALIVE,
        f"{S3} can be reached, so it is stopped and proved to be: wait until it is gone from status.hosts",
    ),
    "nobody is confirmed": (S3, AWAY, NOBODY, "nobody is confirmed"),
    "a sentinel is away": (
        S3,
        changed(AWAY, stopped_sentinel(AWAY.hosts[S2])),
        ALIVE,
        f"every other sentinel must tell that it is down, and {S2}: no sentinel runs there",
    ),
    "its sentinel is heard": (
        S3,
        changed(FULL, AWAY.hosts[S3]),
        ALIVE,
        f"the sentinel on {S1} still hears the sentinel of {S3}: if its servers run, stop them or let the operator "
        "reach it; if not, ask again in a minute",
    ),
    "it still follows the master": (
        S3,
        changed(AWAY, FULL.hosts[M]),
        ALIVE,
        f"the master still counts {S3} among its replicas: if its servers run, stop them or let the operator reach it; "
        "if not, ask again in a minute",
    ),
    "it is the master": (
        S3,
        AWAY,
        replace(ALIVE, master=Confirmed(S3, ADDRESS[S3], 6379, 1)),
        f"{S3} is the master: if its servers run, stop them or let the operator reach it; if not, ask again in a "
        "minute",
    ),
    "it is down for all": (S3, AWAY, ALIVE, None),
}


@pytest.mark.parametrize(("name", "facts", "verdict", "why"), NOT_FORGOTTEN.values(), ids=NOT_FORGOTTEN)
def test_when_a_host_may_not_be_forgotten(name: str, facts: ClusterFacts, verdict: Verdict, why: str | None) -> None:
    assert why_not_forget(LEAVING, name, facts, verdict) == why


# -- what they are for the rest of the operator


@pytest.mark.parametrize("wanted", [JOINING, LEAVING], ids=["joins", "leaves"])
def test_they_have_no_vote_but_a_failover_that_they_lead_is_seen(wanted: Desired) -> None:
    facts = changed(FULL, stopped_sentinel(FULL.hosts[S2]), stopped_sentinel(FULL.hosts[S3]))
    redis = {name: each.redis for name, each in facts.hosts.items()}
    assert wanted.majority == 2
    assert not isinstance(mastership(wanted, sentinels(facts), redis, None), Confirmed)
    assert transition_signs(wanted, sentinels(FULL)) == ()
    assert transition_signs(wanted, sentinels(leads(FULL, S3))) == (f"the sentinel on {S3} runs a failover",)
    assert (
        in_failover(wanted, sentinels(leads(FULL, S3)))
        == f"the sentinel on {S3} is in a failover (failover_in_progress)"
    )


@pytest.mark.parametrize("wanted", [JOINING, LEAVING], ids=["joins", "leaves"])
def test_one_that_is_cut_off_holds_nobody_up(wanted: Desired) -> None:
    blind = changed(FULL, knowing(FULL.hosts[S3], flags=frozenset({"master", "s_down", "o_down"}), config_epoch=0))
    assert transition_signs(wanted, sentinels(blind)) == ()
    assert in_failover(wanted, sentinels(blind)) is None


def test_a_master_that_leaves_is_followed_until_another_is_one() -> None:
    switched = {
        name: replace(each, sentinel=sees(S3) if name in (S1, S2) else each.sentinel)
        for name, each in FULL.hosts.items()
    }
    switched[S3] = replace(switched[S3], redis=Known(redis_facts(FULL.hosts[S3], None)))
    facts = ClusterFacts(switched, 0.0)
    redis = {name: each.redis for name, each in facts.hosts.items()}
    assert mastership(LEAVING, sentinels(facts), redis, None) == Confirmed(S3, ADDRESS[S3], 6379, 1)


def test_one_that_leaves_and_cannot_be_read_is_told_apart() -> None:
    away = changed(FULL, unreachable(FULL.hosts[S3]))
    assert reachable(LEAVING, away).reason == "AllReachable"
    assert reachable(JOINING, away).ok is False


def test_what_leaves_is_not_missed_and_what_is_gone_is_no_stranger() -> None:
    stopped = changed(LEFT, stopped_redis(stopped_sentinel(LEFT.hosts[S3])))
    master = Confirmed(M, ADDRESS[M], 6379, 1)
    assert replication(LEAVING, stopped, master).reason == "ReplicasLinked"
    assert quorum(LEAVING, sentinels(stopped)).reason == "QuorumReached"
    for wanted in (LEAVING, GONE, JOINING):
        assert preflight(wanted, FULL).reason != "UndeclaredSentinels"
    assert preflight(replace(GONE, gone=()), FULL).reason == "UndeclaredSentinels"


def test_a_joining_one_is_missed_as_a_replica_and_not_as_a_sentinel() -> None:
    half = changed(FULL, stopped_redis(stopped_sentinel(FULL.hosts[S3])))
    assert replication(JOINING, half, Confirmed(M, ADDRESS[M], 6379, 1)).reason == "ReplicaMissing"
    assert quorum(JOINING, sentinels(half)).reason == "QuorumReached"


def test_a_quorum_that_is_to_be_raised_is_not_asked_for_yet() -> None:
    one_less = changed(FULL, stopped_sentinel(FULL.hosts[S2]), stopped_sentinel(FULL.hosts[S3]))
    four = (*JOINING.hosts[1:], replace(JOINING.hosts[0], sentinel=True))
    wanted = replace(JOINING, hosts=four)
    master = replace(FULL.hosts[M], sentinel=FULL.hosts[S1].sentinel)
    assert quorum(wanted, sentinels(changed(one_less, master))).reason == "SentinelMissing"
