"""Why no replica can be promoted, named, out of what the sentinels show of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from redis_sentinel_operator.judge.promotable import why_none
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Denied, Fact, Known, ReplicaView, SentinelFacts
from unit.judge.clusters import ADDRESS, AWAY, S1, S2, S3, M, desired, view

LIMIT = 8000 + 10 * 5000  # the master is down for 8 s, down-after is 5 s
PRIORITY = "Give one of those with priority 0 another (CONFIG SET slave-priority 100 there)."


def row(
    name: str, *, priority: int = 100, flags: tuple[str, ...] = ("slave",), unlinked_for: int = 9000
) -> ReplicaView:
    return ReplicaView(ADDRESS[name], 6379, frozenset(flags), "err", priority, 1, unlinked_for=unlinked_for)


def shown(*rows: ReplicaView) -> Known[SentinelFacts | Denied | None]:
    seen = replace(view(M, 0, "s_down", "o_down"), replicas=rows, down_for=8000)
    return Known(SentinelFacts("3.2.6", "r", 2, False, ("redis-cluster",), seen))


def why(*rows: ReplicaView, whole: Desired | None = None) -> str:
    return why_none(whole or desired(), {name: shown(*rows) for name in (S1, S2, S3)}, M)


def test_each_replica_is_named_with_its_reason_and_what_to_do() -> None:
    assert why(row(S1, priority=0), row(S2, flags=("slave", "s_down")), row(S3, unlinked_for=LIMIT + 1)) == (
        "redis_slave01: its replica-priority is 0; redis_slave02: the sentinels do not reach it; redis_slave03: it was "
        f"without its master for too long. {PRIORITY} Start what is down, or mend its network and the auth-pass of the "
        "sentinels. One that lost its master too early has old data, and is not promoted any more: bring the master "
        "back."
    )


def test_the_only_one_that_is_left_is_named_and_those_that_are_well_are_not() -> None:
    assert why(row(S1), row(S2, unlinked_for=LIMIT), row(S3, flags=("slave", "disconnected"))) == (
        "redis_slave03: the sentinels do not reach it. Start what is down, or mend its network and the auth-pass of "
        "the sentinels."
    )
    assert why(row(S1), row(S2), row(S3)) == ""


def test_one_that_no_sentinel_lists() -> None:
    found = "redis_slave02 and redis_slave03: no sentinel lists it as a replica. One that is not listed must follow"
    assert why(row(S1)).startswith(found)


def test_a_priority_of_the_spec_is_changed_there() -> None:
    hosts = tuple(replace(host, replica_priority=0) if host.name == S1 else host for host in desired().hosts)
    assert why(row(S1, priority=0), row(S2, priority=0), row(S3), whole=desired(hosts=hosts)) == (
        "redis_slave01: its replicaPriority is declared as 0; redis_slave02: its replica-priority is 0. "
        f"{PRIORITY} Declare another replicaPriority than 0 for one of them (spec.hosts)."
    )


def test_what_one_sentinel_sees_counts() -> None:
    seen: Mapping[str, Fact[SentinelFacts | Denied | None]] = {
        S1: shown(row(S1), row(S2), row(S3)),
        S2: shown(row(S1, priority=0), row(S2), row(S3)),
        S3: AWAY,
    }
    assert why_none(desired(), seen, M) == f"redis_slave01: its replica-priority is 0. {PRIORITY}"


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert why_none(desired(), {S1: AWAY}, M) == ""
    assert why_none(desired(), {name: shown(row(S1, priority=0)) for name in (S1, S2)}, "192.168.3.99") == ""
