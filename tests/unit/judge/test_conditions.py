"""The table of situations: what Ready, Reconciling, Stalled and phase are in each, and the rules beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.judge.conditions import Condition, Inputs, conditions, overall
from redis_sentinel_operator.judge.messages import CONFIG, CREDENTIALS, PREFLIGHT
from redis_sentinel_operator.model.fact import ClusterFacts, Known
from redis_sentinel_operator.model.step import ConfigDrift, Plan
from redis_sentinel_operator.model.verdict import Uncertain
from unit.judge.clusters import (
    AWAY,
    LAST,
    S1,
    S2,
    S3,
    M,
    alive,
    desired,
    facts,
    replica,
    running,
    sentinel,
    unreachable,
)
from unit.judge.telling import BEGUN, START, inputs, one, shown


def test_the_conditions_of_a_healthy_cluster() -> None:
    assert conditions(inputs(running())) == (
        Condition("Ready", "True", "Healthy", "All as declared: redis_master01 is master, 4/4 hosts are ready."),
        Condition(
            "MasterConfirmed",
            "True",
            "MasterConfirmed",
            "redis_master01 (192.168.3.41:6379) is master at config epoch 0: a majority of the declared sentinels "
            "vote for it and its ROLE says so.",
        ),
        Condition(
            "QuorumHealthy",
            "True",
            "QuorumReached",
            "All 3 declared sentinels answer, and a failover can be authorised.",
        ),
        Condition(
            "ReplicationHealthy",
            "True",
            "ReplicasLinked",
            "All 3 replicas follow redis_master01 with their links up.",
        ),
        Condition("HostsReachable", "True", "AllReachable", "All 4 hosts can be read over SSH."),
        Condition("HostsClaimed", "True", "AllClaimed", "All 4 hosts carry this resource's claim."),
        Condition(
            "ConfigInSync",
            "True",
            "AllAsDeclared",
            "Every declared setting is in the files and in the running servers.",
        ),
        Condition(
            "CredentialsInSync",
            "True",
            "CredentialsInSync",
            "The Secrets can be used and the servers accept the password.",
        ),
        Condition("PreflightPassed", "True", "PreflightPassed", "Nothing stands in the way of the declared state."),
        Condition(
            "EndpointsInSync",
            "Unknown",
            "NotReadYet",
            "The Services were not looked at yet: they are made when a master is confirmed.",
        ),
    )


def test_a_resource_that_was_never_looked_at() -> None:
    this = Inputs(1, None, None, None, None, None, observed=0)
    assert shown(this) == ("Bootstrapping", "False", "True", "-")
    assert one(this, "MasterConfirmed") == Condition(
        "MasterConfirmed",
        "Unknown",
        "NotReadYet",
        "No sentinel was read yet. The operator reads all of them in its next pass.",
    )


def test_bootstrapping() -> None:
    for bootstrap in (None, BEGUN):
        this = inputs(
            facts(), Plan((START,)), record=None, bootstrap=bootstrap, observed=0, sentence="3 of 9 changes done"
        )
        assert shown(this) == ("Bootstrapping", "False", "True", "-")
        assert overall(this).message == "The cluster is being set up. 3 of 9 changes done."


def test_a_set_up_that_is_not_ended_is_bootstrapping_although_a_master_is_confirmed() -> None:
    assert shown(inputs(running(), Plan((START,)), bootstrap=BEGUN, observed=0))[0] == "Bootstrapping"


def test_a_new_cluster_with_a_dead_host_waits_and_says_so() -> None:
    this = inputs(facts(unreachable(S3)), record=None, bootstrap=None, observed=0)
    assert shown(this) == ("Bootstrapping", "False", "True", "-")
    assert one(this, "HostsReachable") == Condition(
        "HostsReachable",
        "False",
        "HostUnreachable",
        "redis_slave03: no route to host. The operator tries again by itself. Check that the machine is up, that "
        "address and port are right, and that its sshd can be reached from the operator's node.",
    )


def test_healthy() -> None:
    assert shown(inputs(running())) == ("Healthy", "True", "-", "-")


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (facts(replace(alive(S3), sentinel=Known(None)), of=alive), "SentinelMissing"),
        (facts(replace(alive(S3), redis=replica(link="down")), of=alive), "ReplicaMissing"),
        (facts(unreachable(S3), of=alive), "SentinelMissing"),
        (facts(unreachable(M), *(replace(alive(n), sentinel=sentinel(S1, 1)) for n in (S1, S2, S3))), "none"),
    ],
)
def test_one_part_down_is_degraded_and_ready(read: ClusterFacts, reason: str) -> None:
    if reason == "none":  # the old master is gone, a replica became master, nothing else is wrong
        hosts = dict(read.hosts)
        hosts[S1] = replace(hosts[S1], redis=Known(replace(hosts[S1].redis.value, role="master")))  # type: ignore[union-attr, type-var]
        hosts |= {n: replace(hosts[n], redis=replica(S1)) for n in (S2, S3)}
        read, reason = ClusterFacts(hosts, 0.0), "ReplicaMissing"
    this = inputs(read)
    assert shown(this) == ("Degraded", "True", "-", "-")
    assert one(this, "Ready").reason == reason


def test_what_is_down_is_told_with_why_it_is_not_mended_yet() -> None:
    read = facts(replace(alive(S3), redis=replica(link="down")), of=alive)
    waits = ("redis_slave02 could not be read and is left alone: too slow", "the former machine answers")
    message = overall(inputs(read, Plan(waiting=waits))).message
    assert message == f"{overall(inputs(read)).message} The former machine answers."


def test_failing_over() -> None:
    hosts = [replace(alive(n), sentinel=sentinel(M, 0, "s_down", "o_down")) for n in (S1, S2, S3)]
    this = inputs(facts(*hosts, replace(alive(M), redis=Known(None))), switching=True, down_for=3.0)
    assert shown(this) == ("FailingOver", "False", "True", "-")
    assert overall(this).message.startswith("The sentinels are switching the master. The sentinels name redis_master01")


def test_a_switch_that_the_votes_show_is_a_failover() -> None:
    hosts = [replace(alive(S1), sentinel=sentinel(S1, 1, told=M))]
    assert shown(inputs(facts(*hosts, of=alive)))[0] == "FailingOver"


def test_a_failover_in_vain_is_unavailable() -> None:
    hosts = [replace(alive(n), sentinel=sentinel(M, 0, "s_down", "o_down")) for n in (S1, S2, S3)]
    this = inputs(facts(*hosts, replace(alive(M), redis=Known(None))), switching=True, down_for=21.0)
    assert shown(this) == ("Unavailable", "False", "-", "-")
    assert one(this, "MasterConfirmed").reason == "MasterDeadNoSuccessor"


def test_no_quorum_is_unavailable() -> None:
    hosts = [replace(alive(n), sentinel=sentinel(M, quorum_ok=False)) for n in (S1, S2, S3)]
    this = inputs(facts(*hosts, of=alive))
    assert shown(this) == ("Unavailable", "False", "-", "-")
    assert one(this, "Ready").reason == "QuorumLost"


def test_broken_replication_is_unavailable() -> None:
    hosts = [replace(alive(n), redis=replica(link="down")) for n in (S1, S2, S3)]
    this = inputs(facts(*hosts, of=alive))
    assert shown(this) == ("Unavailable", "False", "-", "-")
    assert one(this, "Ready").reason == "ReplicationBroken"


def test_sentinels_out_of_sight_leave_the_master_unknown() -> None:
    """The operator's own network is cut: nothing is known to be wrong."""
    this = inputs(facts(*(unreachable(n) for n in (M, S1, S2)), alive(S3)))
    assert shown(this) == ("Unavailable", "Unknown", "-", "-")
    assert one(this, "MasterConfirmed").status == "Unknown"


