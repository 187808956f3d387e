"""A host that joins a living cluster: what it must be before it is touched, and when it is part of it. Pure."""

from __future__ import annotations

from redis_sentinel_operator.judge.findings import taken_ports, trouble_of_replica
from redis_sentinel_operator.judge.heard import still_heard
from redis_sentinel_operator.judge.master import Sentinels, absences, facts_of, views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.trace import trace_of
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, PeerView, SentinelFacts
from redis_sentinel_operator.model.verdict import Confirmed, Verdict

_BLIND = frozenset({"s_down", "o_down", "disconnected"})


def is_claimed(facts: HostFacts | None, owner: str) -> bool:
    """Whether a host carries our claim: from there on what is on it is ours."""
    claim = facts.claim.value if facts is not None and isinstance(facts.claim, Known) else None
    return claim is not None and claim.owner == owner


def foreign_data(desired: Desired, facts: ClusterFacts, owner: str) -> str:
    """Return the message for joining hosts that are not bare, "" where there are none.

    What could not be read is no reason yet: such a host is left alone (`not_ready`).
    """
    new = [host for host in desired.joining if not is_claimed(facts.hosts.get(host.name), owner)]
    traces = [trace_of(desired, host.name, facts.hosts.get(host.name)) for host in new]
    found = [f"{trace.host}: {', '.join(trace.worth)}" for trace in traces if trace.worth and not trace.unread]
    return say("ForeignDataOnNewHost", detail="; ".join(found) + ".") if found else ""


def not_ready(desired: Desired, host: DesiredHost, facts: ClusterFacts, verdict: Verdict) -> str:
    """Return why a joining host may not be claimed now, "" when it may; that it is bare is another question."""
    if verdict.transition:
        return verdict.transition[0]
    if not isinstance(verdict.master, Confirmed):
        return verdict.master.message
    unread = trace_of(desired, host.name, facts.hosts.get(host.name)).unread
    taken = taken_ports(desired, host, facts.hosts[host.name]) if host.name in facts.hosts else ()
    return next(iter((*unread, *taken)), "") or still_heard(desired, host, facts, verdict)


def not_joined(desired: Desired, host: DesiredHost, facts: ClusterFacts, verdict: Verdict) -> str:
    """Return a phrase why a joining host is not part of the cluster yet, "" when it is.

    Its redis follows the confirmed master, its sentinel names that one as well, knows every other and is known to them.
    """
    master = verdict.master
    if not isinstance(master, Confirmed):
        return "nobody is confirmed as master"
    trouble = trouble_of_replica(host, facts, master) if host.redis and host.name != master.host else ""
    if trouble or not host.sentinel:
        return trouble
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    own = facts_of(sentinels.get(host.name))
    if own is None or own.view is None:
        return "its sentinel does not answer for the cluster yet"
    if (own.view.address, own.view.port, own.view.config_epoch) != (master.address, master.port, master.config_epoch):
        return f"its sentinel names {own.view.address} at config epoch {own.view.config_epoch} as master"
    if own.view.flags & _BLIND:
        return "its sentinel does not reach the master"
    return _not_acquainted(desired, host, own, sentinels)


def _not_acquainted(desired: Desired, host: DesiredHost, own: SentinelFacts, sentinels: Sentinels) -> str:
    seen = views(desired, sentinels)
    missing = absences(desired, sentinels)
    if missing:
        return f"every sentinel must know the new one, and {missing[0]}"
    for other in desired.sentinel_hosts:
        answered = facts_of(sentinels.get(other.name))
        if not knows(seen[other.name].peers, host, own):
            return f"the sentinel on {other.name} does not know the new one yet"
        if answered is not None and own.view is not None and not knows(own.view.peers, other, answered):
            return f"the new sentinel does not know the one on {other.name} yet"
    return ""


def knows(peers: tuple[PeerView, ...], host: DesiredHost, sentinel: SentinelFacts) -> bool:
    """Whether a sentinel is among the peers and alive for them: by its id, by its address where that is not known."""
    return any(
        (peer.id == sentinel.my_id if sentinel.my_id else peer.address == host.address) and not peer.flags & _BLIND
        for peer in peers
    )
