"""Hosts that are left out on purpose: not called broken, told, and spared only where a failover stays possible."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge import findings
from redis_sentinel_operator.judge.aside import healthy, in_words, is_held
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.signs import undivided
from redis_sentinel_operator.judge.spare import why_not_spared
from redis_sentinel_operator.model.desired import Aside, Desired
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    HostFacts,
    Known,
    MachineFacts,
    OsFacts,
    RedisFacts,
    SentinelFacts,
)
from redis_sentinel_operator.model.step import Need
from redis_sentinel_operator.model.verdict import Confirmed
from unit.judge.clusters import (
    ADDRESS,
    LAST,
    OWNER,
    S1,
    S2,
    S3,
    M,
    alive,
    desired,
    facts,
    master,
    replica,
    unreachable,
)

MASTER = Confirmed(M, ADDRESS[M], 6379, 0)


def aside(what: Aside = "Maintenance", *names: str) -> Desired:
    whole = desired()
    named = names or (S3,)
    return replace(whole, hosts=tuple(replace(host, aside=what if host.name in named else "") for host in whole.hosts))


def silent(name: str) -> HostFacts:
    return replace(alive(name), redis=Known(None), sentinel=Known(None))


def noted(host: HostFacts, boot: str = "b1", now: str = "b1", **notes: str) -> HostFacts:
    claim = Claim(OWNER, notes=notes or {"maintenance": boot})
    return replace(host, claim=Known(claim), os=Known(OsFacts("centos", "7", now)))


def found(read: ClusterFacts, what: Desired) -> dict[str, tuple[bool | None, str, str]]:
    sentinels = {name: host.sentinel for name, host in read.hosts.items()}
    each = {
        "quorum": findings.quorum(what, sentinels),
        "replication": findings.replication(what, read, MASTER),
        "reachable": findings.reachable(what, read),
    }
    return {name: (one.ok, one.reason, one.message) for name, one in each.items()}


@pytest.mark.parametrize(("what", "field"), [("Maintenance", "maintenanceHosts"), ("Fenced", "fencedHosts")])
@pytest.mark.parametrize("host", [silent(S3), unreachable(S3)])
def test_a_host_that_is_left_out_on_purpose_is_told_and_no_fault(what: Aside, field: str, host: HostFacts) -> None:
    told = found(facts(host, replace(alive(M), redis=master(S1, S2)), of=alive), aside(what))
    left = f"Left out on purpose: redis_slave03 (spec.{field})."
    read = host.redis == Known(None)
    assert told == {
        "quorum": (
            True,
            "SentinelsLeftOut",
            f"2 of 3 declared sentinels work, and a failover can be authorised. {left}",
        ),
        "replication": (
            True,
            "ReplicasLeftOut",
            f"2 of 3 replicas follow redis_master01 with their links up. {left}",
        ),
        "reachable": (True, "AllReachable", "All 4 hosts can be read over SSH.")
        if read
        else (True, "HostsLeftOut", f"3 of 4 hosts can be read over SSH. {left}"),
    }


def test_what_is_wrong_elsewhere_is_told_as_ever() -> None:
    told = found(facts(silent(S2), unreachable(S3), of=alive), aside())
    assert (told["quorum"][:2], told["replication"][:2]) == ((None, "SentinelsUnreadable"), (False, "ReplicaMissing"))
    told = found(facts(unreachable(S2), unreachable(S3), of=alive), aside())
    assert told["reachable"][:2] == (False, "HostUnreachable")
    assert told["reachable"][2].startswith("redis_slave02: no route to host. The operator tries again by itself.")
    assert found(facts(silent(S2), silent(S3), of=alive), aside())["quorum"][:2] == (False, "QuorumLost")


def test_no_replica_at_all_is_broken_whatever_was_wanted() -> None:
    everywhere = facts(silent(S1), silent(S2), silent(S3), of=alive)
    assert found(everywhere, aside("Fenced", S1, S2, S3))["replication"][:2] == (False, "ReplicationBroken")


def test_a_second_master_is_no_excused_replica() -> None:
    told = found(facts(replace(silent(S3), redis=master()), of=alive), aside())
    assert told["replication"][:2] == (False, "ReplicaMissing")


def test_who_is_left_out_is_told_with_all_that_is_well() -> None:
    assert healthy(desired(), M, "4/4") == (
        "Healthy",
        "All as declared: redis_master01 is master, 4/4 hosts are ready.",
    )
    assert healthy(aside("Fenced", S2, S3), M, "2/4") == (
        "HealthyButForSome",
        "All as declared: redis_master01 is master, 2/4 hosts are ready. Left out on purpose: redis_slave02 "
        "(spec.fencedHosts), redis_slave03 (spec.fencedHosts).",
    )


HELD = Known(MachineFacts({}, held=frozenset({"redis.service"})))
LEFT = "in maintenance: it is left alone as long as spec.maintenanceHosts names it"
FENCED = "fenced: redis and sentinel are kept from starting as long as spec.fencedHosts names it"
NOT_FENCED = "spec.fencedHosts names it, but it is not proved that nothing runs there and can start"
WORDS: dict[str, tuple[Aside, HostFacts, str]] = {
    "left alone": ("Maintenance", noted(silent(S3)), LEFT),
    "booted": ("Maintenance", noted(silent(S3), now="b2"), f"{LEFT}; it was booted since"),
    "running": ("Maintenance", noted(alive(S3)), f"{LEFT}; redis or sentinel runs there, or may"),
    "not yet": ("Maintenance", silent(S3), "spec.maintenanceHosts names it, and it is not stopped yet"),
    "fenced": ("Fenced", replace(silent(S3), machine=HELD), FENCED),
    "only stopped": ("Fenced", silent(S3), NOT_FENCED),
    "by hand": ("Fenced", replace(alive(S3), machine=HELD), NOT_FENCED),
}


@pytest.mark.parametrize("case", WORDS)
def test_a_host_that_is_aside_is_told_as_it_is(case: str) -> None:
    what, host, words = WORDS[case]
    assert in_words(aside(what).host(S3), host) == words
    assert is_held(aside(what).host(S3), host) is (words == FENCED)


# -- whether one can be spared


def weak(name: str) -> HostFacts:
    host = alive(name)
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    return replace(host, redis=Known(replace(host.redis.value, config={"slave-priority": "0"})))


FEW = (
    "without its sentinel 1 of 3 would work, and a failover needs 2. Bring back another first, or take redis_slave03 "
    "out of spec.maintenanceHosts"
)
NONE = (
    "without it there would be no replica that the sentinels can promote. Bring another in sync first (with a "
    "replica-priority other than 0), or take redis_slave03 out of spec.maintenanceHosts"
)
SPARED: dict[str, tuple[ClusterFacts, str | None]] = {
    "all well": (facts(of=alive), None),
    "it is down itself": (facts(silent(S3), of=alive), None),
    "another sentinel is down": (facts(replace(alive(S2), sentinel=Known(None)), of=alive), FEW),
    "another sentinel is not read": (facts(unreachable(S2), of=alive), FEW),
    "no other replica": (
        facts(replace(alive(S1), redis=replica(link="down")), replace(alive(S2), redis=Known(None)), of=alive),
        NONE,
    ),
    "others that may not lead": (facts(weak(S1), weak(S2), of=alive), NONE),
}


def test_one_that_is_to_be_stopped_as_well_is_nobody_to_promote() -> None:
    what = aside("Maintenance", S2, S3)
    read = facts(weak(S1), of=alive)
    assert why_not_spared(S3, what, read, judge(what, read, LAST, JudgeContext(OWNER, None, 1000))) == NONE


@pytest.mark.parametrize("case", SPARED)
def test_a_host_is_spared_where_a_failover_stays_possible(case: str) -> None:
    read, reason = SPARED[case]
    what = aside()
    verdict = judge(what, read, LAST, JudgeContext(OWNER, None, 1000))
    assert why_not_spared(S3, what, read, verdict) == reason
    assert why_not(Need.SPARE, S3, what, read, verdict) == reason


def test_a_quorum_above_the_majority_is_kept() -> None:
    what = aside()
    what = replace(what, sentinel=replace(what.sentinel, quorum=3))
    reason = why_not_spared(S3, what, facts(of=alive), judge(what, facts(of=alive), LAST, JudgeContext(OWNER, None)))
    assert (reason or "").startswith("without its sentinel 2 of 3 would work, and a failover needs 3.")


def test_a_master_is_spared_only_with_two_that_can_lead() -> None:
    """One of them takes its place, and the other one must be there for the next failover."""
    what = aside("Fenced", M)
    one = facts(weak(S1), weak(S2), of=alive)
    reason = why_not_spared(M, what, one, judge(what, one, LAST, JudgeContext(OWNER, None, 1000)))
    assert reason == (
        "once another is master in its place there would be no replica that the sentinels can promote. Bring another "
        "in sync first (with a replica-priority other than 0), or take redis_master01 out of spec.fencedHosts"
    )
    two = facts(weak(S1), of=alive)
    verdict = judge(what, two, LAST, JudgeContext(OWNER, None, 1000))
    assert why_not_spared(M, what, two, verdict) is None
    assert why_not(Need.SPARE, M, what, two, verdict) == "redis_master01 is the master"


# -- the gate


def test_a_host_that_is_proved_to_rest_holds_nothing_up() -> None:
    read = facts(silent(S3), of=alive)
    for what, reason in (
        (aside(), None),
        (desired(), "not every declared sentinel answers and names the same master"),
    ):
        assert why_not(Need.CALM, S1, what, read, judge(what, read, LAST, JudgeContext(OWNER, None, 1000))) == reason
    away = facts(unreachable(S3), of=alive)
    found = judge(aside(), away, LAST, JudgeContext(OWNER, None, 1000))
    assert why_not(Need.CALM, S1, aside(), away, found) == (
        "not every declared sentinel answers and names the same master"
    )


def test_where_a_master_is_chosen_by_us_the_whole_is_asked() -> None:
    sentinels: dict[str, object] = {name: host.sentinel for name, host in facts(silent(S3), of=alive).hosts.items()}
    assert isinstance(alive(S1).sentinel.value, SentinelFacts)  # type: ignore[union-attr]
    assert undivided(aside(), sentinels)  # type: ignore[arg-type]
    assert not undivided(aside(), sentinels, whole=True)  # type: ignore[arg-type]
