"""Replicas that need a restart for what is written: one at a time, behind the full gate, when all else is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.step import ConfigDrift, Impact, Need, StartUnit, Step
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait

# More clients than files that may be open: the machine itself may forbid them, and then no restart ever helps.
_NOT_FOR = frozenset({"maxclients"})
_CALM = frozenset({Need.CLAIM, Need.CONFIRMED, Need.CALM})


def restart(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, rest: Part) -> Part:
    """Return the restart of the first replica that waits for one; nothing while there is anything else to do.

    The master is not restarted: that would be a failover, or the loss of what it has not saved.
    """
    master = verdict.master
    if rest.steps or rest.waiting or not isinstance(master, Confirmed):
        return Part()
    for host in hosts:
        pending = [each for name, each in rest.drift if name == host.name and each.key not in _NOT_FOR]
        if host.name != master.host and pending and all(each.pending_restart for each in pending):
            reason = not_back(host, master) or why_not(Need.CALM, host.name, desired, facts, verdict)
            if reason:
                return wait(f"{host.name} needs a restart and waits: {reason.rstrip('. ')}")
            return _restart(desired, host, pending)
    return Part()


def waiting(drift: Mapping[str, Sequence[ConfigDrift]]) -> frozenset[str]:
    """Return the hosts whose redis has not in force what a restart would bring."""
    return frozenset(
        host
        for host, found in drift.items()
        if any(each.pending_restart and each.key not in _NOT_FOR for each in found)
    )


def not_back(host: Host, master: Confirmed, *, linked: bool = True) -> str | None:
    """Return why a replica would not come back as one with its data: 3.2 to 7.2 read their role from the file.

    `linked`: it must be in touch with the master.
    """
    redis, conf = host.redis, host.conf()
    if redis is not None and not (redis.saved_ok and redis.aof_written_ok):
        return "its data cannot be saved to disk, and it would not stop without"
    if redis is None or conf is None or redis.role != "slave" or (linked and (redis.link != "up" or redis.syncing)):
        return "it is no replica that is in touch with the master"
    line = conf.get("slaveof")
    if line == f"{master.address} {master.port}":
        return None
    return (
        f"its {host.redis_path} does not name the master ({line or 'no slaveof'} instead of {master.address} "
        f"{master.port}), as redis could not write its role there, and it would come back as a master"
    )


def _restart(desired: Desired, host: Host, pending: Sequence[ConfigDrift]) -> Part:
    keys = ", ".join(each.key for each in pending)
    why = f"{keys} is in force only after a restart"
    action = StartUnit(host.redis_unit, desired.redis_port, sentinel=False, log=host.family.redis_log, restart=True)
    what = f"restart redis ({host.redis_unit})"
    return only(Step(host.name, what, why, action, Stage.RESTART, Impact.RESTART, _CALM))