def test_a_withdrawn_master_is_not_confirmed() -> None:
    withdrawn = replace(LAST, withdrawn_since="2026-01-31T12:05:00Z")
    this = inputs(running(), record=withdrawn, master=Uncertain("MasterUnreadable", "It hangs."))
    assert one(this, "MasterConfirmed") == Condition("MasterConfirmed", "False", "MasterUnreadable", "It hangs.")


def test_a_new_generation_is_being_applied() -> None:
    this = inputs(running(), Plan((START,)), generation=2, sentence="1 of 2 changes done")
    assert shown(this) == ("Updating", "True", "True", "-")
    assert overall(this).message == "Generation 2 is being applied. 1 of 2 changes done."


def test_a_new_generation_with_a_part_down_is_degraded_and_reconciling() -> None:
    read = facts(replace(alive(S3), sentinel=Known(None)), of=alive)
    assert shown(inputs(read, Plan((START,)), generation=2)) == ("Degraded", "True", "True", "-")


def test_waiting_for_a_restart() -> None:
    drift = {S1: (ConfigDrift("bind", "0.0.0.0", "127.0.0.1", True),)}
    this = inputs(running(), Plan(drift=drift))
    assert shown(this) == ("WaitingForYou", "True", "-", "-")
    assert one(this, CONFIG).message == (
        "Written, but in force only after a restart: bind on redis_slave01. The operator restarts replicas one "
        "by one while all is calm, and never the master by itself: ask for it by the act `restart`, which switches to "
        "a replica first."
    )


