"""Hosts that join a living cluster: claimed once they are known to be bare; the quorum is raised when all agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from redis_sentinel_operator.judge.findings import held_quorum
from redis_sentinel_operator.judge.joining import is_claimed, not_joined, not_ready
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.model.verdict import Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, wait
from redis_sentinel_operator.plan.priorities import newer_than_others


def ready_to_join(
    desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, owner: str
) -> frozenset[str]:
    """Return the joining hosts without our claim that may get it now; they are recorded in status before that."""
    read = {host.name for host in hosts}
    return frozenset(
        host.name
        for host in desired.joining
        if host.name in read
        and not is_claimed(facts.hosts.get(host.name), owner)
        and not not_ready(desired, host, facts, verdict)
    )


def with_held_quorum(desired: Desired, facts: ClusterFacts) -> Desired:
    """Return `desired` with the quorum that may be set now: a higher one comes when all sentinels know each other.

    A sentinel that joins is no voter for the others yet; with the higher quorum already there, the failure of one old
    sentinel would be one too many.
    """
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    quorum = held_quorum(desired, views(desired, sentinels))
    return replace(desired, sentinel=replace(desired.sentinel, quorum=quorum))


def joined(
    desired: Desired, facts: ClusterFacts, verdict: Verdict, owner: str, steps: Sequence[Step]
) -> frozenset[str]:
    """Return the joining hosts that are part of the cluster by now, and on which nothing is left to do."""
    busy = {step.host for step in steps}
    return frozenset(
        host.name
        for host in desired.joining
        if host.name not in busy
        and is_claimed(facts.hosts.get(host.name), owner)
        and not not_joined(desired, host, facts, verdict)
    )


def still_joining(desired: Desired, facts: ClusterFacts, verdict: Verdict, owner: str, steps: Sequence[Step]) -> Part:
    """Return a sentence for each joining host that says what is still missing."""
    done, waiting = joined(desired, facts, verdict, owner, steps), Part()
    for host in desired.joining:
        ours = is_claimed(facts.hosts.get(host.name), owner)
        why = not_joined(desired, host, facts, verdict) if ours else not_ready(desired, host, facts, verdict)
        why = why or ("it is recorded in status first" if not ours else "the last changes are made there")
        waiting += wait(f"{host.name} joins the cluster" + ("" if host.name in done else f": {why.rstrip('. ')}"))
    return waiting


def too_old(hosts: Sequence[Host], host: Host, master: str) -> str | None:
    """Return a sentence when the redis of a joining host could not read what the master sends, None when it can."""
    pair = [each for each in hosts if each.name == master] + [host]
    newer = newer_than_others(pair, master) if host.want.state == "Joining" and host.redis is None else None
    if newer is None:
        return None
    return (
        f"{newer}: an older replica may not read what a newer master sends, so its redis is not started. Install the "
        f"master's version on {host.name}"
    )
