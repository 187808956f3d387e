"""Who may connect to redis and sentinel: made so in the firewall that runs on the host, now and for later apart.

What is missing is opened first; only then is closed what we opened before. What others opened is closed only where the
spec says `exclusive`. No rule about SSH is ever looked for, and nothing is reloaded.
"""

from __future__ import annotations

import re

from redis_sentinel_operator.conf import iptables
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.firewall import Admitted, firewalld_opening, in_order, rich_rule
from redis_sentinel_operator.judge.admission import LAYERS, admitted, layer_of, managed, surplus
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import FirewalldRule, FirewallFacts, Unknown
from redis_sentinel_operator.model.step import Action, EditFirewalld, FillChain, SaveChain, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, together, wait

_MOST = 8  # sources in one sentence


def firewall(desired: Desired, host: Host, *, only_open: bool = False) -> Part:
    """Return the steps that let in who is declared and nobody else, or why they are not done.

    A host without a firewall is left alone, and so is one whose people look after it. With `only_open` nothing is
    closed.
    """
    if desired.firewall == "None":
        return Part()
    fact = host.facts.firewall
    if isinstance(fact, Unknown):
        return wait(f"the firewall of {host.name} could not be read: {fact.message}")
    if not managed(desired, fact.value):
        name = {"Firewalld": "firewalld", "Iptables": "iptables.service"}[desired.firewall]
        return wait(f"{name} does not run on {host.name}, though spec.firewall.manage is {desired.firewall}")
    if fact.value.backend == "firewalld":
        opened, closed = _firewalld(desired, host, fact.value)
        return opened if only_open else opened + closed
    return _iptables(desired, host, fact.value, only_open) if fact.value.backend == "iptables" else Part()


def _firewalld(desired: Desired, host: Host, have: FirewallFacts) -> tuple[Part, Part]:
    allowed = admitted(desired, host.want)
    wanted = tuple((port, source) for port, sources in allowed.items() for source in _in_order(sources))
    add = tuple(
        (FirewalldRule(layer, have.zone, _words(port, source)), port, source)
        for layer in LAYERS
        for port, source in wanted
        if not _lets_in(layer_of(have, layer), port, source)
    )
    kept = {FirewalldRule(layer, have.zone, _words(*each)) for layer in LAYERS for each in wanted}
    ours = tuple(sorted(have.opened - kept, key=_natural))
    others = tuple(
        rule for rule, opening in surplus(desired, host.want, have) if desired.firewall_exclusive and opening.closable
    )
    there = {FirewalldRule(layer, have.zone, words) for layer in LAYERS for words in layer_of(have, layer)}
    gone = tuple(rule for rule in ours if rule.zone == have.zone and rule not in there)
    closed = _closed(host, tuple(rule for rule in ours if rule not in gone)) + _closed(host, others, of_others=True)
    return _opened(host, have, add), closed + _forgotten(host, gone)


def _natural(rule: FirewalldRule) -> str:
    """Return what sorts numbers in words by their size."""
    return re.sub(r"\d+", lambda number: number[0].zfill(5), str(rule))


def _in_order(sources: frozenset[str] | None) -> tuple[str, ...]:
    return ("",) if sources is None else tuple(in_order(sources))


def _words(port: int, source: str) -> str:
    return rich_rule(port, source) if source else f"{port}/tcp"


def _lets_in(words: frozenset[str], port: int, source: str) -> bool:
    """Whether it is open as wanted: for one source by the very rule, for anybody by whatever opens the port."""
    if source:
        return rich_rule(port, source) in words
    openings = [opening for each in words if (opening := firewalld_opening(each))]
    return any(not each.source and each.first <= port <= each.last for each in openings)


def _opened(host: Host, have: FirewallFacts, add: tuple[tuple[FirewalldRule, int, str], ...]) -> Part:
    if not add:
        return Part()
    closed: dict[int, list[str]] = {}
    for _, port, source in add:
        closed.setdefault(port, []).append(source)
    shown = _shown({port: None if "" in sources else frozenset(sources) for port, sources in sorted(closed.items())})
    zone = f" in zone {have.zone}" if have.zone else ""
    layers = {rule.layer for rule, _, _ in add}
    where = " and ".join(
        name for name, layer in (("now", "runtime"), ("after a reload", "permanent")) if layer in layers
    )
    action = EditFirewalld(add=tuple(rule for rule, _, _ in add))
    return _step(host, f"open {shown} in firewalld{zone}", f"closed {where}", action)


def _closed(host: Host, rules: tuple[FirewalldRule, ...], *, of_others: bool = False) -> Part:
    if not rules:
        return Part()
    zones = ", ".join(sorted({rule.zone for rule in rules}))
    shown = _few(list(dict.fromkeys(rule.words for rule in rules)))
    why = (
        "others opened it, and spec.firewall.exclusive is true" if of_others else "opened by us, and no longer declared"
    )
    return _step(host, f"close {shown} in firewalld in zone {zones}", why, EditFirewalld(remove=rules))


def _forgotten(host: Host, rules: tuple[FirewalldRule, ...]) -> Part:
    if not rules:
        return Part()
    shown = _few(list(dict.fromkeys(rule.words for rule in rules)))
    what = f"forget {shown} in firewalld in zone {rules[0].zone}"
    return _step(host, what, "opened by us, and closed by others since", EditFirewalld(forget=rules))


def _iptables(desired: Desired, host: Host, have: FirewallFacts, only_open: bool) -> Part:
    allowed, exclusive = admitted(desired, host.want), desired.firewall_exclusive
    wanted = iptables.chain(allowed, exclusive=exclusive)
    tool = "ip6tables" if ":" in host.want.address else "iptables"
    shown = f"{_shown(allowed)} in {tool} (chain {iptables.CHAIN})"

    def amiss(rules: tuple[str, ...]) -> bool:
        if only_open:
            return iptables.missing(rules, iptables.chain(allowed, exclusive=False))
        return not iptables.as_wanted(rules, wanted, allowed, exclusive=exclusive)

    parts = []
    if amiss(have.rules):
        action = FillChain(tool, iptables.transaction(have.rules, wanted))
        parts.append(_step(host, f"open {shown}", "not so now", action))
    if have.saved is not None and amiss(iptables.of_saved(have.saved.text)):
        text = have.saved.text
        save = SaveChain(tool, have.saved, iptables.saved(text, wanted), sha256(text))
        parts.append(_step(host, f"open {shown} in {have.saved.path}", "not so after a restart", save))
    return together(parts)


def _step(host: Host, what: str, why: str, action: Action) -> Part:
    return only(Step(host.name, what, why, action, Stage.FILES))


def _shown(allowed: Admitted) -> str:
    """`6379/tcp, 26379/tcp`, or `6379/tcp to 10.0.0.0/8, 192.168.3.42`; ports with the same sources together."""
    alike: dict[frozenset[str] | None, list[str]] = {}
    for port, sources in allowed.items():
        alike.setdefault(sources, []).append(f"{port}/tcp")
    phrases = [", ".join(ports) + _to(sources) for sources, ports in alike.items()]
    return "; ".join(phrases)


def _to(sources: frozenset[str] | None) -> str:
    if sources is None:
        return ""
    return " to " + (_few([each.removesuffix("/32").removesuffix("/128") for each in in_order(sources)]) or "nobody")


def _few(items: list[str]) -> str:
    more = [f"{len(items) - _MOST} more"] if len(items) > _MOST else []
    return ", ".join([*items[:_MOST], *more])
