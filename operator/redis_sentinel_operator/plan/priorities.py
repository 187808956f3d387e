"""Replica priorities: newer servers are promoted last, and a replica beside the master after one in another domain.

The spec's replicaPriority counts before the domain.

An older replica may not read what a newer master sends (judge/versions.py): a failover to a newer one leaves the older
ones behind. Sentinel promotes the replica with the lowest priority first, and one with 0 never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.version import Series, series, shown
from redis_sentinel_operator.judge.domains import spread
from redis_sentinel_operator.judge.versions import series_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.verdict import Confirmed, Mastership
from redis_sentinel_operator.plan.host import Host

WORSE = 1000  # what each newer series adds: more than anybody writes by hand
BESIDE = 500  # what a replica in the failure domain of the master gets more: less than a newer series
DIRECTIVE = "slave-priority"


def prioritised(desired: Desired, hosts: Sequence[Host], master: Mastership) -> tuple[Host, ...]:
    """Return the hosts with the priority that each must have now; None where it is the host's people's own affair.

    It is put back where all servers are known and alike again, and not while one of them cannot be seen.
    """
    found = {host.name: one for host in hosts if host.want.redis and (one := _series(host)) is not None}
    ranks = sorted(set(found.values()))
    whole = len(found) == len(desired.every_redis)
    domain = _domain(desired, master)
    told = isinstance(master, Confirmed) or not spread(desired)  # else it is not known who is beside the master
    return tuple(
        replace(host, priority=_priority(host, found.get(host.name), ranks, whole, domain))
        if told or host.want.own_priority
        else host
        for host in hosts
    )


def _domain(desired: Desired, master: Mastership) -> tuple[str, str] | None:
    """Return the confirmed master and its failure domain where that matters to its replicas, else None."""
    if not isinstance(master, Confirmed) or not spread(desired):
        return None
    return master.host, desired.host(master.host).failure_domain


def newer_than_others(hosts: Iterable[Host], name: str) -> str | None:
    """Return a phrase when the redis of the host is newer than another one, else None."""
    found = {host.name: one for host in hosts if host.want.redis and (one := _series(host)) is not None}
    own = found.get(name)
    older = [f"{each} has {shown(one)}" for each, one in found.items() if own is not None and one < own]
    return f"{name} has {shown(own)}, but {', '.join(older)}" if own is not None and older else None


def _priority(
    host: Host, own: Series | None, ranks: Sequence[Series], whole: bool, domain: tuple[str, str] | None
) -> int | None:
    declared = host.want.replica_priority
    if own is None:
        return None
    beside = _beside(host, domain)
    if len(ranks) > 1:
        return declared + WORSE * ranks.index(own) + beside if declared else 0
    if host.want.own_priority or domain is not None:
        return declared + beside
    return declared if whole and _raised(host) else None


def _beside(host: Host, domain: tuple[str, str] | None) -> int:
    """What a replica gets more that goes down with the master, unless the spec says its priority."""
    if domain is None or host.want.own_priority:
        return 0
    master, shared = domain
    return BESIDE if shared and host.name != master and host.want.failure_domain == shared else 0


def _series(host: Host) -> Series | None:
    """Return the series of the redis that runs, or would be started."""
    if host.redis is not None:
        return series_of(host.redis)
    version = host.packages.get(host.package)
    return None if version is None else series("valkey" if host.package.startswith("valkey") else "redis", version)


def _raised(host: Host) -> bool:
    """Whether file or server still have what was set while versions differed, or for a domain."""
    in_file = parse(host.redis_conf.text).get(DIRECTIVE) if host.redis_conf else None
    live = host.redis.config.get(DIRECTIVE) if host.redis else None
    numbers = [int(value) for value in (in_file, live) if value is not None and value.isdigit()]
    return any(number >= WORSE or number == host.want.replica_priority + BESIDE for number in numbers)
