"""A fresh machine at the address of a former one: its sentinel becomes the one that the others know there.

With an id of its own it would count as one voter more. And it must have heard of every epoch in which the former one
may have voted: who votes twice in one epoch makes two masters.
"""

from __future__ import annotations

from collections.abc import Iterator

from redis_sentinel_operator.conf.sentinel_conf import Identity, parse
from redis_sentinel_operator.judge.heard import still_heard
from redis_sentinel_operator.judge.master import facts_of, views
from redis_sentinel_operator.judge.trace import conf_texts
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, PeerView, SentinelFacts, Unknown
from redis_sentinel_operator.model.verdict import Verdict
from redis_sentinel_operator.plan.host import Host

_DOWN = frozenset({"s_down", "o_down"})


def taken_place(desired: Desired, host: Host, facts: ClusterFacts, verdict: Verdict) -> str | None:
    """Return why a host without our claim may not take the place of the former one yet, None when it may.

    Where its own servers run, they are who is heard.
    """
    ours_run = (host.want.redis and not host.redis_stopped) or (host.want.sentinel and not host.sentinel_stopped)
    heard = "" if ours_run else still_heard(desired, host.want, facts, verdict)
    if not heard:
        return None
    return (
        f"no server runs on {host.name}, but {heard}: as long as the former machine answers at {host.want.address} "
        "nothing is set up in its place. Stop that one; if it is gone already, this takes a minute"
    )


def identity(desired: Desired, host: Host, facts: ClusterFacts) -> Identity | str | None:
    """Return who the sentinel of a host was, None where nobody remembers one there, or why that is not known yet."""
    found = _known(desired, host, facts)
    if not found:
        return None
    answered = {each.name: facts_of(facts.hosts[each.name].sentinel) for each in _others(desired, host, facts)}
    reason = (
        ambiguous(desired, host, facts)
        or _alive(desired, host, facts)
        or _elsewhere(host, answered, next(iter(found)))
        or _unread(desired, host, facts)
    )
    if reason:
        return reason
    seen = views(desired, {name: each.sentinel for name, each in facts.hosts.items()})
    config_epoch = max(view.config_epoch for view in seen.values())
    texts = [conf_texts(facts.hosts[name]).get("sentinel", "") for name, each in answered.items() if each]
    return Identity(next(iter(found)), config_epoch, max(config_epoch, *(parse(text).highest_epoch for text in texts)))


def _others(desired: Desired, host: Host, facts: ClusterFacts) -> Iterator[HostFacts]:
    for each in desired.every_sentinel:
        if each.name != host.name and each.name in facts.hosts:
            yield facts.hosts[each.name]


def _peers(desired: Desired, host: Host, facts: ClusterFacts) -> Iterator[tuple[str, PeerView]]:
    for each in _others(desired, host, facts):
        answered = facts_of(each.sentinel)
        for peer in answered.view.peers if answered and answered.view else ():
            if peer.address == host.want.address:
                yield each.name, peer


def _known(desired: Desired, host: Host, facts: ClusterFacts) -> dict[str, str]:
    """Return the ids that others know at the address of a host, with one of those who do."""
    return {peer.id: name for name, peer in _peers(desired, host, facts)}


def ambiguous(desired: Desired, host: Host, facts: ClusterFacts) -> str:
    """Return a sentence where it is open which sentinel a host had, "" where one or none is remembered there."""
    found = _known(desired, host, facts)
    if len(found) <= 1:
        return ""
    ids = ", ".join(f"{id_[:8]} ({name})" for id_, name in found.items())
    return (
        f"{host.name} has no sentinel state, and the others remember several sentinels there: {ids}. Let them forget "
        f"these: SENTINEL RESET {desired.master_name} on one after the other, each when it knows all again"
    )


def _alive(desired: Desired, host: Host, facts: ClusterFacts) -> str:
    heard = next((name for name, peer in _peers(desired, host, facts) if not peer.flags & _DOWN), None)
    if heard is None:
        return ""
    return f"no sentinel runs on {host.name}, but the one on {heard} still hears it: it is set up when nobody does"


def _elsewhere(host: Host, answered: dict[str, SentinelFacts | None], id_: str) -> str:
    other = next((name for name, each in answered.items() if each is not None and each.my_id == id_), None)
    if other is None:
        return ""
    return (
        f"{host.name} has no sentinel state, and the others know the sentinel of {other} there as well (id {id_[:8]}): "
        f"they have to hear of it at its own address first. If that does not come, restart the sentinel of {other}"
    )


def _unread(desired: Desired, host: Host, facts: ClusterFacts) -> str:
    """Every other sentinel must be read, or be proved to be stopped: what it has heard of counts."""
    read = {each.name: each for each in _others(desired, host, facts)}
    for want in desired.sentinel_hosts:
        each = read.get(want.name)
        if want.name == host.name or (each is not None and not isinstance(each.sentinel, Unknown) and _has_file(each)):
            continue
        return f"the sentinel of {host.name} is set up anew when {want.name} was read: what it has heard of counts"
    return ""


def _has_file(facts: HostFacts) -> bool:
    """Whether its file was read where its sentinel runs; one that is stopped has told all that it knew."""
    answered = facts_of(facts.sentinel)
    return answered is None or bool(conf_texts(facts).get("sentinel"))
