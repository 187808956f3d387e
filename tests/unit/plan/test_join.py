"""A host joins a living cluster: recorded and bare before it is claimed, a replica and acquainted before it counts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.sentinel_conf import parse
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.fact import ClusterFacts, DataFile, Known, Unknown
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.step import SentinelSet, StartUnit, TakeClaim
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.host import readable
from redis_sentinel_operator.plan.join import ready_to_join
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, NOBODY, with_version
from unit.plan.scaling import changed, planned, scaled, serving, told
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    OWNER,
    S1,
    S2,
    S3,
    M,
    bare,
    carried_out,
    installed,
    text_of,
    verdict,
    with_file,
)

JOINING = scaled("Joining", sentinel=SentinelSettings(3))
NEW = changed(serving((S1, S2)), bare(S3))


def ready(facts: ClusterFacts, judged: object = ALIVE) -> frozenset[str]:
    hosts, _ = readable(JOINING, facts)
    return ready_to_join(JOINING, facts, hosts, judged, OWNER)  # type: ignore[arg-type]


def test_it_is_recorded_before_it_is_claimed() -> None:
    todo = planned(JOINING, NEW)
    assert todo.steps == ()
    assert todo.waiting == (f"{S3} joins the cluster: it is recorded in status first",)
    assert ready(NEW) == {S3}
    todo = planned(JOINING, NEW, [S3])
    assert [type(step.action) for step in todo.steps] == [TakeClaim]
    assert {step.host for step in todo.steps} == {S3}


def test_it_is_installed_as_a_replica_of_the_master_of_now_and_the_others_keep_their_quorum() -> None:
    facts, steps = NEW, []
    for _ in range(12):
        todo = planned(JOINING, facts, [S3])
        if not todo.steps:
            break
        steps += todo.steps
        facts = carried_out(facts, todo)
    assert {step.host for step in steps} == {S3}
    assert not any(isinstance(step.action, SentinelSet) for step in steps)
    kinds = [type(step.action) for step in steps]
    assert kinds[:2] == [TakeClaim, InstallPackage]
    started = [step.action.sentinel for step in steps if isinstance(step.action, StartUnit)]
    assert started == [False, True]
    assert redis_conf.parse(text_of(facts.hosts[S3], EL7.redis_conf)).get("slaveof") == f"{ADDRESS[M]} 6379"
    monitor = parse(text_of(facts.hosts[S3], EL7.sentinel_conf)).masters[NAME]
    assert (monitor.address, monitor.quorum) == (ADDRESS[M], 2)
    assert todo.joined == frozenset()
    assert todo.waiting == (f"{S3} joins the cluster: the sentinel on {S1} does not know the new one yet",)


def test_the_quorum_is_raised_when_it_is_a_member() -> None:
    todo = planned(JOINING, serving(), [S3])
    assert (todo.steps, todo.joined) == ((), {S3})
    assert todo.waiting == (f"{S3} joins the cluster",)
    todo = planned(scaled("Member", sentinel=SentinelSettings(3)), serving())
    assert told(todo) == [(name, "set quorum on the sentinel") for name in (S1, S2, S3)]
    assert (todo.joined, todo.waiting) == (frozenset(), ())


def test_a_lower_quorum_does_not_wait_for_it() -> None:
    todo = planned(scaled("Joining", sentinel=SentinelSettings(2)), serving(quorum=3), [S3])
    assert told(todo) == [(name, "set quorum on the sentinel") for name in (S1, S2, S3)]


NOT_YET = {
    "the master is not confirmed": (NEW, NOBODY, "nobody is confirmed"),
    "in transition": (
        NEW,
        verdict(Situation.ALIVE, M, "the sentinel on redis_slave01 runs a failover"),
        "the sentinel on redis_slave01 runs a failover",
    ),
    "its data directory could not be read": (
        changed(NEW, replace(bare(S3), data=Unknown("permission denied"))),
        ALIVE,
        "permission denied",
    ),
}


@pytest.mark.parametrize(("facts", "judged", "why"), NOT_YET.values(), ids=NOT_YET)
def test_what_forbids_to_claim_it(facts: ClusterFacts, judged: object, why: str) -> None:
    assert ready(facts, judged) == frozenset()
    todo = plan(JOINING, facts, judged, replace(DONE, recorded=frozenset({S3})))  # type: ignore[arg-type]
    assert [step for step in todo.steps if step.host == S3] == []
    assert f"{S3} joins the cluster: {why}" in todo.waiting


def test_nothing_is_begun_on_a_claimed_one_in_transition() -> None:
    half = changed(NEW, replace(installed(bare(S3)), claim=NEW.hosts[S1].claim))
    judged = verdict(Situation.ALIVE, M, "the sentinel on redis_slave01 runs a failover")
    todo = plan(JOINING, half, judged, replace(DONE, recorded=frozenset({S3})))
    assert [step for step in todo.steps if step.host == S3 and isinstance(step.action, StartUnit)] == []
    assert [step.what for step in todo.steps if "monitor" in step.what] == []


def test_what_is_on_a_new_host_is_nobodys_to_replace() -> None:
    full = changed(NEW, replace(bare(S3), data=Known((DataFile("/var/lib/redis/dump.rdb", 76),))))
    todo = planned(JOINING, full, [S3])
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.condition, todo.refusal.reason) == ("PreflightPassed", "ForeignDataOnNewHost")
    assert todo.refusal.message == (
        "A host that is to join is not bare, and the operator did not make what is on redis_slave03: data in "
        "/var/lib/redis/dump.rdb. Nothing is changed on any host. If it may go, stop its servers there and remove it; "
        "else take the host out of spec.hosts."
    )
    ours = changed(full, replace(full.hosts[S3], claim=NEW.hosts[S1].claim))  # what it has by now came from the master
    assert planned(JOINING, ours, [S3]).refusal is None


def test_one_that_could_not_read_what_the_master_sends_is_not_started() -> None:
    half = replace(installed(bare(S3)), claim=NEW.hosts[S1].claim)
    newer = changed(NEW, half, with_version(NEW.hosts[M], "5.0.6"))
    todo = planned(JOINING, newer, [S3])
    assert [step for step in todo.steps if step.host == S3] == []
    old = f"{M} has redis 5.0, but {S3} has redis 3.2: an older replica may not read what a newer master sends, so its "
    assert f"{old}redis is not started. Install the master's version on {S3}" in todo.waiting


def test_one_that_joins_takes_no_part_in_a_start_of_the_whole_cluster() -> None:

    quiet = {name: with_file(installed(bare(name)), EL7.sentinel_conf, None) for name in ADDRESS}
    todo = plan(JOINING, ClusterFacts(quiet, 0.0), verdict(Situation.STOPPED), DONE)
    assert S3 not in {step.host for step in todo.steps}
    assert {step.host for step in todo.steps} >= {M, S1}
