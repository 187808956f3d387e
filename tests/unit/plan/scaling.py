"""A living cluster in which all know each other, and one of its hosts that joins, leaves or is gone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import Desired, Membership
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    HostFacts,
    Known,
    PeerView,
    RedisFacts,
    ReplicaLink,
    ReplicaView,
    SentinelFacts,
)
from redis_sentinel_operator.model.step import Plan, SentinelReset, Step
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive
from unit.plan.world import (
    ADDRESS,
    DONE,
    S1,
    S2,
    S3,
    M,
    carried_out,
    desired,
    stopped_redis,
    stopped_sentinel,
    with_unit,
)

ID = {name: name[-2:] * 20 for name in ADDRESS}
ALL = frozenset((S1, S2, S3))
DOWN = frozenset({"sentinel", "s_down"})


def scaled(state: Membership, **changes: object) -> Desired:
    """The seed's cluster with S3 on its way in or out."""
    whole = desired(**changes)
    hosts = tuple(replace(host, state=state) if host.name == S3 else host for host in whole.hosts)
    return replace(whole, hosts=hosts)


def knowing(host: HostFacts, known: Collection[str] = ALL, down: Collection[str] = (), **changes: object) -> HostFacts:
    """A host whose sentinel knows the sentinels and the replicas `known`; those of `down` are down for it."""
    assert isinstance(host.sentinel, Known)
    found = host.sentinel.value
    assert isinstance(found, SentinelFacts)
    assert found.view is not None
    peers = tuple(
        PeerView(ID[each], ADDRESS[each], 26379, DOWN if each in down else frozenset({"sentinel"}))
        for each in sorted(known)
        if each != host.name
    )
    replicas = tuple(
        ReplicaView(ADDRESS[each], 6379, frozenset({"s_down"}) if each in down else frozenset({"slave"}), "ok", 100, 9)
        for each in sorted(known)
    )
    view = replace(
        found.view,
        peers=peers,
        replicas=replicas,
        num_other_sentinels=len(peers),
        num_slaves=len(replicas),
        quorum_ok=True,
        **changes,  # type: ignore[arg-type]
    )
    return replace(host, sentinel=Known(replace(found, view=view, my_id=ID[host.name])))


def serving(known: Collection[str] = ALL, down: Collection[str] = (), **changes: object) -> ClusterFacts:
    """All hosts alive, the sentinels as `knowing` makes them, the master with the replicas that are not down."""
    hosts = {name: alive(name) for name in ADDRESS}
    for name in ALL:
        hosts[name] = knowing(hosts[name], known, down, **changes)
    links = tuple(ReplicaLink(ADDRESS[name], 6379, 9) for name in sorted(known) if name not in down)
    redis = hosts[M].redis
    assert isinstance(redis, Known)
    assert isinstance(redis.value, RedisFacts)
    hosts[M] = replace(hosts[M], redis=Known(replace(redis.value, replicas=links)))
    for name in ALL | {M}:
        units = (EL7.redis_unit, EL7.sentinel_unit) if name != M else (EL7.redis_unit,)
        for unit in units:
            hosts[name] = with_unit(hosts[name], unit, active="active", enabled="enabled")
    return ClusterFacts(hosts, 0.0)


def changed(facts: ClusterFacts, *hosts: HostFacts) -> ClusterFacts:
    """The reading with some hosts changed."""
    return replace(facts, hosts={**facts.hosts, **{host.name: host for host in hosts}})


def planned(wanted: Desired, facts: ClusterFacts, recorded: Collection[str] = ()) -> Plan:
    """What is planned with M as confirmed master, all calm; `recorded` are hosts that status has as Joining."""
    return plan(wanted, facts, ALIVE, replace(DONE, recorded=frozenset(recorded)))


def told(todo: Plan) -> list[tuple[str, str]]:
    """Host and sentence of each step."""
    return [(step.host, step.what) for step in todo.steps]


def after(facts: ClusterFacts, step: Step) -> ClusterFacts:
    """The facts after a step of a host that leaves, or after a reset."""
    host, what = facts.hosts[step.host], step.what
    if isinstance(step.action, SentinelReset):
        return changed(facts, knowing(host, (S1, S2)))
    if what.startswith("stop sentinel"):
        return changed(facts, stopped_sentinel(host))
    if what.startswith("stop redis"):
        return changed(facts, with_unit(stopped_redis(host), EL7.redis_unit, active="inactive"))
    if what.startswith("disable "):
        return changed(facts, with_unit(host, what.removeprefix("disable "), enabled="disabled"))
    if what == "give up the claim":
        return changed(facts, replace(host, claim=Known(None)))
    return carried_out(facts, Plan((step,)))
