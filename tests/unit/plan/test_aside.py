"""Hosts that are to do nothing: what is done there, what is not, and that it may be cut off anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from redis_sentinel_operator.model.desired import Aside, Desired
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    HostFacts,
    Known,
    Listener,
    MachineFacts,
    OsFacts,
    Process,
    RedisFacts,
    Unknown,
)
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.step import EnableUnits, Impact, Need, Plan, RememberNotes, StartUnit, StopUnit
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, NOBODY, alive, edited
from unit.plan.world import (
    CONTEXT,
    DONE,
    S1,
    S2,
    S3,
    Change,
    M,
    bare,
    carried_out,
    cluster,
    desired,
    held,
    redis_facts,
    sees,
    stopped_redis,
    stopped_sentinel,
    unreachable,
    verdict,
    with_unit,
)

BOTH = ("redis.service", "redis-sentinel.service")
SAFE = frozenset({Need.CLAIM, Need.CONFIRMED, Need.SPARE, Need.CALM})


def named(what: Aside, *names: str, **changes: object) -> Desired:
    whole = desired(**changes)
    return replace(whole, hosts=tuple(replace(host, aside=what if host.name in names else "") for host in whole.hosts))


def well(name: str) -> HostFacts:
    """A host of the calm cluster: every sentinel says that a failover could be authorised."""
    host = replace(alive(name), os=Known(OsFacts("centos", "7", "b1")))
    return host if name == M else replace(host, sentinel=sees(M, quorum_ok=True))


def planned(what: Desired, read: ClusterFacts, found: Verdict = ALIVE, *fenced: str) -> Plan:
    return plan(what, read, found, replace(DONE, fenced=frozenset(fenced)))


def actions(todo: Plan) -> list[object]:
    return [step.action for step in todo.steps]


def gone(what: Aside) -> HostFacts:
    """S3 as it is once all was done that its being aside asks for."""
    read = cluster(well)
    while (todo := planned(named(what, S3), read)).steps:
        read = carried_out(read, todo)
    return read.hosts[S3]


# -- in


def test_maintenance_stops_both_servers_and_then_writes_it_down() -> None:
    read, what = cluster(well), named("Maintenance", S3)
    todo = planned(what, read)
    assert actions(todo) == [StopUnit("redis.service"), StopUnit("redis-sentinel.service")]
    assert {(step.host, step.why, step.impact, step.needs) for step in todo.steps} == {
        (S3, "spec.maintenanceHosts names it", Impact.RESTART, SAFE)
    }
    read = carried_out(read, todo)
    todo = planned(what, read)
    (note,) = actions(todo)
    assert isinstance(note, RememberNotes)
    assert note.notes["maintenance"] == "b1"
    assert planned(what, carried_out(read, todo)) == Plan()


def test_a_fence_is_one_step_and_then_nothing() -> None:
    read, what = cluster(well), named("Fenced", S3)
    todo = planned(what, read)
    assert actions(todo) == [HoldUnits(BOTH)]
    assert todo.steps[0].needs == SAFE
    assert planned(what, carried_out(read, todo)) == Plan()


@pytest.mark.parametrize("what", ["Maintenance", "Fenced"])
@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("cut", range(1, 5))
def test_it_may_be_cut_off_after_any_step_on_the_way_there_and_back(what: Aside, cut: int, back: bool) -> None:
    """Of each plan only the first steps are done, as by an operator that is killed again and again."""
    read = cluster(well, **({"S3": lambda _: gone(what)} if back else {}))
    wanted = desired() if back else named(what, S3)
    seen: list[object] = []
    for _ in range(40):
        todo = planned(wanted, read)
        if not todo.steps:
            break
        seen += actions(replace(todo, steps=todo.steps[:cut]))
        read = carried_out(read, replace(todo, steps=todo.steps[:cut]))
    assert planned(wanted, read) == Plan()
    host = read.hosts[S3]
    assert (host.redis == Known(None), host.sentinel == Known(None)) == (not back, not back)
    assert held(host) == (frozenset(BOTH) if what == "Fenced" and not back else frozenset())
    starts = [each for each in seen if isinstance(each, StartUnit)]
    assert [each.unit for each in starts] == (list(BOTH) if back else [])


@pytest.mark.parametrize("what", ["Maintenance", "Fenced"])
def test_one_host_at_a_time(what: Aside) -> None:
    todo = planned(named(what, S2, S3), cluster(well))
    assert {step.host for step in todo.steps} == {S2}


def test_a_fence_holds_a_unit_that_somebody_made() -> None:
    def by_own(host: HostFacts) -> HostFacts:
        running = Process(77, "redis-server", "my-redis.service", sentinel=False)
        facts = redis_facts(well(S3), "192.168.3.41")
        return replace(host, processes=Known((running,)), redis=Known(replace(facts, process_id=77)))

    read = cluster(well, S3=lambda _: by_own(gone("Fenced")))
    todo = planned(named("Fenced", S3), read)
    assert actions(todo) == [HoldUnits(("my-redis.service", *BOTH))]
    after = carried_out(read, todo)
    assert planned(named("Fenced", S3), after) == Plan()
    back = planned(named("", S3), after)
    assert FreeUnits(("my-redis.service", "redis-sentinel.service", "redis.service")) in actions(back)
    assert [each.unit for each in actions(back) if isinstance(each, StartUnit)] == list(BOTH)


def test_a_server_of_others_is_not_stopped() -> None:
    other = Process(88, "redis-server", "cache.service", sentinel=False)

    def beside(host: HostFacts) -> HostFacts:
        assert isinstance(host.processes, Known)
        ports = (Listener(6380, "redis-server", 88), Listener(6379, "redis-server", 7))
        return replace(host, processes=Known((*host.processes.value, other)), listeners=Known(ports))

    todo = planned(named("Fenced", S3), cluster(well, S3=beside))
    assert actions(todo) == [HoldUnits(BOTH)]


def test_the_unit_of_the_package_is_left_to_others_who_run_it() -> None:
    """Ours runs by a unit of its own, and the package's serves at another port."""

    def apart(host: HostFacts) -> HostFacts:
        assert isinstance(host.redis, Known)
        assert isinstance(host.redis.value, RedisFacts)
        own, other = (Process(pid, "redis-server", unit, False) for pid, unit in ((5, "own.service"), (6, BOTH[0])))
        ports = (Listener(6379, "redis-server", 5), Listener(6380, "redis-server", 6))
        known = Known(replace(host.redis.value, process_id=5))
        return replace(host, processes=Known((own, other)), listeners=Known(ports), redis=known, sentinel=Known(None))

    todo = planned(named("Fenced", S3), cluster(well, S3=apart))
    assert [each for each in actions(todo) if isinstance(each, HoldUnits)] == [HoldUnits(("own.service", BOTH[1]))]


