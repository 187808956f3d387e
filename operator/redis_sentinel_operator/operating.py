"""A procedure within a pass: its record is stored before its commands, and while it lasts the plan waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias

from redis_sentinel_operator.apply.outcome import NOT_DONE
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_unread import Patience
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.operation import Operation, RememberOperation
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan, Step
from redis_sentinel_operator.model.verdict import Verdict
from redis_sentinel_operator.operations import aside, reset_stale, rotation, upgrade
from redis_sentinel_operator.operations.leftovers import put_back
from redis_sentinel_operator.operations.move import ENDED, RESTORE, Move, Scene, Wish
from redis_sentinel_operator.operations.procedures import PROCEDURES, begin, current, failed, is_noted, next_move
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.part import Stage

Results: TypeAlias = tuple[StepResult, ...]
Do: TypeAlias = Callable[[Plan, bool], Awaitable[tuple[Results, str]]]
_STORED = 5.0  # seconds within which status must be stored before something is changed
_AGAIN = 1.0  # seconds until what failed is tried again


@dataclass(frozen=True, slots=True)
class Operating:
    """What one pass has to do for a procedure: `moves` is None where none goes on; `hosts` are those that were read."""

    board: Board
    hosts: tuple[Host, ...]
    known: Operation | None
    moves: Move | None
    todo: Plan
    now: datetime


@dataclass(frozen=True, slots=True)
class Went:
    """What was done, why the rest was not begun ("" when all was), the sentence, and seconds until the next pass."""

    results: Results
    halted: str
    sentence: str
    requeue_after: float


def operating(
    board: Board,
    desired: Desired,
    facts: ClusterFacts,
    verdict: Verdict,
    *,
    todo: Plan,
    wish: Wish | None,
    leaving: str,
    now: datetime,
    secret: Secret | None,
    patience: Patience,
) -> Operating:
    """Decide what comes next; an act that may not be done is answered, in a moment where a host could not be read.

    Args:
        board: has the procedure that goes on.
        desired: the declared cluster.
        facts: the newest reading.
        verdict: what the judge says of it.
        todo: what the plan would do if no procedure went on.
        wish: the act that is not answered yet.
        leaving: why hosts may not be changed now, "" when they may.
        now: the time.
        secret: the password of the Secret, None where none is declared; `desired` has the one that is in force.
        patience: with acts that this reading would refuse.
    """
    hosts, unread = readable(desired, facts)
    carried = [host.claim.operation for host in hosts if host.claim and host.claim.operation]
    known = current(board.operation, carried, board.answered)
    told = (board.failovers.last, secret, board.last_master)
    scene = Scene(desired, facts, verdict, hosts, unread, now, todo, leaving, *told)
    record = known
    if wish is not None and (known is None or known.at != wish.at):
        begun = leaving or begin(scene, wish, known)
        if isinstance(begun, str) and not leaving and patience.has(wish.at, desired, facts):
            todo = replace(todo, waiting=(*todo.waiting, f"the {wish.verb} that was asked for waits a moment: {begun}"))
        elif isinstance(begun, str):
            board.act(wish.verb, wish.arg, wish.at, "Refused", begun)
        else:
            record = begun
            board.act(wish.verb, wish.arg, wish.at, "Running", PROCEDURES[begun.type].announce(scene, begun))
    if record is None and not leaving:
        record, waits = _by_a_state(board, scene)
        todo = replace(todo, waiting=(*todo.waiting, *waits), supervised=upgrade.asks(scene))
    if record is None:
        return Operating(board, hosts, None, None, _with_leftovers(todo, hosts, desired), now)
    moves = next_move(scene, record)
    return Operating(board, hosts, known, moves, Plan(moves.steps, (moves.says,), todo.drift), now)


def _by_a_state(board: Board, scene: Scene) -> tuple[Operation | None, tuple[str, ...]]:
    """Return the procedure that a state asks for and that may begin now, and sentences for what waits."""
    rotates = rotation.due(scene)
    if isinstance(rotates, Operation):
        return rotates, ()
    acts = board.document().get("acts", ())
    found = (rotates, aside.due(scene, acts), upgrade.due(scene, acts))
    waits = tuple(each for each in found if isinstance(each, str))
    begins = next((each for each in found if isinstance(each, Operation)), None)
    if begins is not None:
        board.act(begins.type, begins.arg, begins.at, "Running", PROCEDURES[begins.type].announce(scene, begins))
        return begins, waits
    mends = reset_stale.due(scene, acts)
    return (mends, waits) if isinstance(mends, Operation) else (None, (*waits, *((mends,) if mends else ())))


def _with_leftovers(todo: Plan, hosts: tuple[Host, ...], desired: Desired) -> Plan:
    """Put back what a procedure left that has ended without this host; the host's other changes wait for that."""
    left = {host.name: put_back(host, desired.redis_port) for host in hosts}
    kept = tuple(step for step in todo.steps if not left.get(step.host))
    return replace(todo, steps=(*kept, *(step for steps in left.values() for step in steps)))


