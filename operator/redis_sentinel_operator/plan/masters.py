"""Who the sentinels call master: the addresses at which redis is never started by us."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.sentinel_conf import Monitor
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.plan.host import Host, answering


def named_masters(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host]) -> frozenset[str]:
    """Return every address that an answering sentinel names as our master; without one, those of the files.

    Both addresses of a sentinel count that leads a failover: the one it votes for and the one it still tells.
    """
    views = [sentinel.view for each in facts.hosts.values() if (sentinel := answering(each)) and sentinel.view]
    if views:
        return frozenset(address for view in views for address in (view.address, view.told_address) if address)
    return frozenset(monitor.address for _, monitor in _kept(desired, hosts))


def last_master(desired: Desired, hosts: Sequence[Host]) -> str | None:
    """Return the master of the sentinel.conf files with the highest config epoch; None when none knows our name."""
    kept = _kept(desired, hosts)
    return max(kept, key=lambda pair: pair[0])[1].address if kept else None


def _kept(desired: Desired, hosts: Sequence[Host]) -> list[tuple[int, Monitor]]:
    """Return (config epoch, monitor) of each sentinel.conf that monitors our master name."""
    found = []
    for host in hosts:
        conf = host.sentinel_conf
        if conf is not None and desired.master_name in conf.masters:
            found.append((conf.config_epoch(desired.master_name), conf.masters[desired.master_name]))
    return found
