"""A living cluster: what is missing or not as declared is mended, and the sentinels are left to their work."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.sentinel_conf import Monitor
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.aside import free, set_aside
from redis_sentinel_operator.plan.auth_pass import auth_pass
from redis_sentinel_operator.plan.dropins import drop_ins
from redis_sentinel_operator.plan.firewall import firewall
from redis_sentinel_operator.plan.heal import heal
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.join import too_old
from redis_sentinel_operator.plan.machine import machine
from redis_sentinel_operator.plan.masters import named_masters
from redis_sentinel_operator.plan.no_password import no_password
from redis_sentinel_operator.plan.package import installed, lock, package
from redis_sentinel_operator.plan.part import CONFIRMED, Part, together, wait
from redis_sentinel_operator.plan.redis_conf import redis_conf
from redis_sentinel_operator.plan.rejoin import Rejoining, rejoin
from redis_sentinel_operator.plan.restart import restart
from redis_sentinel_operator.plan.seen import proof, seen
from redis_sentinel_operator.plan.sentinel_conf import sentinel
from redis_sentinel_operator.plan.sentinel_settings import sentinel_settings
from redis_sentinel_operator.plan.units import enable
from redis_sentinel_operator.plan.upgrade import upgrades


def alive(
    desired: Desired,
    facts: ClusterFacts,
    hosts: Sequence[Host],
    verdict: Verdict,
    members: frozenset[str] = frozenset(),
    *,
    fenced: frozenset[str] = frozenset(),
) -> Part:
    """Return what may be mended now.

    While anything is in transition only what a failover itself may need is done: sentinels with their state are
    started and get their password, closed ports are opened; and a redis that a switch has left behind is made a
    replica, with needs of its own. All else waits until the sentinels are through. `members` are hosts that were part
    of the cluster before, `fenced` those that were seen to be fenced.
    """
    every, hosts = hosts, [host for host in hosts if not host.want.aside]
    healing = heal(desired, facts, hosts, verdict, members)
    hosts = [host for host in hosts if host.want.state != "Leaving"]
    healed = {step.host for step in healing.steps}
    if verdict.restores:
        return healing  # a master first
    if verdict.transition:
        parts = [healing, Part(waiting=verdict.transition)]
        parts += [
            firewall(desired, host, only_open=True) + sentinel(desired, host, None, facts)
            for host in hosts
            if installed(host) and not free(host).steps  # one that is still fenced cannot start
        ]
        return together(parts) + auth_pass(desired, facts, hosts, verdict)
    named = named_masters(desired, facts, every)
    master = verdict.master.host if isinstance(verdict.master, Confirmed) else ""
    # What gets another role writes its own file; what else is to be done there is planned on what it is then.
    whole = healing + together(
        _one(desired, facts, host, verdict, named, old=too_old(every, host, master))
        for host in hosts
        if host.name not in healed
    )
    whole += auth_pass(desired, facts, hosts, verdict) + set_aside(desired, facts, every, verdict, fenced)
    if not whole.waiting and not isinstance(verdict.master, Confirmed):
        return whole + wait(verdict.master.message)
    whole += restart(desired, facts, hosts, verdict, whole)
    return whole if desired.management == "Full" else whole + upgrades(desired, facts, hosts, verdict)


def _one(
    desired: Desired, facts: ClusterFacts, host: Host, verdict: Verdict, named: frozenset[str], *, old: str | None
) -> Part:
    if not installed(host):
        return package(host)
    if old is not None:
        return wait(old)
    master = verdict.master
    confirmed = isinstance(master, Confirmed)
    joining = rejoin(desired, host, master, named) if host.want.redis else Rejoining()
    redis = redis_conf(desired, host, joining.role, may_set=confirmed, needs=CONFIRMED) if host.want.redis else Part()
    if desired.password is None and host.want.redis and confirmed:
        redis = no_password(host, redis)
    monitor = Monitor(master.address, master.port, desired.sentinel.quorum) if isinstance(master, Confirmed) else None
    part = (
        seen(host)
        + free(host)
        + lock(host)
        + machine(desired, host)
        + drop_ins(desired, host)
        + redis
        + firewall(desired, host)
        + joining.part
        + sentinel(desired, host, monitor, facts)
        + sentinel_settings(desired, host, may_set=confirmed)
        + enable(host)
    )
    last = not part.steps or desired.management != "Full"  # where nothing is done all is shown at once
    return part + proof(desired, host) if confirmed and host.want.redis and last else part
