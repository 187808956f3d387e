"""A procedure within a pass: stored before its commands, gone on with while all goes well, and answered at its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from redis_sentinel_operator.apply.outcome import NOT_DONE
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_acts import shown, stored
from redis_sentinel_operator.board_unread import Patience
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Unknown
from redis_sentinel_operator.model.operation import RememberOperation
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan, StartUnit, Step
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.operating import Operating, carry_out, operating
from unit.operations.scenes import NOON, SWITCHED, WISH, both, carrying, config, facts, record
from unit.operations.stuck import ASTRAY, AUTOMATIC, DISAGREE, calm
from unit.plan.world import S1, S2, Change, M, desired, stopped_redis, verdict

CALM = verdict(Situation.ALIVE, M)
NOTED = "write down how far the switchover is"


@dataclass
class Hands:
    """Does every step of a plan well, but as told: `fails` by how a sentence begins, `halts` before one."""

    board: Board
    log: list[str] = field(default_factory=list)
    fails: dict[str, str] = field(default_factory=dict)
    halts: str = ""
    reason: str = ""

    async def do(self, todo: Plan, apart: bool) -> tuple[tuple[StepResult, ...], str]:
        results = []
        assert apart is (self.board.document().get("operation", {}).get("step") == "restore")
        for step in todo.steps:
            if self.halts and step.what.startswith(self.halts):
                return tuple(results), "a sentinel reported something since the hosts were read"
            at = self.board.document().get("operation", {}).get("step", "nothing")
            self.log.append(f"{at}: {step.what.partition(' (')[0]}")
            why = next((why for begin, why in self.fails.items() if step.what.startswith(begin)), "")
            results.append(StepResult(step, not why, why or "done", 0.1, self.reason if why else ""))
        return tuple(results), ""


@dataclass
class Play:
    """A board, what it stored, and passes over it."""

    board: Board
    documents: list[dict[str, Any]]
    patience: Patience = field(default_factory=Patience)

    def pass_of(self, read: Any = None, found: Verdict = CALM, what: Desired | None = None, **more: Any) -> Operating:
        """What a pass finds to do, with an act that asks for a switchover unless told otherwise."""
        what = what or desired()
        known = {
            "todo": Plan(),
            "wish": WISH,
            "leaving": "",
            "now": NOON,
            "secret": what.password,
            "patience": self.patience,
            **more,
        }
        return operating(self.board, what, read or facts(), found, **known)

    def acts(self) -> list[tuple[str, str]]:
        """The answers in status."""
        return [(act["result"], act.get("message", "")) for act in self.board.document().get("acts", [])]


@pytest_asyncio.fixture
async def play() -> AsyncIterator[Play]:
    documents: list[dict[str, Any]] = []

    async def write(document: Any) -> None:
        documents.append(dict(document))

    board = Board(ClusterRef("default", "redis", "uid-1"), {"phase": "Healthy"}, write, lambda: NOON)
    task = asyncio.create_task(board.run())
    yield Play(board, documents)
    task.cancel()
    await asyncio.wait({task})


async def test_it_is_stored_in_status_and_on_every_host_before_anything_is_changed(play: Play) -> None:
    hands = Hands(play.board)
    went = await carry_out(play.pass_of(), hands.do)
    assert hands.log == [f"prefer: {NOTED}"] * 4 + ["prefer: set slave-priority 1 on the running redis for a while"]
    assert play.documents[-1]["operation"]["step"] == "prefer"
    assert went.requeue_after == 0.0
    notes = [result.step.action for result in went.results[:4]]
    assert all(isinstance(each, RememberOperation) and each.operation == play.board.operation for each in notes)
    assert play.acts() == [("Running", f"{S2} is to become master instead of {M}")]


async def test_where_a_host_does_not_take_the_record_nothing_is_changed(play: Play) -> None:
    hands = Hands(play.board, fails={NOTED: "no room"})
    went = await carry_out(play.pass_of(), hands.do)
    assert hands.log == [f"prefer: {NOTED}"] * 4
    assert went.sentence.endswith("no room")


async def test_where_status_cannot_be_stored_nothing_is_changed(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(play.board, "flush", never)
    monkeypatch.setattr("redis_sentinel_operator.operating._STORED", 0.01)
    hands = Hands(play.board)
    went = await carry_out(play.pass_of(), hands.do)
    assert hands.log == []
    assert "status could not be stored" in went.sentence


def preferred() -> Any:
    """All hosts carry the record, and the sentinels have read who is wanted."""
    whole: dict[str, Change] = dict.fromkeys(("M", "S1", "S3"), carrying(record()))
    return facts({"S2": 1}, **whole, S2=both(carrying(record()), config(slave_priority="1")))


async def test_the_question_is_recorded_everywhere_before_it_is_sent_in_the_same_pass(play: Play) -> None:
    hands = Hands(play.board)
    await carry_out(play.pass_of(preferred()), hands.do)
    assert hands.log == [
        "fence: let redis take no writes for a while",
        *[f"ask: {NOTED}"] * 4,
        f"ask: ask the sentinel for a failover to {S2}",
    ]
    assert play.board.operation is not None
    assert play.board.operation.step == "ask"


@pytest.mark.parametrize(
    ("accident", "step", "message"),
    [
        ({"fails": {"let redis take no writes": "too far behind"}}, "restore", f"{M}: too far behind"),
        ({"fails": {NOTED: "no room"}}, "restore", f"{S1}: {M}: no room"),
        ({"fails": {"ask the sentinel": "no answer"}}, "ask", ""),
        ({"fails": {"ask the sentinel": "refused"}, "reason": NOT_DONE}, "restore", f"{S1}: refused"),
        ({"halts": "ask the sentinel"}, "restore", f"{S1}: a sentinel reported something since the hosts were read"),
        ({"halts": "let redis take no writes"}, "fence", ""),
    ],
)
async def test_what_fails_on_the_way_is_gone_back_from_but_never_asked_twice(
    play: Play, accident: dict[str, Any], step: str, message: str
) -> None:
    hands = Hands(play.board, **accident)
    await carry_out(play.pass_of(preferred()), hands.do)
    assert play.board.operation is not None
    assert (play.board.operation.step, play.board.operation.message) == (step, message)


async def test_at_its_end_the_act_is_answered_in_its_place(play: Play) -> None:
    play.board.act(WISH.verb, WISH.arg, WISH.at, "Running", "it goes on")
    play.board.operate(replace(record("restore"), result="Done", message="it is done"))
    went = await carry_out(play.pass_of(), Hands(play.board).do)
    assert play.board.operation is None
    assert "operation" not in play.board.document()
    assert play.acts() == [("Done", "it is done")]
    assert went.requeue_after == 0.0


async def test_another_act_is_refused_while_one_goes_on_and_the_same_one_is_not(play: Play) -> None:
    play.board.operate(record())
    play.pass_of()
    assert play.acts() == []
    play.pass_of(wish=replace(WISH, at="2026-01-31T12:00:05Z"))
    ((result, message),) = play.acts()
    assert result == "Refused"
    assert message.endswith("there is one at a time: ask again when status.operation is gone")


async def test_nothing_begins_where_nothing_may_be_changed(play: Play) -> None:
    now = play.pass_of(leaving="The password of the Secret was changed")
    assert now.moves is None
    assert play.acts() == [("Refused", "The password of the Secret was changed")]


SILENT = Unknown("it has not answered in 2 s after others had", "CommandTimedOut")


def at(seconds: float, **changed: Change) -> ClusterFacts:
    return replace(facts(**changed), at=seconds)


@pytest.mark.parametrize(
    "away",
    [
        lambda host: replace(host, os=SILENT, redis=SILENT, sentinel=SILENT),
        lambda host: replace(host, redis=SILENT),
        lambda host: replace(host, sentinel=SILENT),
    ],
)
async def test_an_act_waits_a_moment_for_a_host_that_cannot_be_read(play: Play, away: Change) -> None:
    for seconds in (100.0, 102.9):
        now = play.pass_of(at(seconds, S1=away))
        assert play.acts() == []
        assert now.moves is None
        assert any(each.startswith("the switchover that was asked for waits a moment: ") for each in now.todo.waiting)
    assert play.pass_of(at(102.95)).moves is not None
    assert [result for result, _ in play.acts()] == ["Running"]


async def test_an_act_is_refused_where_a_host_stays_away_and_each_has_its_own_moment(play: Play) -> None:
    away: Change = lambda host: replace(host, redis=SILENT)  # noqa: E731
    play.pass_of(at(100.0, S1=away))
    play.pass_of(at(103.0, S1=away))
    assert [result for result, _ in play.acts()] == ["Refused"]
    play.pass_of(at(103.0, S1=away), wish=replace(WISH, at="2026-01-31T12:00:05Z"))
    assert len(play.acts()) == 1


async def test_what_every_host_says_is_an_answer_at_once_and_one_left_alone_is_not_waited_for(play: Play) -> None:
    play.pass_of(facts(S1=stopped_redis))
    assert [result for result, _ in play.acts()] == ["Refused"]
    hosts = tuple(replace(host, aside="Maintenance") if host.name == S1 else host for host in desired().hosts)
    silent = at(100.0, S1=lambda host: replace(host, os=SILENT, redis=SILENT, sentinel=SILENT))
    assert not Patience().has("t", desired(hosts=hosts), silent)
    assert Patience().has("t", desired(), silent)


async def test_without_an_act_nothing_happens(play: Play) -> None:
    todo = Plan((Step(S1, "start redis", "why", StartUnit("redis.service", 6379, False), 1),))
    now = play.pass_of(todo=todo, wish=None)
    assert (now.moves, now.todo) == (None, todo)
    assert play.board.operation is None


async def test_the_plan_waits_while_it_goes_on(play: Play) -> None:
    play.board.operate(record())
    todo = Plan((Step(S1, "start redis", "why", StartUnit("redis.service", 6379, False), 1),))
    now = play.pass_of(todo=todo)
    assert now.moves is not None
    assert (now.todo.steps, now.todo.waiting) == (now.moves.steps, (now.moves.says,))


def whats(steps: Sequence[Step]) -> list[tuple[str, str]]:
    return [(step.host, step.what) for step in steps]


async def test_what_an_ended_one_left_on_a_host_is_put_back_before_its_other_changes(play: Play) -> None:
    play.board.act(WISH.verb, WISH.arg, WISH.at, "Done", "it is done")
    late = facts(S2=both(carrying(record("ask")), config(slave_priority="1")))
    start = StartUnit("redis.service", 6379, False)
    todo = Plan((Step(S1, "start redis", "why", start, 1), Step(S2, "start redis", "why", start, 1)))
    now = play.pass_of(late, todo=todo, wish=None)
    assert now.moves is None
    assert whats(now.todo.steps) == [
        (S1, "start redis"),
        (S2, "put back slave-priority on the running redis"),
    ]


async def test_after_a_restart_it_goes_on_from_status_or_from_the_hosts(play: Play) -> None:
    asked = replace(record("ask"), since=record().since)
    whole: dict[str, Change] = dict.fromkeys(("M", "S1", "S2", "S3"), carrying(asked))
    now = play.pass_of(facts(**whole), SWITCHED)
    assert now.known == asked
    assert now.moves is not None
    assert now.moves.record.step == "demote"
    assert play.acts() == []


def test_status_holds_all_of_it_but_what_only_hosts_know() -> None:
    whole = replace(record("ask"), result="Done", message="so it is")
    assert stored(shown(whole)) == replace(whole, before={})
    assert stored(shown(None)) is None


async def test_another_password_in_the_secret_begins_by_itself_and_takes_the_place_of_the_plan(play: Play) -> None:
    hands = Hands(play.board)
    found = play.pass_of(wish=None, secret=Secret("new-and-better"))
    assert found.moves is not None
    await carry_out(found, hands.do)
    assert [line.partition(" ")[0] for line in dict.fromkeys(line.partition(":")[0] for line in hands.log)] == [
        "follow",
        "switch",
        "files",
    ]
    assert play.documents[0]["operation"]["type"] == "rotation"
    assert play.acts() == []
    assert "new-and-better" not in str(play.documents)


async def test_a_new_password_waits_for_calm_and_is_not_begun_with_hands_off(play: Play) -> None:
    secret = Secret("new-and-better")
    waits = play.pass_of(found=replace(CALM, transition=("a switch",)), wish=None, secret=secret)
    assert waits.moves is None
    assert waits.todo.waiting[-1].endswith("as soon as it is safe: a switch")
    assert play.pass_of(wish=None, secret=secret, leaving="management became Paused").moves is None


async def test_with_automatic_recovery_a_sentinel_that_is_stuck_is_watched_and_then_told_of_in_status(
    play: Play,
) -> None:
    """Nobody asked for it: an answer stands in status.acts all the same, once something is done."""
    none: dict[str, Any] = {"what": AUTOMATIC, "wish": None}
    seen = play.pass_of(calm(S3=ASTRAY), DISAGREE, **none)
    assert (await carry_out(seen, Hands(play.board).do)).results == ()
    assert play.documents[-1]["operation"]["step"] == "watch"
    assert play.acts() == []
    hands, later = Hands(play.board), NOON + timedelta(seconds=60)
    await carry_out(play.pass_of(calm(S3=ASTRAY), DISAGREE, now=later, **none), hands.do)
    assert hands.log == [f"monitor: let the sentinel monitor {M}"]
    for _ in range(2):
        await carry_out(play.pass_of(calm(), now=later, **none), Hands(play.board).do)
    assert play.acts() == [("Done", f"every sentinel names {M} at config epoch 1 and knows all others")]


async def test_one_that_waits_is_said(play: Play) -> None:
    read = calm(S3=ASTRAY, M=stopped_redis)
    waits = play.pass_of(read, DISAGREE, what=AUTOMATIC, wish=None)
    assert waits.moves is None
    assert "is mended when it is safe" in waits.todo.waiting[0]
