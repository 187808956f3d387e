"""A master that the spec sets aside: a switchover begins by itself, once, or it is told why not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.desired import Aside, Desired
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.operating import carry_out
from redis_sentinel_operator.operations import aside, choose, drill, switchover
from redis_sentinel_operator.operations.move import Scene, Wish
from unit.operations.scenes import NOBODY, SWITCHED, config, facts, scene
from unit.plan.world import S1, S2, S3, M, desired, stopped_sentinel, verdict
from unit.test_operating import Hands, Play, play

__all__ = ["play"]


def named(what: Aside = "Maintenance", *names: str) -> Desired:
    whole = desired()
    return replace(whole, hosts=tuple(replace(host, aside=what if host.name in names else "") for host in whole.hosts))


def test_a_master_that_is_named_is_replaced_by_the_best_replica_that_is_not() -> None:
    begun = aside.due(scene(what=named("Fenced", M, S1)), ())
    assert isinstance(begun, Operation)
    assert (begun.type, begun.step, begun.arg, begun.at) == ("switchover", "prefer", "-", "2026-01-31T12:00:00Z")
    assert scene().name(begun.new) == S2


HEAD = "spec.maintenanceHosts names redis_master01, which is the master and is not stopped: "
FAILED = {"verb": "switchover", "arg": "-", "at": "2026-01-31T11:55:00Z", "result": "Failed", "message": "it was so."}
WAITS: dict[str, tuple[Scene, tuple[dict[str, str], ...], str]] = {
    "nobody to switch to": (
        scene(facts(S1=config(slave_priority="0"), S2=config(slave_priority="0")), what=named("Maintenance", M)),
        (),
        HEAD + "once another is master in its place there would be no replica that the sentinels can promote. Bring "
        "another in sync first (with a replica-priority other than 0), or take redis_master01 out of "
        "spec.maintenanceHosts",
    ),
    "something else first": (
        scene(what=named("Maintenance", M), pending="redis on redis_slave03 is stopped"),
        (),
        HEAD + "something is to be done first: redis on redis_slave03 is stopped; it begins by itself then",
    ),
    "a sentinel is missing": (
        scene(facts(S3=stopped_sentinel), what=named("Maintenance", M)),
        (),
        HEAD + "not every declared sentinel answers and names the same master; a switchover begins only while all is "
        "calm: it begins by itself then",
    ),
    "it failed a while ago": (
        scene(what=named("Maintenance", M)),
        (FAILED,),
        HEAD + "the switchover away from it has failed (it was so). It is tried again 10 minutes after that, or when "
        "you ask for it (act: switchover -)",
    ),
}


@pytest.mark.parametrize("case", WAITS)
def test_it_waits_and_says_what_for(case: str) -> None:
    now, acts, sentence = WAITS[case]
    assert aside.due(now, acts) == sentence


def test_it_is_tried_again_later_and_after_one_that_was_done() -> None:
    assert isinstance(aside.due(scene(what=named("Fenced", M), after=301), (FAILED,)), Operation)
    assert isinstance(aside.due(scene(what=named("Fenced", M)), ({**FAILED, "result": "Done"},)), Operation)


def test_nothing_is_due_for_others_nor_in_a_transition() -> None:
    assert aside.due(scene(), ()) is None
    assert aside.due(scene(what=named("Fenced", S1)), ()) is None
    assert aside.due(scene(found=NOBODY, what=named("Fenced", M)), ()) is None
    failing = replace(verdict(SWITCHED.situation, M), transition=("the sentinel on redis_slave01 runs a failover",))
    assert aside.due(scene(found=failing, what=named("Fenced", M)), ()) is None


def test_a_host_that_is_set_aside_becomes_no_master_by_an_act_either() -> None:
    now = scene(what=named("Fenced", S2))
    assert switchover.begin(now, Wish("switchover", S2, "2026-01-31T11:59:59Z")) == (
        "spec.fencedHosts names redis_slave02: take it out of there first"
    )
    assert choose.unfit(next(host for host in now.hosts if host.name == S3), now.hosts) is None


def test_a_drill_is_for_a_cluster_with_all_its_hosts() -> None:
    assert drill.begin(scene(what=named("Maintenance", S3)), Wish("drill", "-", "2026-01-31T11:59:59Z")) == (
        "a drill needs all hosts, and left out on purpose are redis_slave03 (spec.maintenanceHosts): take them out of "
        "there first"
    )


def test_a_sentinel_that_is_set_aside_is_not_asked() -> None:
    begun = aside.due(scene(what=named("Maintenance", M, S1)), ())
    assert isinstance(begun, Operation)
    assert (scene().name(begun.new), scene().name(begun.sentinel)) == (S2, S3)


async def test_the_switchover_is_told_as_an_act_and_begins_in_the_same_pass(play: Play) -> None:
    hands = Hands(play.board)
    now = play.pass_of(what=named("Fenced", M), wish=None)
    went = await carry_out(now, hands.do)
    assert hands.log[-1] == "prefer: set slave-priority 1 on the running redis for a while"
    assert went.results[-1].step.why == (
        "a switchover was asked for by the act annotation, or the spec sets the master aside"
    )
    assert play.acts() == [("Running", "redis_slave01 is to become master instead of redis_master01")]


async def test_with_hands_off_nothing_begins(play: Play) -> None:
    assert play.pass_of(what=named("Fenced", M), wish=None, leaving="management became Paused").moves is None
    assert play.acts() == []


async def test_why_it_does_not_begin_is_what_the_pass_waits_for(play: Play) -> None:
    read = facts(S1=config(slave_priority="0"), S2=config(slave_priority="0"))
    now = play.pass_of(read, what=named("Maintenance", M), wish=None)
    assert now.moves is None
    assert now.todo.waiting == (WAITS["nobody to switch to"][2],)
