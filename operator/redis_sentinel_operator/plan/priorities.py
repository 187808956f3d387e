"""Replica priorities while servers of several versions stand side by side: the newer ones are promoted last.

An older replica may not read what a newer master sends (judge/versions.py): a failover to a newer one leaves the older
ones behind. Sentinel promotes the replica with the lowest priority first, and one with 0 never.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.conf.version import Series, series, shown
from redis_sentinel_operator.judge.versions import series_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.plan.host import Host

WORSE = 1000  # what each newer series adds: more than anybody writes by hand
DIRECTIVE = "slave-priority"


def prioritised(desired: Desired, hosts: Sequence[Host]) -> tuple[Host, ...]:
    """Return the hosts with the priority that each must have now; None where it is the host's people's own affair.

    It is put back where all servers are known and alike again, and not while one of them cannot be seen.
    """
    found = {host.name: one for host in hosts if host.want.redis and (one := _series(host)) is not None}
    ranks = sorted(set(found.values()))
    whole = len(found) == len(desired.every_redis)
    return tuple(replace(host, priority=_priority(host, found.get(host.name), ranks, whole)) for host in hosts)


def newer_than_others(hosts: Iterable[Host], name: str) -> str | None:
    """Return a phrase when the redis of the host is newer than another one, else None."""
    found = {host.name: one for host in hosts if host.want.redis and (one := _series(host)) is not None}
    own = found.get(name)
    older = [f"{each} has {shown(one)}" for each, one in found.items() if own is not None and one < own]
    return f"{name} has {shown(own)}, but {', '.join(older)}" if own is not None and older else None


def _priority(host: Host, own: Series | None, ranks: Sequence[Series], whole: bool) -> int | None:
    declared = host.want.replica_priority
    if own is None:
        return None
    if len(ranks) > 1:
        return declared + WORSE * ranks.index(own) if declared else 0
    return declared if whole and _raised(host) else None


def _series(host: Host) -> Series | None:
    """Return the series of the redis that runs, or would be started."""
    if host.redis is not None:
        return series_of(host.redis)
    version = host.packages.get(host.package)
    return None if version is None else series("valkey" if host.package.startswith("valkey") else "redis", version)


def _raised(host: Host) -> bool:
    """Whether file or server still have what was set while versions differed."""
    in_file = parse(host.redis_conf.text).get(DIRECTIVE) if host.redis_conf else None
    live = host.redis.config.get(DIRECTIVE) if host.redis else None
    return any(value is not None and value.isdigit() and int(value) >= WORSE for value in (in_file, live))