HALF: dict[str, Change] = {
    "one drop-in is gone": lambda host: replace(host, machine=Known(MachineFacts({}, held=frozenset({BOTH[0]})))),
    "one unit runs": lambda host: with_unit(host, BOTH[0], active="activating"),
}


@pytest.mark.parametrize("case", HALF)
def test_a_fence_that_is_not_whole_is_made_whole(case: str) -> None:
    todo = planned(named("Fenced", S3), cluster(well, S3=lambda _: HALF[case](gone("Fenced"))))
    assert actions(todo) == [HoldUnits(BOTH)]


# -- left alone


SPOILS: dict[str, Change] = {
    "all is stopped": lambda host: host,
    "it was booted": lambda host: replace(well(S3), claim=host.claim, os=Known(OsFacts("centos", "7", "b2"))),
    "a directive differs": lambda host: edited(host, repl_timeout="59"),
    "a unit is disabled": lambda host: with_unit(host, "redis.service", enabled="disabled"),
    "it is away": unreachable,
    "it came up as a master": lambda host: replace(host, redis=Known(redis_facts(well(M), None))),
}


@pytest.mark.parametrize("case", SPOILS)
def test_whatever_is_wrong_on_a_host_in_maintenance_nothing_is_planned(case: str) -> None:
    read = cluster(well, S3=lambda _: SPOILS[case](gone("Maintenance")))
    assert planned(named("Maintenance", S3), read) == Plan()
    assert planned(named("Maintenance", S3), read, verdict(Situation.ALIVE, M, "it goes on")).steps == ()


