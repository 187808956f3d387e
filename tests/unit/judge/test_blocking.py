"""What waits for a person or failed: when the whole cluster is Blocked by it, and when only one host is."""

from __future__ import annotations

from typing import Any

import pytest

from redis_sentinel_operator.judge.conditions import Condition, Inputs, conditions, overall
from redis_sentinel_operator.judge.messages import CONFIG, CREDENTIALS, PREFLIGHT, ROWS
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import Report, StepResult
from redis_sentinel_operator.model.step import Plan, Refusal
from redis_sentinel_operator.rounds import NOT_OURS
from unit.judge.clusters import S1, S2, alive, bare, desired, facts, owned, running, unreachable, with_data
from unit.judge.telling import BEGUN, INSTALL, START, inputs, one, shown

REFUSALS = [
    Refusal(CREDENTIALS, "SecretMissing", "The Secret redis-ssh does not exist."),
    Refusal(CONFIG, "InvalidSpec", "spec.hosts[0].address is no IP address."),
    Refusal(PREFLIGHT, "ForeignData", "There is data."),
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("management", ["Full", "Paused", "Observe"])
def test_a_refusal_blocks_with_its_reason(refusal: Refusal, management: Any) -> None:
    this = inputs(running(), refusal=refusal, desired=desired(management=management))
    assert shown(this) == ("Blocked", "False", "-", "True")
    for kind in ("Ready", "Stalled", refusal.condition):
        found = one(this, kind)
        assert (found.reason, found.message) == (refusal.reason, refusal.message)


def test_a_refusal_before_anything_was_read() -> None:
    report = Report(1, None, None, Plan(), (), "no", REFUSALS[0])
    this = Inputs(1, None, report, None, None, None, observed=1)
    assert shown(this) == ("Blocked", "False", "-", "True")


@pytest.mark.parametrize(
    ("read", "kind", "reason"),
    [
        (facts(unreachable(S1, "HostKeyChanged", "S1 shows another key")), "HostsReachable", "HostKeyChanged"),
        (facts(unreachable(S1, "AuthenticationFailed", "no")), "HostsReachable", "AuthenticationFailed"),
        (facts(owned(alive(S1), owner="other/ns/x"), of=alive), "HostsClaimed", "HostClaimedByAnother"),
        (facts(with_data(bare(S1))), PREFLIGHT, "ForeignData"),
    ],
)
def test_what_needs_a_person_blocks(read: ClusterFacts, kind: str, reason: str) -> None:
    this = inputs(read, record=None, bootstrap=None)
    assert shown(this) == ("Blocked", "False", "-", "True")
    assert (one(this, kind).status, one(this, kind).reason) == ("False", reason)
    assert one(this, "Stalled").message == one(this, kind).message


LOST_KEY = "redis_slave01 shows another key"


def test_one_host_that_waits_for_a_person_does_not_take_the_others_along() -> None:
    this = inputs(facts(unreachable(S1, "HostKeyChanged", LOST_KEY), of=alive))
    assert shown(this) == ("Degraded", "True", "-", "True")
    assert overall(this).reason == "HostKeyChanged"
    assert one(this, "Stalled").message == one(this, "HostsReachable").message == overall(this).message


def test_a_failover_is_told_as_one_although_a_host_waits_for_a_person() -> None:
    this = inputs(facts(unreachable(S1, "HostKeyChanged", LOST_KEY), of=alive), switching=True)
    assert shown(this) == ("FailingOver", "False", "True", "-")


def test_hosts_that_wait_for_a_person_block_where_without_them_nothing_can_be_used() -> None:
    hosts = [unreachable(name, "AuthenticationFailed", "no") for name in (S1, S2)]
    this = inputs(facts(*hosts, of=alive))
    assert shown(this) == ("Blocked", "False", "-", "True")
    assert overall(this).reason == "AuthenticationFailed"


def test_an_unreachable_host_does_not_block() -> None:
    assert shown(inputs(facts(unreachable(S1), of=alive)))[3] == "-"


def test_a_package_that_no_repository_has_blocks() -> None:
    result = StepResult(INSTALL, False, "No package redis available", 1.0, "PackageNotFound")
    this = inputs(facts(), Plan((INSTALL,)), results=(result,), record=None, bootstrap=BEGUN)
    assert shown(this) == ("Blocked", "False", "-", "True")
    assert one(this, PREFLIGHT) == Condition(
        PREFLIGHT,
        "False",
        "PackageNotFound",
        "redis_slave01: install redis: No package redis available. Add a repository that has it to the yum "
        "configuration there, or correct spec.package.",
    )


def test_a_step_that_failed_is_said_and_tried_again() -> None:
    result = StepResult(START, False, "it does not answer PING", 1.0)
    this = inputs(running(), Plan((START,)), results=(result,))
    assert shown(this) == ("Degraded", "True", "-", "-")
    assert one(this, PREFLIGHT) == Condition(
        PREFLIGHT,
        "False",
        "StepFailed",
        "A change did not succeed: redis_slave01: start redis.service: it does not answer PING. The round was "
        "stopped; the operator tries again.",
    )


def test_a_step_that_a_host_refuses_is_said_whatever_its_reason_needs() -> None:
    """Whose the host is now the next reading tells; the step's own message has no name for it."""
    result = StepResult(START, False, "redis_slave01: a later operator process has changed this host", 1.0, NOT_OURS)
    this = inputs(running(), Plan((START,)), results=(result,))
    assert shown(this) == ("Degraded", "True", "-", "-")
    assert one(this, PREFLIGHT) == Condition(
        PREFLIGHT,
        "False",
        "StepFailed",
        "A change did not succeed: redis_slave01: start redis.service: redis_slave01: a later operator process has "
        "changed this host. The round was stopped; the operator tries again.",
    )


@pytest.mark.parametrize("reason", sorted({each.reason for each in ROWS}))
def test_a_step_may_fail_for_any_reason_of_the_table(reason: str) -> None:
    this = inputs(running(), Plan((START,)), results=(StepResult(START, False, "so", 1.0, reason),))
    assert "redis_slave01: start redis.service: so" in str(conditions(this))


def test_deleting_beats_everything() -> None:
    this = inputs(running(), refusal=REFUSALS[0], deleting=True)
    assert shown(this) == ("Deleting", "False", "True", "-")
