"""Servers of different versions in one cluster: an older one may not read the dumps of a newer master.

RDB versions: 7 of Redis 3.2, 8 of 4.0, 9 of 5.0 to 6.2, 10 of 7.0, 11 of 7.2, 80 of valkey 9 (rdb.h, RDB_VERSION).
A replica that cannot read what its master sends tries again for ever, and keeps the data of before.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.conf.version import Series, series
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts
from redis_sentinel_operator.model.verdict import Confirmed


def series_of(redis: RedisFacts) -> Series | None:
    """Return the series of a running server."""
    return series(redis.server, redis.server_version or redis.version)


def running(desired: Desired, facts: ClusterFacts) -> Mapping[str, Series]:
    """Return the series of the servers that answer, by host."""
    found: dict[str, Series] = {}
    for host in desired.every_redis:
        fact = facts.hosts[host.name].redis if host.name in facts.hosts else None
        if isinstance(fact, Known) and isinstance(fact.value, RedisFacts):
            one = series_of(fact.value)
            if one is not None:
                found[host.name] = one
    return found


def older_than_master(desired: Desired, facts: ClusterFacts, master: Confirmed) -> Mapping[str, Series]:
    """Return the series of each replica that is older than the master's; one that leaves need not follow it."""
    found, staying = running(desired, facts), {host.name for host in desired.staying}
    own = found.get(master.host)
    return {} if own is None else {name: one for name, one in found.items() if one < own and name in staying}
