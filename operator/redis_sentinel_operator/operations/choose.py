"""Who becomes master by a switchover, and why a host may not; which sentinel is asked."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.judge.aside import field_of
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations.move import Scene
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.priorities import DIRECTIVE, newer_than_others

BEST = "-"
UPGRADE = "upgrade"  # the procedure whose switchover leads to a newer server


def compared(scene: Scene, procedure: str, old: str) -> tuple[Host, ...]:
    """Return the hosts that must not be older than a new master: an upgrade reaches the old one right after."""
    return tuple(host for host in scene.hosts if procedure != UPGRADE or host.want.address != old)


def successor(scene: Scene, master: Confirmed, arg: str, procedure: str) -> Host | str:
    """Return the replica that is wanted, or the best one for `-`; a sentence where there is none."""
    peers = compared(scene, procedure, master.address)
    here = [host for host in scene.hosts if host.want.redis and host.want.state == "Member"]
    replicas = [host for host in here if host.name != master.host]
    if arg == BEST:
        fit = [host for host in replicas if unfit(host, peers) is None]
        reasons = "; ".join(reason for host in replicas if (reason := unfit(host, peers)) is not None)
        return min(fit, key=_rank) if fit else f"no replica can become master: {reasons or 'there is none'}"
    names = ", ".join(host.name for host in replicas)
    if arg == master.host:
        return f"{arg} is the master already: name a replica ({names}), or - for the best one"
    found = next((host for host in replicas if host.name == arg), None)
    if found is None:
        return f"{arg} is no host of spec.hosts that runs redis: name a replica ({names}), or - for the best one"
    return unfit(found, peers) or found


def unfit(host: Host, hosts: Sequence[Host]) -> str | None:
    """Return a sentence why a replica may not become master, with what would make it fit; None when it may.

    A host that leaves need not be able to follow it.
    """
    redis = host.redis
    if host.want.aside:
        return f"{field_of(host.want)} names {host.name}: take it out of there first"
    if redis is None or redis.role != "slave" or redis.link != "up" or redis.syncing:
        return f"{host.name} is no replica that is in touch with the master: wait until status.replicas is complete"
    if redis.config.get(DIRECTIVE) == "0":
        return f"{host.name} has replica-priority 0, so that no sentinel promotes it: give it another one there first"
    if not (redis.saved_ok and redis.aof_written_ok):
        return f"{host.name} cannot write its data to disk: make room there first"
    newer = newer_than_others((each for each in hosts if each.want.state != "Leaving"), host.name)
    if newer is not None:
        return f"{newer}, which could not follow it: bring them to the same version first"
    return None


def sentinel(scene: Scene, old: str, new: str) -> str:
    """Return the address of the sentinel to be asked: if possible one that stands beside neither old nor new master.

    One that is set aside does not run, or not for long.
    """
    hosts = scene.desired.sentinel_hosts
    found = [host.address for host in hosts if not host.aside] or [host.address for host in hosts]
    return min(found, key=lambda address: (address == old, address == new))


def _rank(host: Host) -> tuple[int, int, str]:
    """Order as sentinel does: the lowest priority, then the most data."""
    redis = host.redis
    priority = redis.config.get(DIRECTIVE, "") if redis else ""
    return (int(priority) if priority.isdecimal() else 100, -(redis.offset if redis else 0), host.name)
