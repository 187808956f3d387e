"""Sentinels that are gone for good and still count as voters: with enough of them no majority comes together. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redis_sentinel_operator.judge.master import facts_of, views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.telling import listed, mended
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import HostFacts, PeerView


def ghosts(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    """Return a sentence that names each, and which sentinels know it; "" where there is none."""
    seen = views(desired, {name: each.sentinel for name, each in hosts.items()})
    known = ghosts_by_knower(desired, hosts)
    found = {peer.id: peer for peers in known.values() for peer in peers}
    if not found:
        return ""
    knowers = {id_: [name for name, peers in known.items() if id_ in {peer.id for peer in peers}] for id_ in found}
    detail = "; ".join(
        f"{peer.address} with id {id_[:8]} (known to {listed(knowers[id_])})" for id_, peer in sorted(found.items())
    )
    voters = max(len(view.peers) for view in seen.values()) + 1
    return say(
        "GhostSentinels",
        detail=detail,
        needed=voters // 2 + 1,
        voters=voters,
        sentinels=len(desired.sentinel_hosts),
        then=mended(desired),
    )


def ghosts_by_knower(desired: Desired, hosts: Mapping[str, HostFacts]) -> Mapping[str, tuple[PeerView, ...]]:
    """Return what is gone and still counts, by the host whose sentinel counts it.

    A declared sentinel that is down is none. As long as the ids of ours are not all known, as many strangers may be
    ours under an address that they announce.
    """
    sentinels = {name: each.sentinel for name, each in hosts.items()}
    seen = views(desired, sentinels)
    ids = {
        host.address: facts.my_id for host in desired.sentinel_hosts if (facts := facts_of(sentinels.get(host.name)))
    }
    told = [each for each in ids.values() if each]
    if len(set(told)) < len(told):
        return {}  # two of one id: the others take now one, now the other for gone
    declared = {host.address for host in desired.sentinel_hosts}
    known = {name: tuple(_gone(view.peers, ids, declared)) for name, view in seen.items()}
    found = {peer.id: peer for peers in known.values() for peer in peers}
    strangers = sum(peer.address not in ids for peer in found.values())
    if strangers == len(found) <= len(desired.sentinel_hosts) - len(told):
        return {}
    return {name: peers for name, peers in known.items() if peers}


def is_replaced(desired: Desired, hosts: Mapping[str, HostFacts], peer: PeerView) -> bool:
    """Whether another sentinel of ours answers at the address of one that is gone: that one cannot come back."""
    seen = views(desired, {name: each.sentinel for name, each in hosts.items()})
    return any(host.address == peer.address and host.name in seen for host in desired.sentinel_hosts)


def _gone(peers: tuple[PeerView, ...], ids: Mapping[str, str], declared: set[str]) -> Iterator[PeerView]:
    """Each that is down and of no declared host, or of a declared one whose sentinel has another id by now."""
    for peer in peers:
        if "s_down" not in peer.flags or peer.id in ids.values():
            continue
        if peer.address not in declared or ids.get(peer.address):
            yield peer
