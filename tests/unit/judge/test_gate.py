"""Each need: met in the running cluster, and each single thing that stands against it, with its sentence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known
from redis_sentinel_operator.model.step import Need
from unit.judge.clusters import (
    AWAY,
    LAST,
    OWNER,
    S1,
    S2,
    S3,
    M,
    alive,
    desired,
    facts,
    owned,
    replica,
    running,
    sentinel,
)

WHOLE = desired()


def asked(need: Need, host: str, read: ClusterFacts, since_switch: float = 1000) -> str | None:
    return why_not(need, host, WHOLE, read, judge(WHOLE, read, LAST, JudgeContext(OWNER, None, since_switch)))


@pytest.mark.parametrize("need", [need for need in Need if need not in (Need.SUPERSEDED, Need.UNDONE)])
@pytest.mark.parametrize("host", [M, S1, S2, S3])
def test_all_needs_are_met_in_the_calm_cluster(need: Need, host: str) -> None:
    needs_another = need is Need.SPARE and host == M
    assert asked(need, host, running()) == ("redis_master01 is the master" if needs_another else None)


def test_nothing_in_the_calm_cluster_is_superseded() -> None:
    assert asked(Need.SUPERSEDED, S1, running()) == "it did not start after redis_master01 became master"


def test_no_master_of_the_calm_cluster_was_undone() -> None:
    assert asked(Need.UNDONE, M, running()) == "redis_master01 may not be made the master again"


def test_a_foreign_claim_on_any_host_stops_every_host() -> None:
    read = facts(owned(alive(S3), owner="other/ns/x"), of=alive)
    assert (asked(Need.CLAIM, S1, read) or "").startswith("Owned by other/ns/x: redis_slave03.")


def test_an_unread_claim_stops_its_host_only() -> None:
    read = facts(replace(alive(S3), claim=AWAY), of=alive)
    assert asked(Need.CLAIM, S3, read) == "the claim of redis_slave03 could not be read: no answer within 3 s"
    assert asked(Need.CLAIM, S1, read) is None


def test_nothing_that_needs_a_master_is_done_while_none_is_confirmed() -> None:
    down = [replace(alive(name), sentinel=Known(None)) for name in (S1, S2)]
    for need in (Need.CONFIRMED, Need.CALM):
        assert (asked(need, S1, facts(*down, of=alive)) or "").startswith("Who is master is not known")


@pytest.mark.parametrize("flag", ["o_down", "failover_in_progress"])
def test_a_failover_at_any_other_sentinel_stops_it(flag: str) -> None:
    read = facts(replace(alive(S2), sentinel=sentinel(M, 0, flag)), of=alive)
    for need in (Need.CONFIRMED, Need.CALM):
        assert asked(need, S1, read) == f"the sentinel on redis_slave02 is in a failover ({flag})"


def test_the_sentinels_may_call_a_serving_master_down_but_not_replace_it() -> None:
    down = [replace(alive(name), sentinel=sentinel(M, 0, "s_down", "o_down")) for name in (S1, S2, S3)]
    assert asked(Need.SERVING, S1, facts(*down, of=alive)) is None
    begun = replace(alive(S1), sentinel=sentinel(M, 0, "o_down", "failover_in_progress"))
    said = "the sentinel on redis_slave01 is in a failover (failover_in_progress)"
    assert asked(Need.SERVING, S1, facts(begun, *down[1:], of=alive)) == said
    nobody = facts(*[replace(alive(name), sentinel=Known(None)) for name in (S1, S2)], of=alive)
    assert (asked(Need.SERVING, S1, nobody) or "").startswith("Who is master is not known")


ODD_S2 = [
    (replace(alive(S2), sentinel=sentinel(M, 0, "s_down")), "the sentinel on redis_slave02 sees the master as down"),
    (replace(alive(S2), sentinel=sentinel(M, tilt=True)), "the sentinel on redis_slave02 is in tilt mode"),
    (replace(alive(S2), sentinel=AWAY), "not every declared sentinel answers and names the same master"),
    (replace(alive(S2), sentinel=Known(None)), "not every declared sentinel answers and names the same master"),
    (
        replace(alive(S2), sentinel=sentinel(M, quorum_ok=False)),
        "the sentinel on redis_slave02 does not confirm that a failover can be authorised",
    ),
    (
        replace(alive(S2), sentinel=sentinel(M, quorum_ok=None)),
        "the sentinel on redis_slave02 does not confirm that a failover can be authorised",
    ),
    (replace(alive(S2), redis=replica(link="down")), "redis_slave02: its link to the master is down"),
]


@pytest.mark.parametrize(("odd", "said"), ODD_S2)
def test_the_full_gate(odd: HostFacts, said: str) -> None:
    read = facts(odd, of=alive)
    assert asked(Need.CALM, S1, read) == said
    assert asked(Need.CONFIRMED, S1, read) is None


@pytest.mark.parametrize(("odd", "said"), ODD_S2)
def test_the_host_that_is_mended_is_left_out(odd: HostFacts, said: str) -> None:
    assert asked(Need.CALM, S2, facts(odd, of=alive)) is None, said


def test_the_gate_waits_for_a_young_switch() -> None:
    assert asked(Need.CALM, S1, running(), since_switch=3) == "the last switch is younger than 10 s"
    assert asked(Need.CONFIRMED, S1, running(), since_switch=3) is None
