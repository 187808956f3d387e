"""Whether a cluster can do without one of its hosts for a while. Pure."""

from __future__ import annotations

from redis_sentinel_operator.judge.aside import field_of
from redis_sentinel_operator.judge.findings import linked_replicas
from redis_sentinel_operator.judge.master import Sentinels, views
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts
from redis_sentinel_operator.model.verdict import Confirmed, Verdict


def why_not_spared(host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    """Return a sentence why the cluster cannot do without a host, None when it can.

    A failover must be possible afterwards: a majority of the sentinels and the quorum, and a replica to promote. For
    the master that is asked before another takes its place.
    """
    master, want = verdict.master, desired.host(host)
    if not isinstance(master, Confirmed):
        return master.message
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    return (_too_few_sentinels(want, desired, sentinels) if want.sentinel else None) or (
        _too_few_replicas(want, desired, facts, master) if want.redis else None
    )


def _too_few_sentinels(host: DesiredHost, desired: Desired, sentinels: Sentinels) -> str | None:
    others = [name for name in views(desired, sentinels) if name != host.name]
    needed = desired.sentinels_needed
    if len(others) >= needed:
        return None
    return (
        f"without its sentinel {len(others)} of {len(desired.sentinel_hosts)} would work, and a failover needs "
        f"{needed}. Bring back another first, or take {host.name} out of {field_of(host)}"
    )


def _too_few_replicas(host: DesiredHost, desired: Desired, facts: ClusterFacts, master: Confirmed) -> str | None:
    """Whether nobody could be promoted any more; the master's place is taken by one of them before."""
    others = [desired.host(name) for name in linked_replicas(desired, facts, master) if name != host.name]
    fit = [other.name for other in others if _may_lead(other, facts)]
    needed = 2 if host.name == master.host else 1
    if len(fit) >= needed:
        return None
    after = "once another is master in its place" if needed == 2 else "without it"
    return (
        f"{after} there would be no replica that the sentinels can promote. Bring another in sync first (with a "
        f"replica-priority other than 0), or take {host.name} out of {field_of(host)}"
    )


def _may_lead(host: DesiredHost, facts: ClusterFacts) -> bool:
    fact = facts.hosts[host.name].redis if host.name in facts.hosts else None
    value = fact.value if isinstance(fact, Known) else None
    return not host.aside and isinstance(value, RedisFacts) and value.config.get("slave-priority") != "0"
