"""A host leaves a living cluster: quorum, sentinel, redis, claim; then the others forget it, one after the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import Desired, GoneHost, SentinelSettings
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, Known, MachineFacts, Process
from redis_sentinel_operator.model.step import Impact, Need, Plan
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, NOBODY
from unit.plan.scaling import after, changed, knowing, planned, scaled, serving, told
from unit.plan.world import (
    ADDRESS,
    DONE,
    NAME,
    S1,
    S2,
    S3,
    M,
    redis_facts,
    stopped_redis,
    stopped_sentinel,
    unreachable,
    verdict,
    with_unit,
)

LEAVING = scaled("Leaving")
GONE = replace(LEAVING, hosts=LEAVING.hosts[:3], gone=(GoneHost(S3, ADDRESS[S3]),))
LEFT = serving(down=[S3])
WHOLE = [
    (S3, "disable redis-sentinel.service"),
    (S3, "stop sentinel (redis-sentinel.service)"),
    (S3, "disable redis.service"),
    (S3, "stop redis (redis.service)"),
    (S3, "give up the claim"),
]


def out(facts: ClusterFacts) -> ClusterFacts:
    """The reading with S3 stopped, disabled and given up."""
    host = stopped_sentinel(stopped_redis(replace(facts.hosts[S3], claim=Known(None))))
    for unit in (EL7.redis_unit, EL7.sentinel_unit):
        host = with_unit(host, unit, active="inactive", enabled="disabled")
    return changed(facts, host)


def test_step_by_step_and_each_from_what_is_read() -> None:
    facts, steps = serving(), []
    while (todo := planned(LEAVING, facts)).steps:
        steps.append(todo.steps[0])
        facts = after(facts, todo.steps[0])
        assert len(steps) < 20
    assert [(step.host, step.what) for step in steps] == WHOLE
    assert todo.left == {S3}
    assert todo.waiting == (f"{S3} has left",)
    assert not todo.settled


def test_it_is_stopped_only_while_all_is_calm_and_redis_only_after_its_sentinel() -> None:
    todo = planned(LEAVING, serving())
    assert told(todo) == WHOLE[:2]
    assert [(step.impact, Need.CALM in step.needs) for step in todo.steps] == [
        (Impact.NONE, False),
        (Impact.NONE, True),
    ]
    without = changed(
        serving(), with_unit(stopped_sentinel(serving().hosts[S3]), EL7.sentinel_unit, enabled="disabled")
    )
    todo = planned(LEAVING, without)
    assert told(todo) == WHOLE[2:4]
    assert (todo.steps[1].impact, Need.CALM in todo.steps[1].needs) == (Impact.RESTART, True)


def test_one_that_was_fenced_leaves_at_once_and_keeps_its_fence() -> None:
    """Nothing runs there, so that nothing has to be calm; and nothing brings its old data back by itself."""
    host = stopped_sentinel(stopped_redis(serving(down=[S3]).hosts[S3]))
    held = frozenset((EL7.redis_unit, EL7.sentinel_unit))
    for unit in held:
        host = with_unit(host, unit, active="inactive")
    facts = changed(serving(down=[S3]), replace(host, machine=Known(MachineFacts({}, held=held))))
    steps = []
    while (todo := planned(LEAVING, facts)).steps:
        steps.append(todo.steps[0])
        facts = after(facts, todo.steps[0])
        assert len(steps) < 20
    assert [(step.host, step.what) for step in steps] == [WHOLE[0], WHOLE[2], WHOLE[4]]
    assert todo.left == {S3}


def test_the_quorum_comes_first() -> None:
    todo = planned(replace(LEAVING, sentinel=SentinelSettings(2)), serving(quorum=3))
    assert told(todo) == [(S1, "set quorum on the sentinel"), (S2, "set quorum on the sentinel")]
    assert todo.waiting == (f"{S3} leaves when it is safe: the quorum of the sentinel on {S1} is still 3",)


def test_nothing_is_changed_on_it_otherwise() -> None:
    drifted = changed(serving(), with_unit(serving().hosts[S3], EL7.redis_unit, enabled="disabled"))
    assert "enable redis.service" not in [what for _, what in told(planned(LEAVING, drifted))]
    assert planned(LEAVING, serving()).drift == {}


def refused(facts: ClusterFacts, judged: Verdict = ALIVE, wanted: Desired = LEAVING) -> Plan:
    todo = plan(wanted, facts, judged, DONE)
    assert [step for step in todo.steps if step.host == S3 or "RESET" in step.what] == []
    return todo


WAITS = {
    "another replica is away": (
        changed(serving(), stopped_redis(serving().hosts[S1])),
        f"{S3} leaves when it is safe: {S1}: its redis does not run",
    ),
    "another sentinel is away": (
        changed(serving(), stopped_sentinel(serving().hosts[S1])),
        f"{S3} leaves when it is safe: 1 sentinels would stay, which is no majority of the 3 that the one on {S2} "
        "counts",
    ),
}


@pytest.mark.parametrize(("facts", "why"), WAITS.values(), ids=WAITS)
def test_it_waits_until_it_is_safe(facts: ClusterFacts, why: str) -> None:
    assert why in refused(facts).waiting


def test_nothing_happens_in_transition() -> None:
    todo = refused(serving(), verdict(Situation.ALIVE, M, "the sentinel on redis_slave01 runs a failover"))
    assert todo.waiting[0] == "the sentinel on redis_slave01 runs a failover"
    assert (todo.left, todo.settled) == (frozenset(), False)
    away = refused(out(LEFT), verdict(Situation.ALIVE, M, "the sentinel on redis_slave01 runs a failover"))
    assert away.left == frozenset()


def test_the_master_is_moved_by_a_person_and_nothing_else_waits_for_that() -> None:
    hosts = tuple(replace(host, state="Leaving" if host.name == M else "Member") for host in LEAVING.hosts)
    todo = planned(replace(LEAVING, hosts=hosts), serving())
    assert told(todo) == []
    assert todo.asks == (
        f"{M} is not in spec.hosts any more, but is the master: it leaves when another one is. Annotate the resource "
        'with `redis-sentinel-operator.io/act: "switchover - <time>"`',
    )
    assert todo.waiting == ()
    assert todo.settled


@pytest.mark.parametrize("claim", [serving().hosts[M].claim, Known(None)], ids=["ours", "given up"])
def test_a_dead_master_is_neither_given_up_nor_gone(claim: Known[Claim | None]) -> None:
    """What it acknowledged last may be nowhere else."""
    hosts = tuple(replace(host, state="Leaving" if host.name == M else "Member") for host in LEAVING.hosts)
    dead = with_unit(stopped_redis(serving().hosts[M]), EL7.redis_unit, active="inactive", enabled="disabled")
    todo = plan(replace(LEAVING, hosts=hosts), changed(serving(), replace(dead, claim=claim)), NOBODY, DONE)
    assert [step for step in todo.steps if step.host == M] == []
    assert todo.left == frozenset()
    assert todo.asks[0].startswith(f"{M} is not in spec.hosts any more, but is the master")


def test_one_that_cannot_be_read_stays_until_it_is_proved_or_forgotten() -> None:
    todo = refused(changed(LEFT, unreachable(LEFT.hosts[S3])))
    assert todo.asks == (
        f"{S3} is not in spec.hosts any more and cannot be read, so that nobody can prove that its servers are stopped"
        ": it is Leaving until it answers. If it is gone for good, annotate the resource with "
        f'`redis-sentinel-operator.io/act: "forget-host {S3} <time>"`',
    )
    assert (todo.left, todo.waiting) == (frozenset(), ())


def test_one_that_was_started_by_hand_is_left_to_a_person() -> None:
    host = with_unit(serving().hosts[S3], EL7.sentinel_unit, active="inactive", enabled="disabled")
    by_hand = replace(
        host, processes=Known((Process(8, "redis-sentinel", "", True), Process(7, "redis-server", "", False)))
    )
    todo = planned(LEAVING, changed(serving(), by_hand))
    assert [what for host, what in told(todo) if host == S3 and "stop" in what] == []
    assert todo.asks == (f"{S3} is to leave, but its sentinel was started by hand: stop it there",)


def test_one_that_is_on_its_way_down_is_waited_for() -> None:
    host = with_unit(serving().hosts[S3], EL7.sentinel_unit, active="deactivating", enabled="disabled")
    todo = planned(LEAVING, changed(serving(), host))
    assert [what for name, what in told(todo) if name == S3] == []
    assert todo.waiting == (
        f"{S3} leaves when its sentinel is proved to be stopped: its unit redis-sentinel.service is deactivating",
    )


def test_what_was_never_ours_there_is_neither_stopped_nor_waited_for() -> None:
    """A host that was declared without a sentinel may run one of other people."""
    hosts = tuple(replace(host, sentinel=host.sentinel and host.name != S3) for host in LEAVING.hosts)
    wanted = replace(LEAVING, hosts=hosts)
    facts = changed(serving((S1, S2)), serving().hosts[S3])
    assert told(planned(wanted, facts)) == WHOLE[2:4]
    host = with_unit(stopped_redis(facts.hosts[S3]), EL7.redis_unit, active="inactive", enabled="disabled")
    assert told(planned(wanted, changed(facts, host))) == WHOLE[4:]
    assert planned(wanted, changed(facts, replace(host, claim=Known(None)))).left == {S3}


def test_one_that_comes_back_as_a_second_master_is_made_a_replica_before_it_leaves() -> None:
    second = replace(serving().hosts[S3], redis=Known(replace(redis_facts(serving().hosts[S3], None), uptime=1)))
    facts = changed(serving((S1, S2)), second, replace(serving((S1, S2)).hosts[S1]))
    todo = plan(LEAVING, facts, replace(ALIVE, master_for=99.0), DONE)
    assert told(todo)[0] == (S3, f"make redis a replica of {M} ({ADDRESS[M]}:6379)")


def test_one_without_our_claim_is_not_touched_and_has_left_when_nobody_knows_its_servers() -> None:
    lost = changed(serving(), replace(serving().hosts[S3], claim=Known(None)))
    todo = refused(lost)
    assert todo.left == frozenset()
    assert todo.asks == (
        f"{S3} is to leave, but does not carry this resource's claim and is not touched: stop its servers (systemctl "
        "disable --now redis.service redis-sentinel.service)",
    )
    others = changed(serving((S1, S2)), replace(lost.hosts[S3], claim=Known(Claim("another/owner/x"))))
    assert refused(others).left == {S3}
    assert refused(others).refusal is None


def test_two_leave_one_after_the_other() -> None:
    hosts = tuple(replace(host, state="Leaving" if host.name in (S2, S3) else "Member") for host in LEAVING.hosts)
    two = replace(LEAVING, hosts=hosts, sentinel=SentinelSettings(1))
    facts = serving(quorum=1)
    todo = planned(two, facts)
    assert {step.host for step in todo.steps if "stop" in step.what} <= {S2}


def test_the_others_forget_it_one_after_the_other() -> None:
    facts = LEFT
    todo = planned(GONE, facts)
    assert told(todo) == [(S1, f"let the sentinel forget what is gone (SENTINEL RESET {NAME})")]
    facts = changed(facts, knowing(facts.hosts[S1], ()))  # just reset: it knows nobody yet
    todo = planned(GONE, facts)
    assert todo.steps == ()
    assert (
        f"{S3} has left, but the sentinel on {S2} still counts it: the sentinel on {S1} does not know all others yet"
        in (todo.waiting)
    )
    facts = changed(facts, knowing(facts.hosts[S1], (S1, S2)))
    todo = planned(GONE, facts)
    assert [host for host, _ in told(todo)] == [S2]
    facts = changed(facts, knowing(facts.hosts[S2], (S1, S2)))
    todo = planned(GONE, facts)
    assert (todo.steps, todo.waiting, todo.cleared) == ((), (), {S3})
    assert todo.settled


def test_no_sentinel_is_reset_whose_counts_are_right() -> None:
    todo = planned(GONE, serving((S1, S2)))
    assert (todo.steps, todo.cleared) == ((), {S3})


def test_no_sentinel_is_reset_while_one_is_away_and_what_it_knows_is_not_known() -> None:
    todo = refused(changed(LEFT, stopped_sentinel(LEFT.hosts[S2])), wanted=GONE)
    assert f"{S3} has left, but the sentinel on {S1} still counts it: {S2}: no sentinel runs there" in todo.waiting
    right = serving((S1, S2))
    todo = refused(changed(right, stopped_sentinel(right.hosts[S2])), wanted=GONE)
    assert todo.cleared == frozenset()
    assert f"{S3} has left; it is gone from status when every sentinel was seen not to count it" in todo.waiting
