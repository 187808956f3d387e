"""Directives as the plans see them: what is declared, what a host runs with and remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from redis_sentinel_operator.model.fact import Claim, ClusterFacts, DataFile, HostFacts, Known, RedisFacts
from redis_sentinel_operator.model.step import (
    KeyRecord,
    Plan,
)
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive, with_config
from unit.plan.world import (
    CONFIG,
    DONE,
    OWNER,
    S1,
    SEEN,
    Change,
    carried_out,
    cluster,
    desired,
)

GB = 1 << 30


def running(host: HostFacts) -> RedisFacts:
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    return host.redis.value


def with_redis(host: HostFacts, **changes: object) -> HostFacts:
    return replace(host, redis=Known(replace(running(host), **changes)))  # type: ignore[arg-type]


def with_keys(host: HostFacts, keys: Mapping[str, KeyRecord]) -> HostFacts:
    return replace(host, claim=Known(Claim(OWNER, "b1", keys=keys, notes=SEEN)))


def remembered(host: HostFacts) -> Mapping[str, KeyRecord]:
    assert isinstance(host.claim, Known)
    assert host.claim.value is not None
    return host.claim.value.keys


def whole(**config: str) -> ClusterFacts:
    """The cluster whose running servers also show these directives, as no file has them."""
    return cluster(lambda name: with_config(alive(name), **config))


def planned(declared: Mapping[str, str], facts: ClusterFacts, **changes: object) -> Plan:
    return plan(desired(redis_config={**CONFIG, **declared}, **changes), facts, ALIVE, DONE)


def on(todo: Plan, host: str) -> list[str]:
    return [step.what for step in todo.steps if step.host == host]


def until_settled(declared: Mapping[str, str], facts: ClusterFacts) -> tuple[ClusterFacts, list[str]]:
    done: list[str] = []
    for _ in range(8):
        todo = planned(declared, facts)
        if not todo.steps:
            assert todo.settled, todo
            return facts, done
        done += on(todo, S1)
        facts = carried_out(facts, todo)
    raise AssertionError(planned(declared, facts))


def replace_host(facts: ClusterFacts, name: str, change: Change) -> ClusterFacts:
    return ClusterFacts({**facts.hosts, name: change(facts.hosts[name])}, facts.at)


def with_data(host: HostFacts) -> HostFacts:
    return replace(with_redis(host, keys=7), data=Known((DataFile("/var/lib/redis/dump.rdb", 99),)))
