"""The ports of redis and sentinel: opened in firewalld, runtime and permanent apart; nothing is ever closed."""

from __future__ import annotations

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import FirewallFacts, Unknown
from redis_sentinel_operator.model.step import OpenPorts, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait


def firewall(desired: Desired, host: Host) -> Part:
    """Return the step that opens what is closed, or why it is not done.

    A host without firewalld is left alone: with `Auto` its rules are its people's.
    """
    if desired.firewall == "None":
        return Part()
    fact = host.facts.firewall
    if isinstance(fact, Unknown):
        return wait(f"the firewall of {host.name} could not be read: {fact.message}")
    if fact.value.backend == "firewalld":
        return _firewalld(desired, host, fact.value)
    if desired.firewall == "Firewalld":
        return wait(f"firewalld does not run on {host.name}, though spec.firewall.manage is Firewalld: start it there")
    return Part()


def ports(desired: Desired, host: Host) -> tuple[int, ...]:
    """Return the ports that must be reachable on the host."""
    redis = (desired.redis_port,) if host.want.redis else ()
    sentinel = (desired.sentinel_port,) if host.want.sentinel else ()
    return redis + sentinel


def _firewalld(desired: Desired, host: Host, have: FirewallFacts) -> Part:
    wanted = ports(desired, host)
    runtime = tuple(port for port in wanted if f"{port}/tcp" not in have.runtime)
    permanent = tuple(port for port in wanted if f"{port}/tcp" not in have.permanent)
    if not runtime and not permanent:
        return Part()
    shown = ", ".join(f"{port}/tcp" for port in wanted if port in runtime or port in permanent)
    zone = f" in zone {have.zone}" if have.zone else ""
    where = " and ".join(name for name, closed in (("now", runtime), ("after a reload", permanent)) if closed)
    action = OpenPorts("firewalld", have.zone, runtime, permanent)
    return only(Step(host.name, f"open {shown} in firewalld{zone}", f"closed {where}", action, Stage.FILES))
