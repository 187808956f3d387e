"""A living cluster as the plans see it, and the ways to spoil it."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import (
    Claim,
    HostFacts,
    Known,
    RedisFacts,
)
from redis_sentinel_operator.model.step import (
    Plan,
)
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import plan
from unit.plan.test_bootstrap import all_passes
from unit.plan.world import (
    DONE,
    OWNER,
    SEEN,
    Change,
    M,
    bare,
    cluster,
    desired,
    sentinel_file,
    text_of,
    verdict,
    with_file,
)

ALIVE = verdict(Situation.ALIVE, M)
NOBODY = verdict(Situation.ALIVE)
RUNNING, _ = all_passes(cluster(bare))


def alive(name: str) -> HostFacts:
    host = RUNNING.hosts[name]
    return host if name == M else with_file(host, EL7.sentinel_conf, sentinel_file(M))


def fresh(name: str) -> HostFacts:
    """A host on which nothing was ever declared."""
    return replace(alive(name), claim=Known(Claim(OWNER, "b1", notes=SEEN)))


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
