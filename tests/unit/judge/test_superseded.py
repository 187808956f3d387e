"""A master beside the confirmed one: each single thing that keeps the operator's hands off it, with its sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.superseded import changed_since
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, Process, RedisFacts, ReplicaLink, Unknown
from redis_sentinel_operator.model.step import MakeReplica, Need
from redis_sentinel_operator.model.verdict import MasterRecord
from unit.judge.clusters import (
    ADDRESS,
    AWAY,
    OWNER,
    S1,
    S2,
    S3,
    M,
    RedisFact,
    alive,
    desired,
    facts,
    master,
    replica,
    sentinel,
)

WHOLE = desired()
LAST = MasterRecord(S1, ADDRESS[S1], 6379, 3, "2026-01-31T12:00:00Z")
UPTIME = 5


def returned(uptime: int = UPTIME, run_id: str = "new", replicas: tuple[ReplicaLink, ...] = ()) -> RedisFact:
    return Known(RedisFacts("3.2.6", run_id, 1, "master", uptime, replicas=replicas))


def switched(*changed: HostFacts) -> ClusterFacts:
    """S1 was promoted at epoch 3, and M came back as the master that it was."""
    after = {name: replace(alive(name), redis=replica(S1)) for name in (S2, S3)}
    after[S1] = replace(alive(S1), redis=master(S2, S3))
    after = {name: replace(host, sentinel=sentinel(S1, 3)) for name, host in after.items()}
    after[M] = replace(alive(M), redis=returned())
    return facts(*(after | {host.name: host for host in changed}).values())


def asked(read: ClusterFacts, last_for: float = 100.0, host: str = M) -> str | None:
    context = JudgeContext(OWNER, None, since_switch=1.0, last_for=last_for)
    return why_not(Need.SUPERSEDED, host, WHOLE, read, judge(WHOLE, read, LAST, context))


def test_a_returned_master_need_not_wait_for_the_settle_time() -> None:
    assert asked(switched()) is None


@pytest.mark.parametrize(("last_for", "proved"), [(0.0, False), (5.0, False), (5.9, False), (6.0, True)])
def test_it_must_have_started_after_the_switch_whatever_was_rounded(last_for: float, proved: bool) -> None:
    said = asked(switched(), last_for)
    assert said == (None if proved else "it did not start after redis_slave01 became master")


@pytest.mark.parametrize(
    ("age", "last_for", "proved"),
    [
        (5.2, 5.2, False),
        (5.2, 5.3, True),  # as fine as the host counts
        (5.9, 5.8, False),
        (4.6, 4.7, True),  # the host was asked a moment before its redis
        (2.0, 5.3, False),  # they do not agree: a container that counts from another moment
        (9.0, 9.2, True),  # nor do these, and what redis says is enough
    ],
)
def test_the_age_of_its_process_tells_more_than_its_uptime(age: float, last_for: float, proved: bool) -> None:
    processes = (Process(9, "redis-sentinel", "", True, age=0.1), Process(1, "redis-server", "", False, age=age))
    said = asked(switched(on(M, processes=Known(processes))), last_for)
    assert (said is None) == proved, said


def test_what_another_reign_lasted_proves_nothing() -> None:
    read = switched()
    context = JudgeContext(OWNER, None, last_for=1000.0)
    verdict = judge(WHOLE, read, replace(LAST, config_epoch=2), context)
    assert verdict.master_for == 0.0
    assert why_not(Need.SUPERSEDED, M, WHOLE, read, verdict) == "it did not start after redis_slave01 became master"


def on(name: str, **changes: object) -> HostFacts:
    return replace(switched().hosts[name], **changes)  # type: ignore[arg-type]


AGAINST = {
    "a failover": (
        on(S2, sentinel=sentinel(S1, 3, "failover_in_progress")),
        "the sentinel on redis_slave02 runs a failover",
    ),
    "the new master is down already": (
        on(S2, sentinel=sentinel(S1, 3, "s_down")),
        "the sentinel on redis_slave02 sees the master as down",
    ),
    "tilt": (on(S2, sentinel=sentinel(S1, 3, tilt=True)), "the sentinel on redis_slave02 is in tilt mode"),
    "a sentinel of the epoch before": (
        on(S2, sentinel=sentinel(S1, 2)),
        "the sentinels do not name the same master at the same config epoch",
    ),
    "a sentinel that names it": (on(S2, sentinel=sentinel(M, 2)), "the sentinel on redis_slave02 names it"),
    "a leader that still tells it": (
        on(S2, sentinel=sentinel(S1, 3, told=M)),
        "the sentinel on redis_slave02 names it",
    ),
    "a sentinel that does not answer": (
        on(S2, sentinel=AWAY),
        "not every declared sentinel answers and names the same master",
    ),
    "a sentinel that does not run": (
        on(S2, sentinel=Known(None)),
        "not every declared sentinel answers and names the same master",
    ),
    "replicas": (
        on(M, redis=returned(replicas=(ReplicaLink(ADDRESS[S3], 6379, 1),))),
        "it has replicas: 192.168.3.44",
    ),
    "it is a replica": (on(M, redis=replica(S1)), "it is no master"),
    "it cannot be read": (on(M, redis=AWAY), "redis on redis_master01 could not be read"),
    "it does not run": (on(M, redis=Known(None)), "redis on redis_master01 could not be read"),
}


@pytest.mark.parametrize("case", AGAINST)
def test_what_stands_against_it(case: str) -> None:
    odd, said = AGAINST[case]
    assert asked(switched(odd)) == said


def test_who_is_master_must_be_confirmed() -> None:
    said = asked(switched(on(S1, redis=replica(S2)))) or ""
    assert said.startswith("The sentinels name redis_slave01"), said


def test_its_own_sentinel_may_be_away_but_must_not_name_it() -> None:
    """A host that comes back: its sentinel starts a moment after its redis, with what it knew before."""
    whole = desired(hosts=tuple(replace(host, sentinel=True) for host in WHOLE.hosts))

    def said(own: object) -> str | None:
        read = switched(on(M, sentinel=own))
        verdict = judge(whole, read, LAST, JudgeContext(OWNER, None, last_for=60.0))
        return why_not(Need.SUPERSEDED, M, whole, read, verdict)

    assert said(AWAY) is None
    assert said(sentinel(S1, 3)) is None
    assert said(sentinel(M, 2)) == "the sentinel on redis_master01 names it"
    assert said(sentinel(S1, 3, "failover_in_progress")) == (
        "the sentinel on redis_master01 is in a failover (failover_in_progress)"
    )


# -- right before it is done

DEMOTE = MakeReplica(ADDRESS[S1], 6379, 3, "new", "master")
POINT = MakeReplica(ADDRESS[S1], 6379, 3, "r", "slave")


def by_now(action: MakeReplica, host: str, read: ClusterFacts) -> str | None:
    sentinels = {name: each.sentinel for name, each in read.hosts.items()}
    return changed_since(action, host, WHOLE, sentinels, {name: each.redis for name, each in read.hosts.items()})


def test_nothing_has_changed() -> None:
    assert by_now(DEMOTE, M, switched()) is None
    assert by_now(POINT, S3, switched(on(S3, redis=replica(S2)))) is None


@pytest.mark.parametrize("case", [case for case in AGAINST if not case.startswith("it ")])
def test_what_is_asked_again_for_a_second_master(case: str) -> None:
    odd, said = AGAINST[case]
    assert by_now(DEMOTE, M, switched(odd)) == said


CHANGED = {
    "restarted": (on(M, redis=returned(run_id="newer")), "it was restarted meanwhile"),
    "demoted by the sentinels": (
        on(M, redis=Known(replace(returned().value, run_id="new", role="slave"))),  # type: ignore[type-var]
        "its role is slave by now",
    ),
    "away": (on(M, redis=Unknown("gone")), "it was restarted meanwhile"),
}


@pytest.mark.parametrize("case", CHANGED)
def test_what_it_is_by_now(case: str) -> None:
    odd, said = CHANGED[case]
    assert by_now(DEMOTE, M, switched(odd)) == said


def test_a_failover_back_to_it() -> None:
    read = {name: replace(host, sentinel=sentinel(M, 4)) for name, host in switched().hosts.items() if name != M}
    assert by_now(DEMOTE, M, switched(*read.values())) == "redis_master01 is master at config epoch 4 by now"


def test_a_newer_epoch_of_the_same_master() -> None:
    read = {name: replace(host, sentinel=sentinel(S1, 4)) for name, host in switched().hosts.items() if name != M}
    assert by_now(DEMOTE, M, switched(*read.values())) == "redis_slave01 is master at config epoch 4 by now"


def test_a_replica_is_not_pointed_elsewhere_in_a_failover_nor_when_it_was_promoted() -> None:
    stale = on(S3, redis=replica(S2))
    odd = on(S2, sentinel=sentinel(S1, 3, "failover_in_progress"))
    assert by_now(POINT, S3, switched(stale, odd)) == (
        "the sentinel on redis_slave02 is in a failover (failover_in_progress)"
    )
    promoted = on(S3, redis=Known(replace(replica(S2).value, role="master")))  # type: ignore[type-var]
    assert by_now(POINT, S3, switched(promoted)) == "its role is master by now"
