"""Who may connect to a host's ports: what the spec admits, and what the host's firewall lets in beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from redis_sentinel_operator.conf import iptables
from redis_sentinel_operator.conf.firewall import (
    Admitted,
    Opening,
    firewalld_opening,
    iptables_openings,
    single,
    wider,
)
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts, FirewalldRule, FirewallFacts, Known

Layer = Literal["runtime", "permanent"]
LAYERS: tuple[Layer, ...] = ("runtime", "permanent")


def admitted(desired: Desired, host: DesiredHost) -> Admitted:
    """Return who may connect to which port of a host.

    Redis: all hosts of the cluster, as replicas follow and sentinels watch. Sentinel: the other sentinels. Both: the
    declared clients. A host's own connections pass no firewall, the operator's come through SSH.
    """
    found: dict[int, frozenset[str] | None] = {}
    if host.redis:
        found[desired.redis_port] = _sources(desired, host, desired.hosts)
    if host.sentinel:
        found[desired.sentinel_port] = _sources(desired, host, desired.every_sentinel)
    return found


def _sources(desired: Desired, host: DesiredHost, peers: Iterable[DesiredHost]) -> frozenset[str] | None:
    if desired.clients is None:
        return None
    return frozenset(desired.clients) | {single(peer.address) for peer in peers if peer.address != host.address}


def managed(desired: Desired, facts: FirewallFacts) -> bool:
    """Whether the firewall that runs on a host is the operator's to manage."""
    return desired.firewall == "Auto" or desired.firewall.lower() == facts.backend


def layer_of(facts: FirewallFacts, layer: Layer) -> frozenset[str]:
    """Return what the host's zone of firewalld lets in, in force or permanently."""
    return facts.runtime if layer == "runtime" else facts.permanent


def surplus(desired: Desired, host: DesiredHost, facts: FirewallFacts) -> tuple[tuple[FirewalldRule, Opening], ...]:
    """Return what others opened in firewalld wider than the spec says."""
    allowed = admitted(desired, host)
    found: list[tuple[FirewalldRule, Opening]] = []
    for layer in LAYERS:
        for words in sorted(layer_of(facts, layer)):
            rule, opening = FirewalldRule(layer, facts.zone, words), firewalld_opening(words)
            if opening is not None and rule not in facts.opened and wider(opening, allowed):
                found.append((rule, opening))
    return tuple(found)


def too_wide(desired: Desired, facts: ClusterFacts) -> dict[str, str]:
    """Return, by host, a phrase for what lets in more than spec.firewall.clients says, and is not the operator's."""
    if desired.clients is None or desired.firewall == "None":
        return {}
    found: dict[str, str] = {}
    for host in desired.staying:
        fact = facts.hosts[host.name].firewall if host.name in facts.hosts else None
        if isinstance(fact, Known) and (phrase := _phrase(desired, host, fact.value)):
            found[host.name] = phrase
    return found


def _phrase(desired: Desired, host: DesiredHost, facts: FirewallFacts) -> str:
    if facts.backend == "none":
        return "no firewall that the operator knows runs there, so anybody may connect"
    if not managed(desired, facts):
        return ""
    if facts.backend == "firewalld":
        rules = [rule.words for rule, _ in surplus(desired, host, facts)]
        return f"zone {facts.zone} of firewalld has {_listed(rules)}" if rules else ""
    rules = [opening.rule for opening in _of_iptables(desired, host, facts)]
    return f"iptables has {_listed(rules)}" if rules else ""


def _of_iptables(desired: Desired, host: DesiredHost, facts: FirewallFacts) -> Iterator[Opening]:
    """With `exclusive` our chain turns others away before any of these rules is reached."""
    if desired.firewall_exclusive:
        return
    allowed = admitted(desired, host)
    saved = iptables.of_saved(facts.saved.text) if facts.saved else ()
    for rules in (facts.rules, saved):
        yield from (opening for opening in iptables_openings(rules) if wider(opening, allowed))


def _listed(rules: Iterable[str]) -> str:
    return ", ".join(f"`{rule}`" for rule in dict.fromkeys(rules))
