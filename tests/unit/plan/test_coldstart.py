"""A wholly stopped cluster is started with the files it has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import (
    HostFacts,
    Known,
)
from redis_sentinel_operator.model.step import (
    Plan,
    StartUnit,
    TakeClaim,
)
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import PlanContext, plan
from unit.plan.living import alive, edited
from unit.plan.test_bootstrap import shown
from unit.plan.world import (
    DONE,
    OWNER,
    S1,
    S2,
    S3,
    Change,
    M,
    carried_out,
    cluster,
    desired,
    sentinel_file,
    stopped_redis,
    stopped_sentinel,
    unreachable,
    verdict,
    with_file,
    with_unit,
)

# -- a stopped cluster


def stopped(name: str) -> HostFacts:
    host = stopped_redis(alive(name))
    return host if name == M else stopped_sentinel(host)


def test_a_stopped_cluster_is_started_with_the_files_it_has() -> None:
    facts = cluster(stopped, S1=lambda host: edited(host, repl_timeout="59"))
    todo = plan(desired(), facts, verdict(Situation.STOPPED), DONE)
    assert shown(todo) == [
        (3, M, "start redis (redis.service)"),
        *((4, name, "start redis (redis.service)") for name in (S1, S2, S3)),
        *((6, name, "start sentinel (redis-sentinel.service)") for name in (S1, S2, S3)),
    ]


def test_a_master_of_earlier_days_stays_down_in_a_cold_start() -> None:
    newer = {short: (lambda host: with_file(host, EL7.sentinel_conf, sentinel_file(S1, 2))) for short in ("S2", "S3")}
    facts = cluster(stopped, **newer)
    todo = plan(desired(), facts, verdict(Situation.STOPPED), DONE)
    assert [(step.stage, step.host) for step in todo.steps if step.stage < 6] == [(3, S1), (4, S2), (4, S3)]


def test_a_cold_start_that_is_cut_off_never_leaves_the_last_master_to_a_failover() -> None:
    facts = cluster(stopped, S3=lambda host: with_file(host, EL7.sentinel_conf, sentinel_file(S3, 2)))
    todo = plan(desired(), facts, verdict(Situation.STOPPED), DONE)
    for cut in range(1, len(todo.steps)):
        left = carried_out(facts, Plan(todo.steps[:cut]))
        assert left.hosts[S3].redis != Known(None)
        again = plan(desired(), left, verdict(Situation.ALIVE), DONE)
        # replicas wait for the sentinels, and those are started: they find their master alive
        assert {step.action.sentinel for step in again.steps if isinstance(step.action, StartUnit)} <= {True}


@pytest.mark.parametrize(
    "out_of_order",
    [
        lambda host: with_file(host, EL7.redis_conf, None),
        lambda host: with_file(host, EL7.redis_conf, 'requirepass "x\n'),
        lambda host: with_unit(host, EL7.redis_unit, load="masked"),
    ],
)
def test_a_cold_start_waits_for_a_last_master_that_cannot_be_started(out_of_order: Change) -> None:
    todo = plan(desired(), cluster(stopped, M=out_of_order), verdict(Situation.STOPPED), DONE)
    assert todo.steps == ()
    assert f"{M} was the last master and its redis cannot be started" in todo.waiting[-1]


def test_a_stopped_cluster_is_claimed_first() -> None:
    facts = cluster(stopped, S2=lambda host: replace(host, claim=Known(None)))
    todo = plan(desired(), facts, verdict(Situation.STOPPED), PlanContext(OWNER))
    assert [step.action for step in todo.steps] == [TakeClaim(OWNER, "")]


def test_one_unreadable_host_holds_a_cold_start() -> None:
    todo = plan(desired(), cluster(stopped, S3=unreachable), verdict(Situation.STOPPED), DONE)
    assert todo.steps == ()
