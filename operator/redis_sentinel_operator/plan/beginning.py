"""Before the first change of a set-up: can every host get its package?

A host that cannot would leave a cluster half set up; so all are asked before the first one is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.judge.messages import PREFLIGHT, say
from redis_sentinel_operator.judge.telling import told
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.step import Plan, Refusal
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.plan.claim import ours
from redis_sentinel_operator.plan.host import readable
from redis_sentinel_operator.plan.package import package
from redis_sentinel_operator.plan.refuse import refuse


def packages_to_ask_for(
    desired: Desired, facts: ClusterFacts, verdict: Verdict, owner: str, *, adopt: bool
) -> Mapping[str, InstallPackage]:
    """Return by host name what the set-up will install; nothing once it has begun, or when it may not begin anyway."""
    hosts, unread = readable(desired, facts)
    begins = verdict.situation in (Situation.BARE, Situation.BOOTSTRAPPING) and not unread
    if not begins or any(ours(host, owner) for host in hosts):
        return {}
    if refuse(desired, facts, hosts, verdict, owner, adopt=adopt) is not None:
        return {}
    steps = (step for host in hosts for step in package(host).steps)
    return {step.host: step.action for step in steps if isinstance(step.action, InstallPackage)}


def held_up(desired: Desired, lacking: Mapping[str, str], unsure: Mapping[str, str]) -> Plan | None:
    """Return the plan that does nothing when a package is not to be had, or None: the set-up may begin.

    `lacking` says by host name what no repository has, `unsure` what could not be found out.
    """
    if lacking:
        at = {host.name: host.address for host in desired.hosts}
        troubles = {name: f"host {name} ({at[name]}): {said}" for name, said in lacking.items()}
        message = say("PackageNotFound", detail=f"{told(desired, troubles)}. Nothing is changed on any host.")
        return Plan(refusal=Refusal(PREFLIGHT, "PackageNotFound", message))
    return Plan(waiting=(told(desired, unsure),)) if unsure else None
