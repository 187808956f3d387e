"""Sentinels that are gone and still count as voters are named; one that is only down is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.model.fact import ClusterFacts, Known, PeerView, SentinelFacts
from unit.judge.clusters import ADDRESS, S1, S2, S3, alive, desired, facts, unreachable, view

DOWN = frozenset({"sentinel", "s_down"})
IDS = {S1: "1" * 40, S2: "2" * 40, S3: "3" * 40}
GHOST = PeerView("9" * 40, "192.168.3.99", 26379, DOWN)
RESET = PeerView("8" * 40, ADDRESS[S2], 26379, DOWN)  # what S2 was before its machine was made anew


def reading(known: dict[str, tuple[PeerView, ...]], *away: str) -> ClusterFacts:
    """Each sentinel answers with its own id and with the peers that it knows."""
    hosts = []
    for name, id_ in IDS.items():
        fact = alive(name).sentinel
        assert isinstance(fact, Known)
        assert isinstance(fact.value, SentinelFacts)
        answered = replace(fact.value, my_id=id_, view=replace(view("redis_master01"), peers=known.get(name, ())))
        hosts.append(replace(alive(name), sentinel=Known(answered)))
    found = facts(*hosts, of=alive)
    return ClusterFacts(dict(found.hosts) | {name: unreachable(name) for name in away}, 0.0)


def test_they_are_named_with_what_they_do_to_a_failover() -> None:
    other = PeerView(IDS[S2], ADDRESS[S2], 26379, frozenset({"sentinel"}))
    found = preflight(desired(), reading({S1: (GHOST, RESET, other), S3: (GHOST,)}))
    assert (found.ok, found.reason) == (False, "GhostSentinels")
    assert found.message == (
        f"Sentinels that are gone still count as voters: {ADDRESS[S2]} with id 88888888 (known to {S1}); "
        f"192.168.3.99 with id 99999999 (known to {S1} and {S3}). With 4 voters a failover needs 3 votes, and 3 "
        "sentinels are declared. The operator mends it when you ask by the act `reset-stale`; by itself only with "
        "spec.recovery: Automatic. Or start them and declare their hosts."
    )


@pytest.mark.parametrize(
    ("known", "away"),
    [
        (replace(GHOST, id=IDS[S2]), ()),  # ours, which is down for one of them and announces another address
        (replace(RESET, id=IDS[S2]), ()),
        (replace(RESET, flags=frozenset({"sentinel"})), ()),
        (PeerView("7" * 40, ADDRESS[S2], 26379, DOWN), (S2,)),  # nobody can tell which id it has
        (GHOST, (S2,)),  # may be the one that could not be asked
    ],
    ids=["announced", "ours", "alive", "id-not-known", "perhaps-ours"],
)
def test_one_that_may_come_back_is_none(known: PeerView, away: tuple[str, ...]) -> None:
    assert preflight(desired(), reading({S1: (known,)}, *away)).reason != "GhostSentinels"


def test_one_whose_id_is_not_known_makes_nobody_else_a_ghost() -> None:
    both = (GHOST, PeerView("7" * 40, ADDRESS[S2], 26379, DOWN))
    assert preflight(desired(), reading({S1: both}, S2)).reason != "GhostSentinels"


def test_of_more_than_may_be_ours_all_are_told() -> None:
    two = (GHOST, replace(GHOST, id="7" * 40, address="192.168.3.98"))
    assert preflight(desired(), reading({S1: two}, S2)).reason == "GhostSentinels"
    assert preflight(desired(), reading({S1: (RESET,)}, S3)).reason == "GhostSentinels"


def test_while_two_have_one_id_nobody_is_a_ghost() -> None:
    found = reading({S1: (GHOST, RESET)})
    twice = replace(found.hosts[S3], sentinel=found.hosts[S2].sentinel)
    said = preflight(desired(), ClusterFacts({**found.hosts, S3: twice}, 0.0))
    assert said.reason == "SentinelIdTwice"
    assert "still count as voters" not in said.message
