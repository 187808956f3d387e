"""From bare hosts to a cluster: the master's redis first, then the replicas, then the sentinels.

Every pass begins with what it finds, so that it goes on wherever it was cut off; nothing here is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.sentinel_conf import Monitor
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.plan.dropins import drop_ins
from redis_sentinel_operator.plan.firewall import firewall
from redis_sentinel_operator.plan.host import Host, answering
from redis_sentinel_operator.plan.machine import machine
from redis_sentinel_operator.plan.masters import named_masters
from redis_sentinel_operator.plan.package import installed, lock, package
from redis_sentinel_operator.plan.part import Part, Stage, together, wait
from redis_sentinel_operator.plan.priorities import newer_than_others
from redis_sentinel_operator.plan.redis_conf import redis_conf
from redis_sentinel_operator.plan.rejoin import not_up, slaveof
from redis_sentinel_operator.plan.sentinel_conf import sentinel
from redis_sentinel_operator.plan.units import enable, start_redis


def bootstrap(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], master_name: str) -> Part:
    """Return what is left to do of the bootstrap with that host as the first master. All hosts were read."""
    if master_name not in {host.name for host in desired.redis_hosts}:
        return wait(f"the bootstrap was begun with {master_name} as master, which is no declared redis host any more")
    if not all(installed(host) for host in hosts):
        return together(package(host) for host in hosts)
    master = desired.host(master_name)
    newer = newer_than_others(hosts, master_name)
    if newer:
        return wait(
            f"{newer}: an older replica may not read what a newer master sends. Set spec.initialMaster to a host with "
            "the oldest redis, or install one version everywhere"
        )
    others = named_masters(desired, facts, hosts) - {master.address}
    if others:
        return wait(f"the sentinels already name {', '.join(sorted(others))} as master: waiting for them to agree")
    monitor = Monitor(master.address, desired.redis_port, desired.sentinel.quorum)
    parts = (_one(desired, facts, host, master, monitor) for host in hosts)
    return together(parts)


def _one(desired: Desired, facts: ClusterFacts, host: Host, master: DesiredHost, monitor: Monitor) -> Part:
    role = slaveof(master.address, desired.redis_port) if host.name != master.name and host.redis_stopped else {}
    redis = (
        redis_conf(desired, host, role, may_set=True) + _start(desired, facts, host, master)
        if host.want.redis
        else Part()
    )
    return (
        lock(host)
        + machine(desired, host)
        + drop_ins(desired, host)
        + redis
        + firewall(desired, host)
        + sentinel(desired, host, monitor, facts)
        + enable(host)
    )


def _start(desired: Desired, facts: ClusterFacts, host: Host, master: DesiredHost) -> Part:
    if not host.redis_stopped:
        return not_up(host)
    if host.name != master.name:
        return start_redis(desired, host, Stage.REPLICAS, f"the cluster is set up: a replica of {master.name}")
    if _can_fail_over(desired, facts):
        return wait(say("MasterStopped", host=host.name, address=master.address, port=desired.redis_port))
    return start_redis(desired, host, Stage.MASTER, "the cluster is set up: the first master")


def _can_fail_over(desired: Desired, facts: ClusterFacts) -> bool:
    """Whether the sentinels are far enough to replace a master that dies: a majority answers and knows replicas."""
    views = [answered.view for each in facts.hosts.values() if (answered := answering(each)) and answered.view]
    return sum(1 for view in views if view.num_slaves > 0) >= desired.majority