def test_drift_is_named() -> None:
    drift = {S1: (ConfigDrift("repl-timeout", "60", "10"),)}
    this = inputs(running(), Plan((START,), drift=drift))
    assert one(this, CONFIG) == Condition(
        CONFIG,
        "False",
        "ConfigDrift",
        "Not as declared: redis_slave01: repl-timeout is '10' instead of '60'. With management Full the operator "
        "sets it right when it may.",
    )


def test_what_is_left_undone_on_purpose_is_said() -> None:
    this = inputs(running(), Plan(waiting=("redis on redis_slave01 waits for the switch",)))
    assert shown(this) == ("Degraded", "True", "-", "-")
    assert overall(this).message == "Redis on redis_slave01 waits for the switch."


@pytest.mark.parametrize(("management", "phase"), [("Paused", "Paused"), ("Observe", "Observing")])
def test_hands_off_tells_the_state_as_observed(management: Any, phase: str) -> None:
    whole = desired(management=management)
    assert shown(inputs(running(), Plan((START,)), desired=whole)) == (phase, "True", "-", "-")
    assert shown(inputs(running(), Plan((START,)), desired=whole, generation=2)) == (phase, "True", "-", "-")
    broken = facts(*(replace(alive(n), redis=replica(link="down")) for n in (S1, S2, S3)), of=alive)
    assert shown(inputs(broken, desired=whole)) == (phase, "False", "-", "-")
    nothing = inputs(facts(), Plan((START,)), desired=whole, record=None, bootstrap=None)
    assert shown(nothing) == (phase, "False", "-", "-")
    assert overall(nothing).message == (
        f"No redis and no sentinel is on the hosts. With management {management} nothing is set up."
    )


def test_a_stopped_cluster_is_started() -> None:
    stopped = [replace(alive(n), redis=Known(None), sentinel=Known(None), processes=Known(())) for n in (M, S1, S2, S3)]
    this = inputs(facts(*stopped), Plan((START,)), sentence="4 of 7 changes done")
    assert shown(this) == ("Unavailable", "False", "True", "-")
    assert overall(this).message.startswith("The whole cluster is stopped; it is started with the files it has.")


def test_before_there_is_a_cluster_nobody_looks_for_its_sentinels() -> None:
    this = inputs(facts(), record=None, bootstrap=None)
    found = one(this, "MasterConfirmed")
    assert (found.status, found.reason) == ("Unknown", "NoClusterYet")
    assert found.message == "No cluster runs on the hosts yet, so there is no master."


def test_nothing_is_said_to_be_in_order_where_nothing_runs() -> None:
    look = inputs(facts(), record=None, bootstrap=None, desired=desired(management="Observe"))
    assert [(one(look, kind).status, one(look, kind).reason) for kind in (CONFIG, CREDENTIALS, PREFLIGHT)] == [
        ("Unknown", "NothingToCompare"),
        ("Unknown", "PasswordNotTried"),
        ("Unknown", "PackagesNotAsked"),
    ]
    working = inputs(facts(), record=None, bootstrap=None)
    assert (one(working, CONFIG).reason, one(working, PREFLIGHT).reason) == ("NothingToCompare", "PreflightPassed")


def test_one_unread_sentinel_fact_is_degraded_with_its_reason() -> None:
    this = inputs(facts(replace(alive(S2), sentinel=AWAY), of=alive))
    assert shown(this) == ("Degraded", "True", "-", "-")
    assert "redis_slave02: no answer within 3 s" in one(this, "QuorumHealthy").message
