"""Hosts that are to do nothing, on purpose: whether they do, and how that is told. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    Fact,
    HostFacts,
    Known,
    MachineFacts,
    RedisFacts,
    SentinelFacts,
)

NOTE = "maintenance"  # in a claim: the boot at which the host was left alone
FIELDS = {"": "the field that names it", "Maintenance": "spec.maintenanceHosts", "Fenced": "spec.fencedHosts"}
_NO_BOOT = "unknown"


def field_of(host: DesiredHost) -> str:
    """Return the field that names a host which is aside."""
    return FIELDS[host.aside]


def note_of(facts: HostFacts) -> str:
    """Return what is written down when a host is left alone."""
    return (facts.os.value.boot_id if isinstance(facts.os, Known) else "") or _NO_BOOT


def entered(facts: HostFacts) -> bool:
    """Whether the host was stopped for maintenance, and has been left alone since."""
    claim = facts.claim.value if isinstance(facts.claim, Known) else None
    return claim is not None and NOTE in claim.notes


def rebooted(facts: HostFacts) -> bool:
    """Whether the machine was booted since it was left alone."""
    claim = facts.claim.value if isinstance(facts.claim, Known) else None
    before = claim.notes.get(NOTE, _NO_BOOT) if claim is not None else _NO_BOOT
    return _NO_BOOT not in (before, note_of(facts)) and before != note_of(facts)


def is_held(host: DesiredHost, facts: HostFacts) -> bool:
    """Whether it is proved that our fence is there and none of the host's own servers runs."""
    machine = facts.machine.value if isinstance(facts.machine, Known) else MachineFacts({})
    return bool(machine.held) and is_silent(host, facts)


def is_silent(host: DesiredHost, facts: HostFacts) -> bool:
    """Whether it is proved that no redis and no sentinel of the host runs."""
    servers = ((host.redis, facts.redis), (host.sentinel, facts.sentinel))
    return all(not wanted or fact == Known(None) for wanted, fact in servers)


def in_words(host: DesiredHost, facts: HostFacts) -> str:
    """Return what there is to say of a host that is aside."""
    field = field_of(host)
    if host.aside == "Fenced":
        if is_held(host, facts):
            return f"fenced: redis and sentinel are kept from starting as long as {field} names it"
        return f"{field} names it, but it is not proved that nothing runs there and can start"
    if not entered(facts):
        return f"{field} names it, and it is not stopped yet"
    since = "; it was booted since" if rebooted(facts) else ""
    runs = "" if is_silent(host, facts) else "; redis or sentinel runs there, or may"
    return f"in maintenance: it is left alone as long as {field} names it{since}{runs}"


def listed(hosts: Iterable[DesiredHost]) -> str:
    """Return the hosts that are left out on purpose, each with the field that names it."""
    return ", ".join(f"{host.name} ({field_of(host)})" for host in hosts)


def rests(
    host: DesiredHost, fact: Fact[RedisFacts | Denied | None] | Fact[SentinelFacts | Denied | None] | None
) -> bool:
    """Whether a server is proved to be stopped on a host where it shall be: nobody waits for what it would say."""
    return bool(host.aside) and fact == Known(None)


def is_excused(host: DesiredHost, facts: ClusterFacts) -> bool:
    """Whether a replica may be away: its host is aside, and it is no second master that takes writes."""
    fact = facts.hosts[host.name].redis if host.name in facts.hosts else None
    value = fact.value if isinstance(fact, Known) else None
    return bool(host.aside) and not (isinstance(value, RedisFacts) and value.role == "master")


def healthy(desired: Desired | None, master: str, ready: str) -> tuple[str, str]:
    """Return reason and message where all is as declared: who is left out on purpose is told."""
    if desired is None or not desired.hosts_aside:
        return "Healthy", say("Healthy", master=master, ready=ready)
    values = {"master": master, "ready": ready, "aside": listed(desired.hosts_aside)}
    return "HealthyButForSome", say("HealthyButForSome", **values)
