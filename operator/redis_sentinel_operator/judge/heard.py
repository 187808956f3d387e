"""Who still hears servers at the address of a host: as long as anybody does, they are there. Pure."""

from __future__ import annotations

from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts
from redis_sentinel_operator.model.verdict import Confirmed, Verdict

_DOWN = frozenset({"s_down", "o_down"})


def still_heard(desired: Desired, host: DesiredHost, facts: ClusterFacts, verdict: Verdict) -> str:
    """Return a sentence for whoever hears a server at the host's address, "" where nobody does."""
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    for name, view in views(desired, sentinels).items():
        for kind, rows in (("sentinel", view.peers), ("redis", view.replicas)):
            if any(row.address == host.address and not row.flags & _DOWN for row in rows):
                return f"the sentinel on {name} still hears the {kind} of {host.name}"
    master = verdict.master
    fact = facts.hosts[master.host].redis if isinstance(master, Confirmed) and master.host in facts.hosts else None
    redis = fact.value if isinstance(fact, Known) else None
    online = isinstance(redis, RedisFacts) and any(row.address == host.address for row in redis.replicas)
    return f"the master still counts {host.name} among its replicas" if online else ""
