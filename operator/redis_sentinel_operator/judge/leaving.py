"""Hosts that leave a living cluster: when one has left, and how sentinels come to forget it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from redis_sentinel_operator.judge.heard import still_heard
from redis_sentinel_operator.judge.joining import knows
from redis_sentinel_operator.judge.master import Sentinels, absences, facts_of, views
from redis_sentinel_operator.judge.signs import transition_signs, undivided
from redis_sentinel_operator.judge.superseded import in_failover
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts, SentinelView, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, Verdict

_DOWN = frozenset({"s_down", "o_down"})


def remembers(desired: Desired, view: SentinelView) -> tuple[str, ...]:
    """Return the names of the gone hosts that a sentinel still counts, as a sentinel or as a replica."""
    known = {each.address for each in view.peers} | {each.address for each in view.replicas}
    return tuple(host.name for host in desired.gone if host.address in known)


def cleared(desired: Desired, sentinels: Sentinels) -> frozenset[str]:
    """Return the gone hosts that no sentinel remembers; all must answer to be sure."""
    if absences(desired, sentinels) or desired.joining:
        return frozenset()
    kept = {name for view in views(desired, sentinels).values() for name in remembers(desired, view)}
    return frozenset(host.name for host in desired.gone) - kept


def why_not_reset(desired: Desired, host: str, sentinels: Sentinels, ghosts: Collection[str] = ()) -> str | None:
    """Return a sentence why the sentinel of a host may not be made to forget what is gone, None when it may.

    That are the gone hosts, and the `ghosts`: ids of sentinels.

    A reset while a wanted sentinel is away would shrink the number of voters, and two majorities become possible. It
    also empties the list of replicas for some seconds: so one sentinel after the other, when the one before knows all.
    """
    if desired.joining:
        return f"{desired.joining[0].name} is joining"
    missing = absences(desired, sentinels)
    if missing:
        return missing[0]
    signs = transition_signs(desired, sentinels)
    if signs or not undivided(desired, sentinels):
        return signs[0] if signs else "the sentinels do not name the same master"
    alive = next(_alive(desired, sentinels, ghosts), None)
    return alive or in_failover(desired, sentinels) or incomplete(desired, host, sentinels)


def _alive(desired: Desired, sentinels: Sentinels, ghosts: Collection[str]) -> Iterator[str]:
    """Return a sentence for all that is gone and that a sentinel still hears: it would be known again in a moment."""
    gone = {host.address: host.name for host in desired.gone}
    for name, view in views(desired, sentinels).items():
        back = (peer for peer in view.peers if peer.id in ghosts and not peer.flags & _DOWN)
        yield from (f"the sentinel on {name} hears {peer.address}, which was gone, again" for peer in back)
        for kind, rows in (("sentinel", view.peers), ("redis", view.replicas)):
            for row in rows:
                if row.address in gone and not row.flags & _DOWN:
                    yield f"the sentinel on {name} still hears the {kind} of {gone[row.address]}"


def incomplete(desired: Desired, host: str, sentinels: Sentinels, *, down: bool = True) -> str | None:
    """Return a sentence for a sentinel, that of the host left out ("" for none), that does not know all there is.

    What is down counts where it is declared; not `down`: it does not count, as nobody finds it before it is back.
    """
    seen, gone = views(desired, sentinels), {each.address for each in desired.gone}
    declared = {each.address for each in desired.every_redis} if down else set()
    rows = (row for view in seen.values() for row in view.replicas)
    replicas = {row.address for row in rows if "s_down" not in row.flags or row.address in declared} - gone
    for name, view in seen.items():
        if name == host:
            continue
        others = (
            (other, facts_of(sentinels.get(other.name))) for other in desired.sentinel_hosts if other.name != name
        )
        if not all(answered is not None and knows(view.peers, other, answered) for other, answered in others):
            return f"the sentinel on {name} does not know all others yet"
        if not replicas <= {each.address for each in view.replicas}:
            return f"the sentinel on {name} does not know all replicas yet"
    return None


def servers_known(desired: Desired, host: DesiredHost, facts: ClusterFacts, verdict: Verdict) -> str:
    """Return a sentence for whoever still has to do with the servers of a leaving host, "" where nobody has."""
    master = verdict.master
    if isinstance(master, Confirmed) and master.host == host.name:
        return f"{host.name} is the master"
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    for name, view in views(desired, sentinels).items():
        if host.address in (view.address, view.told_address):
            return f"the sentinel on {name} names it as master"
    return still_heard(desired, host, facts, verdict)


def why_not_forget(desired: Desired, name: str, facts: ClusterFacts, verdict: Verdict) -> str | None:
    """Return a sentence why a host may not be forgotten (act forget-host), None when it may."""
    host = next((each for each in desired.hosts if each.name == name), None)
    if host is None:
        leaving = ", ".join(each.name for each in desired.leaving) or "none"
        return f"{name} is no host that is leaving (leaving: {leaving})"
    if host.state != "Leaving":
        return f"{name} stands in spec.hosts: take it out there first"
    if not isinstance(verdict.master, Confirmed):
        return verdict.master.message
    read = facts.hosts.get(name)
    if read is not None and not isinstance(read.os, Unknown):
        return f"{name} can be reached, so it is stopped and proved to be: wait until it is gone from status.hosts"
    sentinels = {each: read.sentinel for each, read in facts.hosts.items()}
    missing = absences(desired, sentinels)
    if missing:
        return f"every other sentinel must tell that it is down, and {missing[0]}"
    known = servers_known(desired, host, facts, verdict)
    if not known:
        return None
    return f"{known}: if its servers run, stop them or let the operator reach it; if not, ask again in a minute"
