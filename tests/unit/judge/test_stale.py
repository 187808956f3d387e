"""Sentinels that are stuck are named with who mends them: with a wrong master, or with their package's file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.proposal import proposal
from redis_sentinel_operator.judge.stale import agreed, stale
from redis_sentinel_operator.model.fact import Denied, HostFacts, Known, Process, RedisFacts, Unknown
from redis_sentinel_operator.model.verdict import Finding
from unit.judge.clusters import (
    ADDRESS,
    LAST,
    OWNER,
    S1,
    S2,
    S3,
    M,
    SentinelFact,
    alive,
    desired,
    facts,
    knows_only,
    replica,
    sentinel,
    unreachable,
    with_conf,
)
from unit.plan.world import SHIPPED

WHOLE = desired()
MANUAL = "The operator mends it when you ask by the act `reset-stale`; by itself only with spec.recovery: Automatic."
AUTOMATIC = (
    "The operator mends it by itself when it has been so for a minute and nothing speaks against it; ask by the act "
    "`reset-stale` to hear what does."
)


def found(of_s3: SentinelFact, s2: SentinelFact | None = None, recovery: str = "Manual", **context: float) -> Finding:
    hosts = [replace(alive(S3), sentinel=of_s3)]
    hosts += [replace(alive(S2), sentinel=s2)] if s2 is not None else []
    read = facts(*hosts, of=alive)
    return judge(desired(recovery=recovery), read, LAST, JudgeContext(OWNER, None, **context)).quorum


@pytest.mark.parametrize("epoch", [0, 3])
def test_one_that_names_another_is_named(epoch: int) -> None:
    """At the same epoch nobody is confirmed, at a lower one the others are believed."""
    three = sentinel(M, epoch)
    hosts = [replace(alive(name), sentinel=three) for name in (S1, S2)]
    read = facts(*hosts, replace(alive(S3), sentinel=sentinel(S1)), of=alive)
    assert judge(WHOLE, read, LAST, JudgeContext(OWNER, None)).quorum == Finding(
        True,
        "SentinelStale",
        f"2 of 3 declared sentinels name {M} at config epoch {epoch}, but the sentinel on {S3} names {S1} at config "
        "epoch 0. Such a one does not follow by itself: clients that ask it are led astray, and a failover has a vote "
        f"less. {MANUAL}",
    )


def test_one_that_watches_nothing_is_named_and_who_mends_it() -> None:
    said = found(knows_only(), recovery="Automatic")
    assert said.reason == "SentinelStale"
    assert f"but the sentinel on {S3} watches no master. " in said.message
    assert said.message.endswith(AUTOMATIC)


@pytest.mark.parametrize(
    ("of_s3", "s2", "context", "reason"),
    [
        (sentinel(S1), None, {"since_switch": 9.9}, "QuorumReached"),  # it has not heard of the switch yet
        (sentinel(S1), None, {"since_switch": 10.0}, "SentinelStale"),
        (sentinel(S1, 1), None, {}, "QuorumReached"),  # ahead: the others will follow
        (sentinel(S1), sentinel(S2), {}, "QuorumReached"),  # no two agree
        (knows_only("theirs"), None, {}, "SentinelMissing"),
        (sentinel(M), None, {}, "QuorumReached"),
        (sentinel(S1), Unknown("silent"), {}, "SentinelMissing"),
        (sentinel(S1), Known(None), {}, "SentinelMissing"),
    ],
)
def test_who_is_not_behind_is_not_stale(
    of_s3: SentinelFact, s2: SentinelFact | None, context: dict[str, float], reason: str
) -> None:
    assert found(of_s3, s2, **context).reason == reason


def test_that_no_failover_can_be_authorised_is_graver() -> None:
    hosts = [replace(alive(name), sentinel=sentinel(M, quorum_ok=False)) for name in (S1, S2)]
    read = facts(*hosts, replace(alive(S3), sentinel=sentinel(S1, quorum_ok=False)), of=alive)
    assert judge(WHOLE, read, LAST, JudgeContext(OWNER, None)).quorum.reason == "QuorumLost"


def test_without_a_majority_nobody_is_stale() -> None:
    two = {S1: sentinel(M), S2: unreachable(S2).sentinel, S3: sentinel(S1)}
    assert agreed(WHOLE, two) is None
    assert stale(WHOLE, two) == ()


# -- the package's file


def shipped(name: str) -> HostFacts:
    host = with_conf(alive(name), f"slaveof {ADDRESS[M]} 6379\n", SHIPPED[EL7.sentinel_conf])
    process = Process(9, "redis-sentinel", EL7.sentinel_unit, True)
    return replace(host, sentinel=Known(Denied("DENIED")), processes=Known((process,)))


@pytest.mark.parametrize("fact", [Known(Denied("DENIED")), knows_only("mymaster")])
def test_one_that_runs_with_its_packages_file_is_named(fact: SentinelFact) -> None:
    said = preflight(WHOLE, facts(replace(shipped(S3), sentinel=fact), of=alive))
    assert (said.ok, said.reason) == (False, "ShippedSentinel")
    assert said.message.startswith(
        "A sentinel runs with the file that its package brought, watches nothing of redis-cluster, and has no vote: on "
        f"{S3}. {MANUAL} Or stop it (systemctl stop): a stopped one is set up at once."
    )


LEARNT = SHIPPED[EL7.sentinel_conf] + "\nsentinel known-slave mymaster 10.0.0.9 6379\n"


@pytest.mark.parametrize(
    "host",
    [
        replace(shipped(S3), processes=Known((Process(9, "redis-sentinel", "", True),))),  # by hand
        with_conf(shipped(S3), "", LEARNT),
        with_conf(shipped(S3), "", SHIPPED[EL7.sentinel_conf] + "\nsentinel monitor other 10.0.0.9 6379 2\n"),
        with_conf(shipped(S3), "", SHIPPED[EL7.sentinel_conf] + "\nsentinel config-epoch mymaster 1\n"),
        replace(shipped(S3), sentinel=sentinel(M)),  # it was rewritten while it runs
        replace(shipped(S3), sentinel=knows_only("mymaster", "other")),
        replace(shipped(S3), sentinel=Unknown("silent")),
        replace(shipped(S3), sentinel=Known(None)),
    ],
    ids=["by-hand", "learnt", "another", "epoch", "ours", "two", "unread", "stopped"],
)
def test_one_that_may_be_of_use_is_not(host: HostFacts) -> None:
    assert preflight(WHOLE, facts(host, of=alive)).reason != "ShippedSentinel"


def test_one_that_is_to_do_nothing_is_not() -> None:
    hosts = tuple(replace(host, aside="Maintenance" if host.name == S3 else "") for host in WHOLE.hosts)
    assert preflight(desired(hosts=hosts), facts(shipped(S3), of=alive)).reason != "ShippedSentinel"


# -- which replica


def read(offset: int, replid: str = "", **changes: object) -> Known[RedisFacts | Denied | None]:
    whole = replica().value
    assert isinstance(whole, RedisFacts)
    return Known(replace(whole, offset=offset, replid=replid, **changes))  # type: ignore[arg-type]


def test_the_replica_with_the_most_is_proposed() -> None:
    redis = {S1: read(100), S2: read(300), S3: read(900, syncing=True)}
    assert proposal(WHOLE, ADDRESS[M], redis) == (
        f"Of the replicas that were read {S2} has the most of its data, at offset 300: `recover {S2}`."
    )
    of_others = {**redis, S3: read(900, master_address="10.0.0.9"), M: read(900, role="master", master_address="")}
    assert f"`recover {S2}`" in proposal(WHOLE, ADDRESS[M], of_others)
    assert "at offset 300 (not read: redis_slave03): `" in proposal(WHOLE, ADDRESS[M], {**redis, S3: Unknown("silent")})


def test_of_different_streams_numbers_tell_nothing() -> None:
    assert proposal(WHOLE, ADDRESS[M], {S1: read(100, "a"), S2: read(300, "b")}) == (
        f"Their offsets cannot be compared, as the replication ids differ ({S1}, {S2}): look which one has the newest "
        "data."
    )


@pytest.mark.parametrize("redis", [{}, {S1: Unknown("silent")}, {S1: read(0)}, {S1: read(5, loading=True)}])
def test_where_none_can_be_told_none_is_proposed(redis: dict[str, Known[RedisFacts | Denied | None]]) -> None:
    assert proposal(WHOLE, ADDRESS[M], redis) == ""
