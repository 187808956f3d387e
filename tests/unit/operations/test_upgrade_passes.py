"""An upgrade within passes: begun by the spec, told as an act, held by what else goes on or by a person."""

from __future__ import annotations

from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.operating import carry_out
from unit.operations.scenes import NEWER, asking, config, facts, of_an_upgrade, upgraded
from unit.plan.world import S1, S2, S3, M
from unit.test_operating import Hands, Play, play

__all__ = ["play"]

ON = f"redis-{NEWER} is to be installed on {M}, {S1}, {S2}, {S3}"
REPLICAS = {each: upgraded() for each in ("S1", "S2", "S3")}


async def test_the_spec_begins_it_and_it_is_told_as_an_act(play: Play) -> None:
    hands = Hands(play.board)
    went = await carry_out(play.pass_of(what=asking(), wish=None), hands.do)
    assert hands.log == [f"fetch: fetch redis-{NEWER}"] * 4
    assert went.halted == ""
    assert play.acts() == [
        (
            "Running",
            f"redis-{NEWER} is to be installed on {S1}, {S2}, {S3}, {M}, one after the other, the last one after a "
            "switchover",
        )
    ]
    assert play.board.document()["operation"]["step"] == "replicas"
    await carry_out(play.pass_of(what=asking(), wish=None), hands.do)
    assert hands.log[4:] == [f"replicas: upgrade to redis-{NEWER}"], "one host in a pass"


async def test_what_no_repository_has_ends_it_before_anything_is_changed_and_it_is_not_begun_at_once(
    play: Play,
) -> None:
    hands = Hands(play.board, fails={"fetch": f"no enabled repository (epel) has redis-{NEWER}"})
    for _ in range(4):
        now = play.pass_of(what=asking(), wish=None)
        if now.moves is None:
            break
        await carry_out(now, hands.do)
    assert set(hands.log) == {f"fetch: fetch redis-{NEWER}"}
    assert play.acts() == [("Failed", f"{M}: no enabled repository (epel) has redis-{NEWER}")]
    assert now.todo.waiting == (
        f"{ON} and is not: the last attempt has failed ({M}: no enabled repository (epel) has redis-{NEWER}). It is "
        "tried again 10 minutes after that, or when you ask for it (act: upgrade -)",
    )
    assert play.pass_of(what=asking("3.2.6-4.el7"), wish=None).moves is not None, "another version is another attempt"


async def test_with_hands_off_nothing_begins(play: Play) -> None:
    now = play.pass_of(what=asking(), wish=None, leaving="management became Paused")
    assert (now.moves, now.todo, play.acts()) == (None, Plan(), [])


async def test_paused_in_the_middle_it_ends_between_two_hosts(play: Play) -> None:
    play.board.operate(of_an_upgrade())
    now = play.pass_of(what=asking(), wish=None, leaving="management became Paused")
    assert now.moves is not None
    assert (now.moves.steps, now.moves.record.result) == ((), "Failed")
    assert now.moves.record.message == "management became Paused"


async def test_another_procedure_goes_first_and_none_begins_beside_it(play: Play) -> None:
    now = play.pass_of(what=asking())
    assert now.moves is not None
    assert now.moves.record.type == "switchover", "a person asks for it"
    await carry_out(now, Hands(play.board).do)
    again = play.pass_of(what=asking(), wish=None)
    assert again.moves is not None
    assert again.moves.record.type == "switchover"


async def test_supervised_the_master_is_left_to_a_person_and_all_else_is_as_declared(play: Play) -> None:
    now = play.pass_of(facts(**REPLICAS), what=asking(supervised=True), wish=None)
    assert now.moves is None
    assert now.todo.settled
    assert now.todo.decision[0] == "UpgradeWaits"
    assert now.todo.decision[1].startswith(f"redis-{NEWER} is on all hosts but {M}, which is the master. ")


async def test_why_it_does_not_begin_is_what_the_pass_waits_for(play: Play) -> None:
    never = {each: config(slave_priority="0") for each in ("S1", "S2", "S3")}
    now = play.pass_of(facts(**never), what=asking(), wish=None)
    assert now.moves is None
    (said,) = now.todo.waiting
    assert said.startswith(f"{ON} and is not: no replica can become master: {S1} has replica-priority 0")