def test_what_is_refused_of_others_is_not_asked_of_a_host_in_maintenance() -> None:
    """Another version, and a password that nobody here has."""
    left = replace(gone("Maintenance"), packages=Known({"redis": "3.2.12-2.el7"}))
    whole = named("Maintenance", S3)
    package = replace(whole.hosts[0].package, version="3.2.6-2.el7")
    whole = replace(whole, hosts=tuple(replace(host, package=package) for host in whole.hosts))
    read = cluster(well, S3=lambda _: left)
    assert planned(whole, read).refusal is None
    back = planned(replace(whole, hosts=tuple(replace(host, aside="") for host in whole.hosts)), read)
    assert back.refusal is not None
    assert back.refusal.reason == "OtherVersion"
    files = {"S3": lambda _: edited(replace(left, redis=Known(Denied("NOAUTH"))), requirepass="another")}
    assert planned(named("Maintenance", S3), cluster(well, **files), NOBODY).refusal is None
    assert planned(desired(), cluster(well, **files), NOBODY).refusal is not None


def test_a_host_that_is_back_is_looked_after_again() -> None:
    back = replace(gone("Maintenance"), os=Known(OsFacts("centos", "7", "b2")))
    back = with_unit(back, "redis.service", enabled="disabled")
    todo = planned(desired(), cluster(well, S3=lambda _: back))
    note = next(step for step in todo.steps if isinstance(step.action, RememberNotes))
    assert note.why == "spec.maintenanceHosts does not name it any more; it was booted meanwhile"
    assert "maintenance" not in note.action.notes  # type: ignore[union-attr]
    kinds = [type(each) for each in actions(todo)]
    assert (kinds.count(StartUnit), kinds.count(EnableUnits)) == (2, 1)


def test_a_fence_that_becomes_maintenance_is_taken_away_and_nothing_is_started() -> None:
    read, what = cluster(well, S3=lambda _: gone("Fenced")), named("Maintenance", S3)
    seen: list[object] = []
    while (todo := planned(what, read)).steps:
        seen += actions(todo)
        read = carried_out(read, todo)
    assert [type(each) for each in seen] == [FreeUnits, RememberNotes]
    assert read.hosts[S3].redis == Known(None)


# -- waited for


def by_hand(host: HostFacts) -> HostFacts:
    assert isinstance(host.redis, Known)
    assert isinstance(host.redis.value, RedisFacts)
    process = Process(99, "redis-server", "", sentinel=False)
    known = replace(host.redis.value, process_id=99)
    whole = replace(host, processes=Known((process,)), sentinel=Known(None), redis=Known(known))
    for unit in BOTH:
        whole = with_unit(whole, unit, active="inactive")
    return replace(whole, machine=Known(MachineFacts({}, held=frozenset(BOTH))))


