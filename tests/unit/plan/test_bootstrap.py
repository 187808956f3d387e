"""From four bare hosts to a cluster, pass by pass, and resumed wherever it was cut off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf import redis_conf, sentinel_conf
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.kernel import HUGE_PAGES_FILE, SYSCTL_FILE
from redis_sentinel_operator.conf.sentinel_conf import Monitor
from redis_sentinel_operator.model.desired import PackageWish
from redis_sentinel_operator.model.fact import ClusterFacts, DataFile, Known, Listener, Process
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.step import EditConf, Need, Plan, StartUnit, TakeClaim
from redis_sentinel_operator.model.verdict import Situation
from redis_sentinel_operator.plan.order import PlanContext, plan
from unit.plan.world import (
    ADDRESS,
    CONTEXT,
    DONE,
    NAME,
    OWNER,
    PASSWORD,
    RECORD,
    S1,
    S2,
    S3,
    M,
    bare,
    carried_out,
    claimed,
    cluster,
    desired,
    installed,
    sees,
    stopped_redis,
    switched,
    text_of,
    unreachable,
    verdict,
)

SETTING_UP = verdict(Situation.BOOTSTRAPPING)
READY = cluster(lambda name: installed(claimed(bare(name))))


def shown(todo: Plan) -> list[tuple[int, str, str]]:
    return [(int(step.stage), step.host, step.what) for step in todo.steps]


def all_passes(facts: ClusterFacts) -> tuple[ClusterFacts, list[Plan]]:
    """Plan and carry out until a plan is empty."""
    plans = []
    for _ in range(10):
        plans.append(plan(desired(), facts, SETTING_UP, CONTEXT))
        assert plans[-1].waiting == ()
        if plans[-1].settled:
            return facts, plans
        facts = carried_out(facts, plans[-1])
    raise AssertionError(shown(plans[-1]))


def test_a_look_at_bare_hosts_shows_what_a_set_up_begins_with() -> None:
    """Nothing is recorded for it: the record is made when a set-up really begins."""
    own = desired(management="Observe")
    todo = plan(own, cluster(bare), verdict(Situation.BARE), PlanContext(OWNER))
    assert [(step.host, type(step.action)) for step in todo.steps] == [
        (name, kind) for kind in (TakeClaim, InstallPackage) for name in ADDRESS
    ]


CLAIMS = [(name, TakeClaim(OWNER, "b1", ADDRESS[M]), frozenset()) for name in ADDRESS]


def test_first_all_hosts_are_claimed_and_behind_that_only_packages_come() -> None:
    todo = plan(desired(), cluster(bare), verdict(Situation.BARE), CONTEXT)
    packages = [(name, InstallPackage("redis", None), frozenset({Need.CLAIM})) for name in ADDRESS]
    assert [(step.host, step.action, step.needs) for step in todo.steps] == CLAIMS + packages
    assert max(step.stage for step in todo.steps[:4]) < min(step.stage for step in todo.steps[4:])


def test_where_the_packages_are_there_the_hosts_are_claimed_and_nothing_else() -> None:
    todo = plan(desired(), cluster(lambda name: installed(bare(name))), verdict(Situation.BARE), CONTEXT)
    assert [(step.host, step.action, step.needs) for step in todo.steps] == CLAIMS


def test_then_the_package_comes_everywhere_before_anything_is_configured() -> None:
    facts = cluster(lambda name: claimed(bare(name)), S2=installed)
    todo = plan(desired(), facts, SETTING_UP, CONTEXT)
    assert [(step.host, step.action) for step in todo.steps] == [
        (name, InstallPackage("redis", None)) for name in (M, S1, S3)
    ]


@pytest.mark.parametrize("declared", ["3.2.6-2.el7", "redis-3.2.6-2.el7"])
def test_an_exact_version_is_installed_as_declared(declared: str) -> None:
    hosts = tuple(replace(host, package=PackageWish(version=declared)) for host in desired().hosts)
    todo = plan(desired(hosts=hosts), cluster(lambda name: claimed(bare(name))), SETTING_UP, CONTEXT)
    assert {step.action for step in todo.steps} == {InstallPackage("redis", "3.2.6-2.el7")}


def test_then_all_the_rest_in_the_order_that_is_safe() -> None:
    todo = plan(desired(), READY, SETTING_UP, CONTEXT)
    starts = [(step.stage, step.host, step.action.unit) for step in todo.steps if isinstance(step.action, StartUnit)]
    assert [(host, unit) for _, host, unit in starts] == [
        (M, "redis.service"),
        *((name, "redis.service") for name in (S1, S2, S3)),
        *((name, "redis-sentinel.service") for name in (S1, S2, S3)),
    ]
    stages = [stage for stage, _, _ in starts]
    assert stages[0] < stages[1] == stages[3] < stages[4] == stages[6]
    assert all(step.stage < stages[0] for step in todo.steps if isinstance(step.action, EditConf))
    ours = "bind, repl-ping-slave-period, repl-timeout"
    assert shown(todo)[:6] == [
        (2, M, f"set vm.overcommit_memory to 1, net.core.somaxconn to 511 ({SYSCTL_FILE})"),
        (2, M, f"set transparent huge pages to never ({HUGE_PAGES_FILE})"),
        (2, M, f"write {EL7.redis_drop_in}"),
        (2, M, f"write down which directives of /etc/redis.conf are ours: {ours}"),
        (2, M, "set bind, repl-ping-slave-period, repl-timeout, masterauth, requirepass in /etc/redis.conf"),
        (2, M, "open 6379/tcp in firewalld in zone public"),
    ]


def test_no_step_shows_the_password() -> None:
    todo = plan(desired(), READY, SETTING_UP, CONTEXT)
    assert PASSWORD not in repr(todo)


def test_the_first_pass_after_the_last_step_plans_nothing() -> None:
    facts, plans = all_passes(cluster(bare))
    assert len(plans) == 3
    for name in (S1, S2, S3):
        conf = redis_conf.parse(text_of(facts.hosts[name], EL7.redis_conf))
        assert conf.get("slaveof") == f"{ADDRESS[M]} 6379"
        assert conf.get_all("save") == ("900 1", "300 10", "60 10000")
        fresh = sentinel_conf.parse(text_of(facts.hosts[name], EL7.sentinel_conf))
        assert fresh.masters == {NAME: Monitor(ADDRESS[M], 6379, 2)}
    master = redis_conf.parse(text_of(facts.hosts[M], EL7.redis_conf))
    assert (master.get("slaveof"), master.get("masterauth")) == (None, PASSWORD)


def every_cut() -> list[int]:
    steps = 0
    facts = cluster(bare)
    while not (todo := plan(desired(), facts, SETTING_UP, CONTEXT)).settled:
        steps += len(todo.steps)
        facts = carried_out(facts, todo)
    return list(range(1, steps))


@pytest.mark.parametrize("cut", every_cut())
def test_a_kill_after_any_step_is_made_good(cut: int) -> None:
    facts, rest = cluster(bare), cut
    while rest:
        todo = plan(desired(), facts, SETTING_UP, CONTEXT)
        facts = carried_out(facts, Plan(todo.steps[:rest]))
        rest -= len(todo.steps[:rest])
    reached, _ = all_passes(facts)
    whole, _ = all_passes(cluster(bare))
    assert reached == whole


def test_nothing_begins_before_it_is_recorded() -> None:
    todo = plan(desired(), cluster(bare), verdict(Situation.BARE), PlanContext(OWNER))
    assert todo.steps == ()
    assert todo.waiting == (f"the bootstrap with {M} as master begins when it is recorded in status",)


def test_a_cluster_that_is_gone_is_not_set_up_a_second_time() -> None:
    todo = plan(desired(), cluster(bare), verdict(Situation.BARE), DONE)
    assert todo.steps == ()
    assert "not set up a second time" in todo.waiting[0]


def test_one_unreadable_host_holds_the_set_up() -> None:
    facts = cluster(bare, S3=unreachable)
    todo = plan(desired(), facts, verdict(Situation.UNREADABLE, message="One host is away."), CONTEXT)
    assert todo.steps == ()
    assert todo.waiting == ("One host is away.", f"{S3} could not be read and is left alone: no route to host")
    assert plan(desired(), facts, SETTING_UP, CONTEXT).steps == ()


def test_a_port_that_is_taken_forbids_the_beginning() -> None:
    taken = Known((Listener(26379, "nc", 99),))
    todo = plan(desired(), cluster(bare, S1=lambda host: replace(host, listeners=taken)), SETTING_UP, CONTEXT)
    assert todo.steps == ()
    assert todo.refusal is not None
    assert (todo.refusal.reason, todo.refusal.condition) == ("PortTaken", "PreflightPassed")
    assert todo.refusal.message.startswith(f"Port 26379 of {S1} is taken by nc (process 99).")


def test_a_program_on_a_port_that_the_host_does_not_need_is_nobodys_business() -> None:
    taken = Known((Listener(26379, "nc", 99),))
    todo = plan(desired(), cluster(bare, M=lambda host: replace(host, listeners=taken)), SETTING_UP, CONTEXT)
    assert todo.refusal is None


def test_nothing_is_installed_beside_a_redis_of_another_origin() -> None:
    running = Known((Process(4711, "redis-server", "", False),))
    facts = cluster(lambda name: claimed(bare(name)), S1=lambda host: replace(host, processes=running))
    todo = plan(desired(), facts, SETTING_UP, CONTEXT)
    assert [step.host for step in todo.steps] == [M, S2, S3]
    assert f"{S1} runs redis-server (process 4711), which is not from the package redis" in todo.waiting[0]


def test_check_only_installs_nothing() -> None:
    hosts = tuple(replace(host, package=PackageWish(manage="CheckOnly")) for host in desired().hosts)
    todo = plan(desired(hosts=hosts), cluster(lambda name: claimed(bare(name))), SETTING_UP, CONTEXT)
    assert todo.steps == ()
    assert len(todo.waiting) == 4


def test_a_master_that_dies_when_the_sentinels_can_replace_it_is_left_to_them() -> None:
    facts, _ = all_passes(cluster(bare))
    facts = ClusterFacts({**facts.hosts, M: stopped_redis(facts.hosts[M])}, 0.0)
    todo = plan(desired(), facts, SETTING_UP, CONTEXT)
    assert todo.steps == ()
    assert "the operator does not start it" in todo.waiting[0]


def test_a_master_that_dies_before_the_sentinels_know_replicas_is_started_again() -> None:
    facts, _ = all_passes(cluster(bare))
    blind = {name: replace(facts.hosts[name], sentinel=sees(M, num_slaves=0)) for name in (S2, S3)}
    facts = ClusterFacts({**facts.hosts, **blind, M: stopped_redis(facts.hosts[M])}, 0.0)
    assert shown(plan(desired(), facts, SETTING_UP, CONTEXT)) == [(3, M, "start redis (redis.service)")]


def test_sentinels_that_name_another_master_end_the_set_up() -> None:
    facts, _ = all_passes(cluster(bare))
    facts = ClusterFacts({**facts.hosts, S1: replace(facts.hosts[S1], sentinel=sees(S2))}, 0.0)
    todo = plan(desired(), facts, SETTING_UP, CONTEXT)
    assert todo.steps == ()
    assert ADDRESS[S2] in todo.waiting[0]


def test_a_confirmed_master_is_no_longer_ours_to_start() -> None:
    facts, _ = all_passes(cluster(bare))
    others = {name: switched(facts.hosts[name], S1) for name in (S1, S2, S3)}
    facts = ClusterFacts({**facts.hosts, **others, M: stopped_redis(facts.hosts[M])}, 0.0)
    todo = plan(desired(), facts, verdict(Situation.BOOTSTRAPPING, S1), CONTEXT)
    assert shown(todo) == [
        (2, M, "set slaveof in /etc/redis.conf"),
        (4, M, "start redis (redis.service)"),
    ]
    assert all(Need.CONFIRMED in step.needs for step in todo.steps)


def test_a_claim_of_an_earlier_bootstrap_is_renewed_first() -> None:
    facts = cluster(lambda name: installed(claimed(bare(name), bootstrap_id="b0")))
    todo = plan(desired(), facts, SETTING_UP, CONTEXT)
    assert {step.action for step in todo.steps} == {TakeClaim(OWNER, "b1", ADDRESS[M])}


def test_a_host_that_was_taken_out_of_the_spec_cannot_be_the_first_master() -> None:
    context = PlanContext(OWNER, replace(RECORD, master="gone"))
    todo = plan(desired(), READY, SETTING_UP, context)
    assert todo.steps == ()
    assert "gone" in todo.waiting[0]


def test_data_on_disk_of_a_bootstrap_that_was_cut_off_does_not_matter_to_the_plan() -> None:
    facts, _ = all_passes(cluster(bare))
    dump = Known((DataFile("/var/lib/redis/dump.rdb", 76),))
    facts = ClusterFacts({name: replace(host, data=dump) for name, host in facts.hosts.items()}, 0.0)
    assert plan(desired(), facts, SETTING_UP, CONTEXT).settled
