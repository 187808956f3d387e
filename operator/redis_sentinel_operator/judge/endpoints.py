"""Where the Services lead to, derived from what the board knows; and what is said of the Services. Pure.

The master's Service has one endpoint: the last confirmed master, not ready while it is withdrawn. Nothing is derived
before this process has evidence of its own: what an earlier one published may be newer than the status it stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from redis_sentinel_operator.judge.conditions import Inputs
from redis_sentinel_operator.judge.findings import linked_replicas
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.endpoint import GROUPS, Endpoint, Endpoints, Offer, ServicesSeen, service_name
from redis_sentinel_operator.model.fact import ClusterFacts, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, Finding, MasterRecord


def offer(known: Inputs, before: Offer) -> Offer:
    """Return where the Services are to lead to now.

    Args:
        known: all that the board knows.
        before: what was derived last; what cannot be read now stays as it was.
    """
    if not known.judged or known.record is None or known.desired is None:
        return before
    master = (Endpoint(known.record.address, ready=not known.record.withdrawn_since),)
    facts = known.report.facts if known.report else None
    if facts is None:
        return Offer(master, before.replicas, before.sentinels)
    return Offer(
        master,
        _replicas(known.desired, known.record, facts, _readiness(before.replicas)),
        _sentinels(known.desired, facts, _readiness(before.sentinels)),
    )


def _readiness(endpoints: Endpoints | None) -> Mapping[str, bool]:
    return {each.address: each.ready for each in endpoints or ()}


def _replicas(desired: Desired, record: MasterRecord, facts: ClusterFacts, before: Mapping[str, bool]) -> Endpoints:
    """Those that follow the last confirmed master with their link up; the master vouches for one that is not read."""
    linked = linked_replicas(desired, facts, Confirmed(record.host, record.address, record.port, record.config_epoch))
    blind = _unread(facts, record.host)
    found = []
    for host in desired.redis_hosts:
        if host.address != record.address:
            unknown = blind and _unread(facts, host.name)
            ready = before.get(host.address, False) if unknown else host.name in linked
            found.append(Endpoint(host.address, ready))
    return tuple(found)


def _sentinels(desired: Desired, facts: ClusterFacts, before: Mapping[str, bool]) -> Endpoints:
    """Those that answer for our master. Where none can be read it is the operator who is cut off."""
    sentinels = {name: host.sentinel for name, host in facts.hosts.items()}
    answering = views(desired, sentinels).keys()
    blind = all(isinstance(sentinels.get(host.name), Unknown | None) for host in desired.sentinel_hosts)
    return tuple(
        Endpoint(host.address, before.get(host.address, False) if blind else host.name in answering)
        for host in desired.sentinel_hosts
    )


def _unread(facts: ClusterFacts, name: str) -> bool:
    return name not in facts.hosts or isinstance(facts.hosts[name].redis, Unknown)


def finding(desired: Desired, seen: ServicesSeen) -> Finding:
    """Return what is said of the Services, the gravest first."""
    names = ", ".join(service_name(desired.ref.name, group) for group in GROUPS)
    where = {"namespace": desired.ref.namespace, "names": names}
    if not desired.endpoints:
        return Finding(True, "EndpointsDisabled", say("EndpointsDisabled"))
    if seen.foreign:
        return Finding(False, "ServiceNotOurs", say("ServiceNotOurs", detail="; ".join(seen.foreign)))
    if seen.strangers:
        first = seen.strangers[0]
        message = say("SliceNotOurs", detail=", ".join(seen.strangers), first=first, **where)
        return Finding(False, "SliceNotOurs", message)
    if seen.refused:
        return Finding(False, "EndpointsRefused", say("EndpointsRefused", detail=seen.refused))
    if seen.absent:
        return Finding(None, "ServicesNotMade", say("ServicesNotMade", names=", ".join(seen.absent)))
    if seen.headless:
        family = f"IPv{ip_address(desired.hosts[0].address).version}"
        return Finding(True, "ServicesHeadless", say("ServicesHeadless", family=family, **where))
    return Finding(True, "ServicesFollow", say("ServicesFollow", **where))
