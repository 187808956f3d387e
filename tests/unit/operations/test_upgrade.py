"""Each step of an upgrade: hosts one by one, where it stops before the master, and the last one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import HostFacts, Known, Process
from redis_sentinel_operator.model.operation import Before, Operation
from redis_sentinel_operator.model.package import FetchPackage, InstallPackage, Server, UpgradePackage
from redis_sentinel_operator.model.step import ConfigSet, Impact, Need, Plan, Step
from redis_sentinel_operator.model.verdict import Confirmed, Situation
from redis_sentinel_operator.operations import choose, upgrade
from redis_sentinel_operator.operations.move import Scene, Wish
from redis_sentinel_operator.operations.procedures import failed, next_move
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage
from unit.operations.scenes import (
    ELSEWHERE,
    NEWER,
    NOBODY,
    NOON,
    OLDER,
    SWITCHED,
    asking,
    both,
    carrying,
    config,
    late,
    of_an_upgrade,
    redis,
    scene,
    upgraded,
)
from unit.plan.living import edited
from unit.plan.world import ADDRESS, S1, S2, S3, Change, M, stopped_redis, verdict

WISH = Wish("upgrade", "-", "2026-01-31T11:59:59Z")
PACKAGE = InstallPackage("redis", NEWER)
WHY = f"redis {OLDER} is installed, package.version asks for {NEWER}"
REPLICAS: dict[str, Change] = {each: upgraded() for each in ("S1", "S2", "S3")}
OTHER = Step(S3, "set repl-timeout", "why", ConfigSet({}, 6379), Stage.FILES)


# -- one after the other


def test_all_repositories_are_asked_before_anything_is_changed() -> None:
    now = next_move(late(S2=upgraded()), of_an_upgrade("fetch"))
    assert [(step.host, step.what, step.why, step.action) for step in now.steps] == [
        (host, f"fetch redis-{NEWER}", WHY, FetchPackage(PACKAGE)) for host in (M, S1, S3)
    ]
    assert {step.impact for step in now.steps} == {Impact.NONE}
    assert now.then is not None
    assert (now.record.step, now.then.record.step, now.then.steps) == ("fetch", "replicas", ())


@pytest.mark.parametrize("step", ["fetch", "replicas", "last"])
def test_what_fails_ends_the_round(step: str) -> None:
    (what,) = next_move(late(), of_an_upgrade()).steps
    after = failed(of_an_upgrade(step), what, "no enabled repository has it.", begun=True, sure=False, now=NOON)
    assert after is not None
    assert (after.step, after.result, after.message) == ("restore", "Failed", f"{S1}: no enabled repository has it")
    assert failed(of_an_upgrade(step), what, "not calm", begun=False, sure=True, now=NOON) is None


def test_redis_and_sentinel_of_a_host_have_the_new_program_together() -> None:
    now = next_move(late(), of_an_upgrade())
    (step,) = now.steps
    servers = (
        Server("redis.service", 6379, False, EL7.redis_log),
        Server("redis-sentinel.service", 26379, True, EL7.sentinel_log),
    )
    assert (step.host, step.what, step.why) == (S1, f"upgrade to redis-{NEWER}", WHY)
    assert step.action == UpgradePackage(PACKAGE, servers)
    assert (step.impact, step.needs) == (Impact.RESTART, {Need.CLAIM, Need.CONFIRMED, Need.CALM})
    assert (now.record, now.then) == (of_an_upgrade(), None)


def test_the_next_host_comes_when_all_are_in_sync() -> None:
    (step,) = next_move(late(S1=upgraded()), of_an_upgrade()).steps
    assert step.host == S2
    waits = next_move(late(S1=both(upgraded(), redis(syncing=True))), of_an_upgrade())
    assert (waits.record, waits.steps) == (of_an_upgrade(), ())
    assert waits.says == f"upgrade to newer packages waits: {S2}: {S1}: it synchronises with the master"


def test_the_plans_own_changes_come_first() -> None:
    assert next_move(replace(late(), todo=Plan((OTHER,))), of_an_upgrade()).steps == (OTHER,)
    assert next_move(replace(late(), todo=Plan(waiting=("so",))), of_an_upgrade()).steps == ()


def test_a_host_that_is_set_aside_is_left_out() -> None:
    what = asking()
    what = replace(
        what, hosts=tuple(replace(each, aside="Maintenance") if each.name == S1 else each for each in what.hosts)
    )
    assert [step.host for step in next_move(late(what), of_an_upgrade("fetch")).steps] == [M, S2, S3]


def test_one_that_was_cut_short_is_finished() -> None:
    """The package is there, but what runs is the program of before."""
    old = Process(71, "redis-server", "redis.service", False, replaced=True)

    def cut(host: HostFacts) -> HostFacts:
        assert isinstance(host.processes, Known)
        others = tuple(each for each in host.processes.value if each.sentinel)
        return replace(host, packages=Known({"redis": NEWER}), processes=Known((old, *others)))

    now = late(**{**REPLICAS, "M": upgraded(), "S2": cut})
    assert next_move(now, of_an_upgrade("fetch")).steps == ()
    (step,) = next_move(now, of_an_upgrade()).steps
    assert (step.host, step.why) == (S2, "what runs there is the program of before")
    assert upgrade.due(replace(now, desired=scene().desired, hosts=scene(now.facts).hosts), ()) is None, "no version"


def test_a_replica_that_cannot_follow_a_newer_master_is_upgraded_at_once() -> None:
    """It and another one are out of touch with it: neither waits for the other."""
    older = both(redis(role="slave", master_address=ADDRESS[S2], link="down"), named(S2))
    newer, follows = both(upgraded("5.0.3-1"), redis(version="5.0.3")), redis(role="slave", master_address=ADDRESS[S2])
    changed = {"M": older, "S1": older, "S2": both(newer, redis(role="master")), "S3": both(newer, follows, named(S2))}
    now = late(asking("5.0.3-1"), SWITCHED, **changed)
    assert isinstance(upgrade.due(now, ()), Operation)
    record = of_an_upgrade(old=ADDRESS[S2], config_epoch=2)
    (step,) = next_move(now, record).steps
    assert (step.host, step.needs) == (M, {Need.CLAIM, Need.CONFIRMED})
    same = {**changed, "S2": redis(role="master")}
    assert next_move(late(asking("5.0.3-1"), SWITCHED, **same), record).steps == ()


def named(master: str) -> Change:
    return lambda host: edited(host, slaveof=f"{ADDRESS[master]} 6379")


@pytest.mark.parametrize("found", [ELSEWHERE, verdict(Situation.ALIVE, S3)])
def test_another_master_ends_the_round(found: object) -> None:
    now = next_move(late(None, found), of_an_upgrade())
    assert (now.record.step, now.record.result, now.steps) == ("restore", "Failed", ())


# -- the master


def test_when_only_the_master_is_left_a_newer_replica_takes_its_place() -> None:
    newer = {each: both(upgraded("5.0.3-1"), redis(version="5.0.3")) for each in ("S1", "S2", "S3")}
    now = next_move(late(asking("5.0.3-1"), after=30, **newer), of_an_upgrade())
    assert (now.record.type, now.record.step, now.record.id) == ("upgrade", "prefer", "op4")
    assert (now.record.new, now.record.sentinel) == (ADDRESS[S1], ADDRESS[S2])
    assert now.record.before[ADDRESS[S1]] == {"slave-priority": Before("100", "100")}
    (step,) = now.steps
    assert step.why == "package.version asks for a newer one, and the master's host is the last"
    again = next_move(late(asking("5.0.3-1"), after=31, **newer), now.record)
    assert (again.record.step, again.record.result) == ("prefer", ""), "being newer than the master ends it not"


def test_no_other_procedure_makes_a_newer_replica_master_and_this_one_leaves_no_other_replica_behind() -> None:
    newer = {each: both(upgraded("5.0.3-1"), redis(version="5.0.3")) for each in ("S1", "S2", "S3")}
    now, master = late(asking("5.0.3-1"), **newer), verdict(Situation.ALIVE, M).master
    assert isinstance(master, Confirmed)
    assert isinstance(choose.successor(now, master, "-", "upgrade"), Host)
    said = choose.successor(now, master, S1, "switchover")
    assert said == (
        f"{S1} has redis 5.0, but {M} has redis 3.2, which could not follow it: bring them to the same version first"
    )
    left = late(asking("5.0.3-1"), **{**newer, "S3": upgraded(OLDER)})
    assert choose.successor(left, master, S1, "upgrade") == said.replace(M, S3)


SUPERVISED = (
    f"redis-{NEWER} is on all hosts but {M}, which is the master. Its upgrade needs a switchover and updateStrategy is "
    "Supervised: it is done when you ask for it (act upgrade -), or when another host has become master"
)


def test_supervised_stops_before_the_master_and_says_what_lets_it_go_on() -> None:
    what = asking(supervised=True)
    begun = upgrade.due(late(what), ())
    assert isinstance(begun, Operation)
    assert begun.new == ""
    assert upgrade.announce(late(what), begun).endswith(f"{M}, one after the other")
    stopped = next_move(late(what, **REPLICAS), replace(begun, step="replicas"))
    assert (stopped.record.step, stopped.record.result, stopped.record.message) == ("restore", "Done", SUPERVISED)
    assert upgrade.due(late(what, **REPLICAS), ()) is None
    assert upgrade.asks(late(what, **REPLICAS)) == SUPERVISED


def test_a_person_who_asks_lets_it_go_on() -> None:
    what = asking(supervised=True)
    begun = upgrade.begin(late(what, **REPLICAS), WISH)
    assert isinstance(begun, Operation)
    assert begun.new == ADDRESS[S1]
    assert next_move(late(what, **REPLICAS), replace(begun, step="replicas")).record.step == "prefer"


def test_supervised_asks_nothing_while_others_are_left_or_all_is_done() -> None:
    what = asking(supervised=True)
    assert upgrade.asks(late(what)) == ""
    assert upgrade.asks(late(what, M=upgraded(), **REPLICAS)) == ""
    assert upgrade.asks(late(**REPLICAS)) == ""
    assert upgrade.asks(late(what, NOBODY, **REPLICAS)) == ""


def test_a_former_master_is_a_replica_like_any_other_and_nobody_is_asked() -> None:
    """Another host became master meanwhile."""
    now = switched(asking(supervised=True))
    assert isinstance(upgrade.due(now, ()), Operation)


# -- the switchover, and the last one

FOLLOWS: dict[str, Change] = {
    "S2": both(upgraded(), redis(role="master")),
    "M": both(redis(role="slave", master_address=ADDRESS[S2], link="up"), named(S2)),
    **{each: both(upgraded(), redis(role="slave", master_address=ADDRESS[S2], link="up")) for each in ("S1", "S3")},
}


def switched(what: Desired | None = None, after: float = 1.0, *, carries: bool = False, **changed: Change) -> Scene:
    """All follow S2, M has the older package."""
    carried = carrying(of_an_upgrade("last")) if carries else carrying(None)
    whole = {each: both(change, carried, changed.get(each, lambda host: host)) for each, change in FOLLOWS.items()}
    return late(what, SWITCHED, after, **whole)


@pytest.mark.parametrize(("step", "after"), [("ask", 500.0), ("demote", 1.0)])
def test_when_the_old_master_is_a_replica_it_is_its_turn(step: str, after: float) -> None:
    now = next_move(switched(after=after), of_an_upgrade(step))
    assert (now.record.step, now.record.result, now.record.message, now.steps) == ("last", "", "", ())


def test_the_former_master_is_upgraded_under_a_sentence_of_its_own() -> None:
    (step,) = next_move(switched(), of_an_upgrade("last")).steps
    assert (step.host, step.what) == (M, f"upgrade the former master, which is a replica now, to redis-{NEWER}")
    assert isinstance(step.action, UpgradePackage)


def test_what_the_switchover_changed_is_put_back_before() -> None:
    raised = both(config(slave_priority="1"), lambda host: edited(host, slave_priority="1"))
    now = next_move(switched(carries=True, S2=raised), of_an_upgrade("last"))
    assert {step.host for step in now.steps} == {S2}


def test_an_older_former_master_that_cannot_follow_is_upgraded_all_the_same() -> None:
    newer = {each: redis(version="5.0.3") for each in ("S1", "S2", "S3")}
    (step,) = next_move(switched(M=redis(link="down"), **newer), of_an_upgrade("last")).steps
    assert (step.host, step.needs) == (M, {Need.CLAIM, Need.CONFIRMED})


def test_when_all_are_alike_again_the_plans_priorities_come_after_it_and_not_in_turns_with_those_of_before() -> None:
    """S2 had 1100 as a newer replica of an older master, which is what is put back; the plan now wants 100."""
    alike = {"M": upgraded(), "S2": config(slave_priority="100")}
    wants = Plan((Step(S2, "set slave-priority on the running redis", "why", ConfigSet({}, 6379), Stage.FILES),))
    now = next_move(replace(switched(carries=True, **alike), todo=wants), of_an_upgrade("last"))
    assert (now.record.step, now.record.result, now.steps) == ("restore", "Done", ())
    raised = {**alike, "S2": config(slave_priority="1100")}
    now = next_move(replace(switched(carries=True, **raised), todo=wants), of_an_upgrade("last"))
    assert (now.record.step, now.record.result, now.steps) == ("restore", "Done", ())
    own = Plan((replace(wants.steps[0], host=M),))
    down = replace(switched(M=both(upgraded(), stopped_redis)), todo=own)
    assert next_move(down, of_an_upgrade("last")).steps == own.steps, "what it needs itself is done"


@pytest.mark.parametrize("change", [redis(syncing=True), redis(link="down"), stopped_redis])
def test_it_is_not_done_before_the_former_master_is_in_sync(change: Change) -> None:
    now = next_move(switched(M=both(upgraded(), change)), of_an_upgrade("last"))
    assert (now.record, now.steps) == (of_an_upgrade("last"), ())


def test_it_is_done_when_every_host_has_the_package() -> None:
    now = next_move(switched(M=upgraded()), of_an_upgrade("last"))
    assert (now.record.step, now.record.result) == ("restore", "Done")
    assert now.record.message == f"every host has the package that is declared; {S2} is the master, before it was {M}"
