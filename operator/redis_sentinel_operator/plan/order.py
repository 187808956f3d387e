"""The whole plan: which situation the cluster is in decides what it may hold at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis_sentinel_operator.judge.leaving import cleared
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Claim, ClusterFacts
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.step import Plan, SentinelReset
from redis_sentinel_operator.model.verdict import BootstrapRecord, Confirmed, Situation, Verdict
from redis_sentinel_operator.plan.alive import alive
from redis_sentinel_operator.plan.bootstrap import bootstrap
from redis_sentinel_operator.plan.claim import claims, ours
from redis_sentinel_operator.plan.coldstart import cold_start
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.join import joined, ready_to_join, still_joining, with_held_quorum
from redis_sentinel_operator.plan.least_replicas import with_least_replicas
from redis_sentinel_operator.plan.leave import has_left, leave, unforgotten
from redis_sentinel_operator.plan.part import Part, wait
from redis_sentinel_operator.plan.priorities import prioritised
from redis_sentinel_operator.plan.refuse import refuse
from redis_sentinel_operator.plan.replaced import taken_place


@dataclass(frozen=True, slots=True)
class PlanContext:
    """Who plans: our owner string, the bootstrap as status has it, and whether a person said `adopt-claim`.

    `members` are the hosts that status has as part of the cluster, `fenced` those of them that were seen to be fenced,
    `recorded` the hosts that it has as Joining.
    """

    owner: str
    bootstrap: BootstrapRecord | None = None
    adopt_claim: bool = False
    members: frozenset[str] = frozenset()
    fenced: frozenset[str] = frozenset()
    recorded: frozenset[str] = frozenset()


def plan(desired: Desired, facts: ClusterFacts, verdict: Verdict, context: PlanContext) -> Plan:
    """Return what is to be done now, from what was read; an empty plan when all is as declared.

    What becomes possible only by a step of this plan (a file that a package brings) comes with the next reading.
    """
    readables, sentences = readable(desired, facts)
    aside = {host.name for host in desired.hosts_aside}
    unread = tuple(sentence for sentence in sentences if sentence.partition(" ")[0] not in aside)
    desired = with_least_replicas(desired, readables, context.bootstrap)
    hosts = prioritised(desired, readables, verdict.master)
    staying = tuple(host for host in hosts if host.want.state != "Leaving")
    refusal = refuse(desired, facts, staying, verdict, context.owner, adopt=context.adopt_claim)
    if refusal is not None:
        return Plan(refusal=refusal)
    if verdict.situation is Situation.UNREADABLE:
        return Part(waiting=(verdict.situation_message, *unread)).plan()
    if verdict.situation is Situation.ALIVE or _bootstrapped(verdict):
        whole = Part(waiting=unread) + _alive(desired, facts, hosts, verdict, context)
        return _with_members(desired, facts, hosts, verdict, owner=context.owner, whole=whole)
    hosts = tuple(host for host in hosts if host.want.state != "Joining")
    if unread:
        return Part(waiting=unread).plan()
    if verdict.situation is Situation.STOPPED:
        return _claimed_first(desired, hosts, context, Claim(context.owner), cold_start(desired, hosts)).plan()
    if aside:
        return wait(
            f"the cluster is set up with all its hosts: take {', '.join(sorted(aside))} out of "
            "spec.maintenanceHosts and spec.fencedHosts until it is Healthy, or out of spec.hosts"
        ).plan()
    return _bootstrap(desired, facts, hosts, context).plan()


def _bootstrapped(verdict: Verdict) -> bool:
    """Whether our bootstrap is so far that the sentinels confirm a master: from there on the master is theirs."""
    return verdict.situation is Situation.BOOTSTRAPPING and isinstance(verdict.master, Confirmed)


def _alive(
    desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, context: PlanContext
) -> Part:
    """Mend each host that carries our claim; the others are claimed first."""
    ready = ready_to_join(desired, facts, hosts, verdict, context.owner) & context.recorded
    new = [host for host in hosts if not ours(host, context.owner) and _may_be_claimed(host, ready)]
    occupied = {host.name: reason for host in new if (reason := taken_place(desired, host, facts, verdict))}
    unclaimed = [host for host in new if host.name not in occupied]
    missing = claims(unclaimed, _claim(desired, context.bootstrap, context.owner), adopt=context.adopt_claim)
    mine = [host for host in hosts if ours(host, context.owner) or desired.management != "Full"]
    rest = alive(with_held_quorum(desired, facts), facts, mine, verdict, context.members, fenced=context.fenced)
    if not verdict.transition and not verdict.restores:
        rest += leave(desired, facts, hosts, verdict, context.owner)
    return Part(waiting=tuple(occupied.values())) + missing + rest


def _may_be_claimed(host: Host, ready: frozenset[str]) -> bool:
    return host.want.state == "Member" or host.name in ready


def _with_members(
    desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, *, owner: str, whole: Part
) -> Plan:
    """Return the whole plan, with what it finds of hosts on their way in or out."""
    coming = joined(desired, facts, verdict, owner, whole.steps)
    going = {host.name for host in hosts if host.want.state == "Leaving"} if not verdict.transition else set()
    left = {host.name for host in hosts if host.name in going and has_left(desired, host, facts, verdict, owner)}
    forgotten = cleared(desired, {name: each.sentinel for name, each in facts.hosts.items()})
    whole += still_joining(desired, facts, verdict, owner, whole.steps)
    if not any(isinstance(step.action, SentinelReset) for step in whole.steps):
        whole += unforgotten(desired, forgotten)
    return replace(whole.plan(), joined=coming, left=frozenset(left), cleared=forgotten)


def _bootstrap(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], context: PlanContext) -> Part:
    record = context.bootstrap
    if record is None and desired.management != "Full":  # what the set-up would do; nothing is recorded for a look
        record = BootstrapRecord("", desired.initial_master, started_at="")
    if record is None:
        first = desired.initial_master
        return wait(f"the bootstrap with {first} as master begins when it is recorded in status")
    if record.completed_at:
        return wait(
            f"the cluster was set up at {record.completed_at}, but now no host has any of it; it is not set up a "
            "second time by itself. If its disks are only not mounted, mount them; else delete the resource and "
            "create it anew"
        )
    return _claimed_first(
        desired, hosts, context, _claim(desired, record, context.owner), bootstrap(desired, facts, hosts, record.master)
    )


def _claim(desired: Desired, record: BootstrapRecord | None, owner: str) -> Claim:
    if record is None:
        return Claim(owner)
    return Claim(owner, record.id, desired.address_of(record.master))


def _claimed_first(desired: Desired, hosts: Sequence[Host], context: PlanContext, claim: Claim, rest: Part) -> Part:
    """Return the claims that are missing, and the rest only when there are none (or nothing is applied anyway).

    Missing packages come right behind: no stage begins before all claims are there, and a package starts nothing.
    """
    missing = claims(hosts, claim, adopt=context.adopt_claim)
    packages = all(isinstance(step.action, InstallPackage) for step in rest.steps)
    if missing.steps and desired.management == "Full" and not packages:
        return missing
    return missing + rest