NAMES = "spec.fencedHosts names redis_slave03, "
WAITS: dict[str, tuple[Callable[[], ClusterFacts], Verdict, str]] = {
    "another sentinel is down": (
        lambda: cluster(well, S2=stopped_sentinel),
        ALIVE,
        NAMES + "which is not stopped: without its sentinel 1 of 3 would work, and a failover needs 2. Bring back "
        "another first, or take redis_slave03 out of spec.fencedHosts",
    ),
    "the last replica": (
        lambda: cluster(well, S1=stopped_redis, S2=stopped_redis),
        ALIVE,
        NAMES + "which is not stopped: without it there would be no replica that the sentinels can promote. Bring "
        "another in sync first (with a replica-priority other than 0), or take redis_slave03 out of spec.fencedHosts",
    ),
    "another replica is down": (
        lambda: cluster(well, S2=stopped_redis),
        ALIVE,
        NAMES + "which is not stopped: redis_slave02: its redis does not run",
    ),
    "no master": (lambda: cluster(well), NOBODY, NAMES + "which is not stopped: nobody is confirmed"),
    "it is away": (
        lambda: cluster(well, S3=unreachable),
        ALIVE,
        "spec.fencedHosts names redis_slave03, which could not be read, so it is not known whether redis runs there: "
        "it is fenced as soon as it can be; until then switch the machine off if redis must not run",
    ),
    "started by hand": (
        lambda: cluster(well, S3=by_hand),
        ALIVE,
        "spec.fencedHosts names redis_slave03, but somebody started redis or sentinel there by hand (process 99): end "
        "it there (SHUTDOWN), as the operator stops units only",
    ),
    "not proved": (
        lambda: cluster(well, S3=lambda _: replace(gone("Fenced"), redis=Unknown("no answer within 3 s"))),
        ALIVE,
        "spec.fencedHosts names redis_slave03, but it is not proved that nothing runs there: no answer within 3 s",
    ),
}


@pytest.mark.parametrize("case", WAITS)
def test_what_a_fence_waits_for_is_told(case: str) -> None:
    read, found, sentence = WAITS[case]
    todo = planned(named("Fenced", S3), read(), found)
    assert sentence in todo.waiting
    assert [step for step in todo.steps if step.host == S3] == []


def test_in_a_transition_nobody_is_stopped() -> None:
    todo = planned(named("Fenced", S3), cluster(well), verdict(Situation.ALIVE, M, "a failover goes on"))
    assert (todo.steps, todo.waiting) == ((), ("a failover goes on",))


def test_what_is_still_fenced_is_not_started_in_a_transition() -> None:
    read = cluster(well, S2=stopped_sentinel, S3=lambda _: gone("Fenced"))
    todo = planned(desired(), read, verdict(Situation.ALIVE, M, "a failover goes on"))
    assert [(step.host, type(step.action)) for step in todo.steps] == [(S2, StartUnit)]


def test_a_fenced_host_that_is_away_is_known_to_be_fenced() -> None:
    assert planned(named("Fenced", S3), cluster(well, S3=unreachable), ALIVE, S3) == Plan()


def test_a_master_is_left_to_the_switchover_and_shown_where_nothing_is_done() -> None:
    assert planned(named("Fenced", M), cluster(well)) == Plan()
    assert planned(named("Fenced", M, management="Observe"), cluster(well)).waiting == (
        "redis_master01 is the master and spec.fencedHosts names it: another becomes master first",
    )


def test_a_set_up_is_for_all_hosts() -> None:
    todo = plan(named("Maintenance", S2, S3), cluster(bare), verdict(Situation.BARE), CONTEXT)
    assert (todo.steps, todo.waiting) == (
        (),
        (
            "the cluster is set up with all its hosts: take redis_slave02, redis_slave03 out of spec.maintenanceHosts "
            "and spec.fencedHosts until it is Healthy, or out of spec.hosts",
        ),
    )


def test_a_cold_start_leaves_them_out_and_waits_for_a_master_among_them() -> None:
    stopped = cluster(lambda name: stopped_redis(alive(name) if name == M else stopped_sentinel(alive(name))))
    todo = plan(named("Fenced", S3), stopped, verdict(Situation.STOPPED), DONE)
    assert {step.host for step in todo.steps} == {M, S1, S2}
    todo = plan(named("Fenced", M), stopped, verdict(Situation.STOPPED), DONE)
    assert (todo.steps, todo.waiting) == (
        (),
        (
            "redis_master01 was the last master and spec.fencedHosts names it; the others wait for it, since their "
            "data may be older: take it out of there",
        ),
    )
