"""A cluster that is wholly stopped is started with the files it has: master, replicas, then the sentinels."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.judge.aside import field_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.masters import last_master
from redis_sentinel_operator.plan.part import Part, Stage, together, wait
from redis_sentinel_operator.plan.units import start_redis, start_sentinel


def cold_start(desired: Desired, hosts: Sequence[Host]) -> Part:
    """Return the starts, and nothing else; all hosts were read and nothing runs anywhere.

    A host that is neither the last master nor a replica by its file (it was master before that) stays down here: as a
    writable second master it would take writes that are lost. It rejoins once the sentinels have confirmed the master.

    The last master is up before any replica is begun. Cut off between the two the other way round, the cluster would
    be alive without its master, which is then left to a failover: to a replica whose file may be older. For the same
    reason nobody is started where the last master cannot be.
    """
    master = last_master(desired, hosts)
    whole = together(_one(desired, host, master) for host in hosts if not host.want.aside)
    first = next((host.name for host in hosts if host.want.address == master and host.want.redis), None)
    if first is None or any(step.host == first and step.stage == Stage.MASTER for step in whole.steps):
        return whole
    if desired.host(first).aside:
        return Part(waiting=whole.waiting) + wait(
            f"{first} was the last master and {field_of(desired.host(first))} names it; the others wait for it, since "
            "their data may be older: take it out of there"
        )
    return Part(waiting=whole.waiting) + wait(
        f"{first} was the last master and its redis cannot be started, as its redis.conf or its unit is not in order; "
        "the others wait for it, since their data may be older"
    )


def _one(desired: Desired, host: Host, master: str | None) -> Part:
    why = "the whole cluster is stopped; it comes back with the files it has"
    stage = Stage.MASTER if master in (None, host.want.address) else Stage.REPLICAS
    redis = start_redis(desired, host, stage, why) if host.want.redis and _may(host, master) else Part()
    conf = host.sentinel_conf
    known = conf is not None and desired.master_name in conf.masters
    return redis + (start_sentinel(desired, host, why) if host.want.sentinel and known else Part())


def _may(host: Host, master: str | None) -> bool:
    conf = host.conf()
    return conf is not None and (master in (None, host.want.address) or conf.get("slaveof") is not None)
