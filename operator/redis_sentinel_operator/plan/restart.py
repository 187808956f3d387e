"""Replicas that need a restart for what is written: one at a time, behind the full gate, when all else is done."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import ConfigDrift, Impact, Need, StartUnit, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait

_CALM = frozenset({Need.CLAIM, Need.CONFIRMED, Need.CALM})


def restart(desired: Desired, hosts: Sequence[Host], master: Confirmed, rest: Part) -> Part:
    """Return the restart of the first replica that waits for one; nothing while there is anything else to do.

    The master is not restarted: that would be a failover, or the loss of what it has not saved.
    """
    if rest.steps or rest.waiting:
        return Part()
    for host in hosts:
        pending = [each for name, each in rest.drift if name == host.name]
        if host.name != master.host and pending and all(each.pending_restart for each in pending):
            return _restart(desired, host, master, pending)
    return Part()


def _restart(desired: Desired, host: Host, master: Confirmed, pending: Sequence[ConfigDrift]) -> Part:
    redis, file = host.redis, host.redis_conf
    if redis is None or file is None or redis.role != "slave" or redis.link != "up" or redis.syncing:
        return Part()
    line = parse(file.text).get("slaveof")
    if line != f"{master.address} {master.port}":
        found = line or "no slaveof"
        return wait(
            f"{host.name} needs a restart, but its {host.family.redis_conf} does not name the master ({found} instead "
            f"of {master.address} {master.port}): redis could not write its role there and would come back as a master"
        )
    keys = ", ".join(each.key for each in pending)
    why = f"{keys} is in force only after a restart"
    action = StartUnit(
        host.family.redis_unit, desired.redis_port, sentinel=False, log=host.family.redis_log, restart=True
    )
    what = f"restart redis ({host.family.redis_unit})"
    return only(Step(host.name, what, why, action, Stage.RESTART, Impact.RESTART, _CALM))