async def carry_out(this: Operating, do: Do) -> Went:
    """Store, do, and go on as long as all goes well.

    `do` carries out steps as every pass does; its second argument: no host waits for another. Where that is False all
    are waited for, whatever failed on a host before, and the first failure ends it.
    """
    assert this.moves is not None  # noqa: S101 - the caller has asked
    move: Move | None = this.moves
    results: Results = ()
    while move is not None:
        record = move.record
        noted, why = await _store(this, record, do) if record.step != ENDED else ((), "")
        apart = record.step in (RESTORE, ENDED)
        done, halted = ((), why) if why else await do(Plan(move.steps), apart)
        results += noted + done
        if record.step == ENDED:
            _end(this.board, record)
        if why or halted or sum(result.ok for result in done) < len(move.steps):
            return _stopped(this, move, results, done, halted)
        says, move = move.says, move.then
    changed = bool(results) or this.board.operation != this.known
    return Went(results, "", says, 0.0 if changed else -1.0)


def _stopped(this: Operating, move: Move, results: Results, done: Results, halted: str) -> Went:
    """Something failed or was not begun: go the way back from there, unless it may be tried again."""
    wrong = next((result for result in done if not result.ok), None)
    begun = {id(result.step) for result in done}
    step = wrong.step if wrong else next((each for each in move.steps if id(each) not in begun), None)
    message = wrong.message if wrong else halted or "it is not its turn yet"
    if step is not None and move.record.step != ENDED:
        sure = wrong is None or wrong.reason == NOT_DONE
        after = failed(move.record, step, message, begun=wrong is not None, sure=sure, now=this.now)
        if after is not None:
            this.board.operate(after)
            return Went(results, halted, f"{move.says}: {message}", 0.0)
    return Went(results, halted, f"{move.says}: {message}", _AGAIN)


async def _store(this: Operating, record: Operation, do: Do) -> tuple[Results, str]:
    """Store how far it is; return what was done on hosts, and why it is not stored ("" when it is)."""
    if record != this.board.operation:
        this.board.operate(record)
    try:
        async with asyncio.timeout(_STORED):
            await this.board.flush()
    except TimeoutError:
        return (), f"status could not be stored within {_STORED:.0f} s"
    lacking = [host for host in this.hosts if host.claim and host.claim.operation != record]
    if not is_noted(record) or not lacking:
        return (), ""
    results, halted = await do(Plan(tuple(_note(host, record) for host in lacking)), False)
    wrong = next((f"{each.step.host}: {each.message}" for each in results if not each.ok), "")
    return results, halted or wrong


def _note(host: Host, record: Operation) -> Step:
    what = f"write down how far the {record.type} is ({record.step})"
    return Step(host.name, what, "whoever comes next must know", RememberOperation(record), Stage.CLAIM)


async def way_back(
    desired: Desired, read: Callable[[], Awaitable[ClusterFacts]], do: Callable[[Step], Awaitable[object]]
) -> None:
    """Put back what a procedure changed for a while, as far as hosts answer: in force and in files, then strike it."""
    for _ in range(2):
        hosts, _unread = readable(desired, await read())
        todo = [put_back(host, desired.redis_port) for host in hosts]
        await asyncio.gather(*(_in_turn(steps, do) for steps in todo), return_exceptions=True)


async def _in_turn(steps: tuple[Step, ...], do: Callable[[Step], Awaitable[object]]) -> None:
    for step in steps:
        await do(step)


def _end(board: Board, record: Operation) -> None:
    board.operate(None)
    if record.at:
        board.act(record.type, record.arg, record.at, record.result, record.message)
