"""How far the replicas are behind, as their master counts it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts
from redis_sentinel_operator.model.verdict import Confirmed, Mastership


@dataclass(frozen=True, slots=True)
class Lag:
    """`bytes` that the replica has not acknowledged yet, `seconds` since it acknowledged anything (once a second)."""

    bytes: int
    seconds: int


def lags(desired: Desired, facts: ClusterFacts, master: Mastership) -> Mapping[str, Lag]:
    """Return the lag of each declared replica that is in touch with the confirmed master, by host name."""
    fact = facts.hosts[master.host].redis if isinstance(master, Confirmed) and master.host in facts.hosts else None
    redis = fact.value if isinstance(fact, Known) else None
    if not isinstance(redis, RedisFacts):
        return {}
    found: dict[str, Lag] = {}
    for link in redis.replicas:
        host = desired.host_at(link.address)
        if host is not None:
            found[host.name] = Lag(max(0, redis.offset - link.offset), link.lag)
    return found
