"""Why a step may not be done now: its needs, asked against the newest facts. The host being mended is left out."""

from __future__ import annotations

from redis_sentinel_operator.judge.aside import rests
from redis_sentinel_operator.judge.findings import trouble_of_replica
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.judge.signs import transition_signs, undivided
from redis_sentinel_operator.judge.spare import why_not_spared
from redis_sentinel_operator.judge.superseded import FAILING_OVER, in_failover, not_superseded
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.step import Need
from redis_sentinel_operator.model.verdict import Confirmed, Situation, Uncertain, Verdict


def why_not(need: Need, host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    """Return a sentence why the need is not met, None when it is.

    Args:
        need: what the step asks for.
        host: the host that the step changes.
        desired: the declared cluster.
        facts: the newest reading.
        verdict: what the judge says of it.
    """
    if need is Need.CLAIM:
        return _claim(host, facts, verdict)
    if need is Need.SERVING:
        return _serving(desired, facts, verdict)
    if need is Need.CONFIRMED:
        return _confirmed(host, desired, facts, verdict)
    if need is Need.SUPERSEDED:
        return _superseded(host, desired, facts, verdict)
    if need is Need.UNDONE:
        return None if verdict.restores == host else f"{host} may not be made the master again"
    if need is Need.SPARE:
        return _spared(host, desired, facts, verdict)
    return _calm(host, desired, facts, verdict)


def _spared(host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    if isinstance(verdict.master, Confirmed) and verdict.master.host == host:
        return f"{host} is the master"
    return why_not_spared(host, desired, facts, verdict)


def _claim(host: str, facts: ClusterFacts, verdict: Verdict) -> str | None:
    """The claim itself may be taken by an earlier step of the same plan: the guard on the host has the last word."""
    if verdict.claimed.reason == "HostClaimedByAnother":
        return verdict.claimed.message
    claim = facts.hosts[host].claim if host in facts.hosts else Unknown("it was not read")
    return f"the claim of {host} could not be read: {claim.message}" if isinstance(claim, Unknown) else None


def _serving(desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    if isinstance(verdict.master, Uncertain):
        return verdict.master.message
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    return in_failover(desired, sentinels, flags=FAILING_OVER)


def _confirmed(host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    if isinstance(verdict.master, Uncertain):
        return verdict.master.message
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    return in_failover(desired, sentinels, but=host)


def _superseded(host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    fact = facts.hosts[host].redis if host in facts.hosts else None
    redis = fact.value if isinstance(fact, Known) else None
    if not isinstance(redis, RedisFacts):
        return f"redis on {host} could not be read"
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    found = facts.hosts[host].processes
    processes = found.value if isinstance(found, Known) else ()
    return not_superseded(desired, host, redis, sentinels, verdict, processes=processes)


def _calm(host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    refused = _confirmed(host, desired, facts, verdict)
    if refused:
        return refused
    if verdict.situation is not Situation.ALIVE:
        return verdict.situation_message
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    signs = transition_signs(desired, sentinels, but=host)
    if signs:
        return signs[0]
    settling = next((sign for sign in verdict.transition if sign.startswith("the last switch")), None)
    if settling:
        return settling
    if not undivided(desired, sentinels, but=host):
        return "not every declared sentinel answers and names the same master"
    return _links_and_quorum(host, desired, facts, verdict)


def _links_and_quorum(host: str, desired: Desired, facts: ClusterFacts, verdict: Verdict) -> str | None:
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    for name, view in views(desired, sentinels).items():
        if name != host and view.quorum_ok is not True:
            return f"the sentinel on {name} does not confirm that a failover can be authorised"
    for each in desired.redis_hosts:
        if each.name in facts.hosts and rests(each, facts.hosts[each.name].redis):
            continue
        if isinstance(verdict.master, Confirmed) and each.name not in (host, verdict.master.host):
            trouble = trouble_of_replica(each, facts, verdict.master)
            if trouble:
                return f"{each.name}: {trouble}"
    return None
