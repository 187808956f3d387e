"""All procedures: how each begins, goes on, is given up, and ends. One at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from redis_sentinel_operator.model.operation import AskFailover, Operation, Promote, StartStopped, StopMaster
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.operations import drill, recover, reset_stale, restart, rotation, switchover, upgrade
from redis_sentinel_operator.operations.leftovers import put_back
from redis_sentinel_operator.operations.move import ENDED, RESTORE, Move, Scene, Wish, given_up, giving_up, title

_RESTORED = 60.0  # seconds in which what was changed is put back; what is later is put back without the procedure


@dataclass(frozen=True, slots=True)
class Procedure:
    """How one begins (a record, or the sentence why not), is announced, goes on, and goes back where it may not.

    `deadlines` are the seconds of each step, in their order; `commands` how the sentence of a step's command begins
    (none: it only watches). Steps of `forward` are not left: what they began is followed to its end. At those of
    `noted` the record is on every host before the command, and one that fails at those of `undone` goes back.
    """

    begin: Callable[[Scene, Wish], Operation | str] | None  # None: by a state, not by an act
    announce: Callable[[Scene, Operation], str]
    move: Callable[[Scene, Operation], Move]
    give_up: Callable[[Scene, Operation, str], Move]
    deadlines: Mapping[str, float]
    commands: Mapping[str, str]
    forward: frozenset[str]
    noted: frozenset[str]
    undone: frozenset[str]


PROCEDURES: Mapping[str, Procedure] = {
    switchover.NAME: Procedure(
        switchover.begin,
        switchover.announce,
        switchover.move,
        switchover.give_up,
        switchover.DEADLINES,
        switchover.COMMANDS,
        forward=switchover.FORWARD,
        noted=frozenset({"prefer", "ask"}),
        undone=frozenset({"prefer", "fence", "ask"}),
    ),
    drill.NAME: Procedure(
        drill.begin,
        drill.announce,
        drill.move,
        drill.give_up,
        drill.DEADLINES,
        drill.COMMANDS,
        forward=drill.FORWARD,
        noted=frozenset({"stop"}),
        undone=frozenset({"stop"}),
    ),
    restart.NAME: Procedure(
        restart.begin,
        restart.announce,
        restart.move,
        restart.give_up,
        restart.DEADLINES,
        restart.COMMANDS,
        forward=switchover.FORWARD,
        noted=frozenset({"prefer", "ask"}),
        undone=frozenset({"replicas", "prefer", "fence", "ask", "last"}),
    ),
    upgrade.NAME: Procedure(
        upgrade.begin,
        upgrade.announce,
        upgrade.move,
        upgrade.give_up,
        upgrade.DEADLINES,
        upgrade.COMMANDS,
        forward=switchover.FORWARD,
        noted=frozenset({"prefer", "ask"}),
        undone=frozenset({"fetch", "replicas", "prefer", "fence", "ask", "last"}),
    ),
    recover.NAME: Procedure(
        recover.begin,
        recover.announce,
        recover.move,
        recover.give_up,
        recover.DEADLINES,
        recover.COMMANDS,
        forward=recover.FORWARD,
        noted=frozenset(),
        undone=frozenset({"start", "promote"}),
    ),
    reset_stale.NAME: Procedure(
        reset_stale.begin,
        reset_stale.announce,
        reset_stale.move,
        given_up,
        reset_stale.DEADLINES,
        reset_stale.COMMANDS,
        forward=reset_stale.FORWARD,
        noted=frozenset(),
        undone=frozenset({"stop", "write", "start", "monitor"}),
    ),
    rotation.NAME: Procedure(
        None,
        title,
        rotation.move,
        given_up,
        rotation.DEADLINES,
        rotation.COMMANDS,
        forward=rotation.FORWARD,
        noted=frozenset(),
        undone=frozenset(),
    ),
}
ACTS = tuple(verb for verb, procedure in PROCEDURES.items() if procedure.begin is not None)


def begin(scene: Scene, wish: Wish, going_on: Operation | None) -> Operation | str:
    """Return the record of the procedure that an act asks for, or the sentence why it is not begun."""
    if going_on is not None:
        return (
            f"the {title(scene, going_on)} goes on ({going_on.step}), and there is one at a time: ask again when "
            "status.operation is gone"
        )
    begins = PROCEDURES[wish.verb].begin
    return begins(scene, wish) if begins is not None else f"nobody asks for a {wish.verb} by an act"


def next_move(scene: Scene, record: Operation) -> Move:
    """Return what comes next; a type or step of a later version is left alone."""
    procedure = PROCEDURES.get(record.type)
    if procedure is None or record.step not in (*procedure.deadlines, RESTORE):
        known = f"the procedure {record.type!r} is at {record.step!r}, which this version of the operator does not know"
        return Move(record, (), f"{known}: nothing is done; run the version that began it")
    if record.step == RESTORE:
        return _restore(scene, record)
    if scene.leaving and record.step not in procedure.forward:
        return procedure.give_up(scene, record, scene.leaving)
    limit = procedure.deadlines[record.step]
    if scene.lasts(record) > limit:
        return procedure.give_up(scene, record, f"the step {record.step} did not end within {limit:.0f} s")
    return procedure.move(scene, record)


def is_noted(record: Operation) -> bool:
    """Return whether every host must carry the record before the step's commands."""
    return record.type in PROCEDURES and record.step in PROCEDURES[record.type].noted


def failed(record: Operation, step: Step, message: str, *, begun: bool, sure: bool, now: datetime) -> Operation | None:
    """Return the record after a step that failed or was not begun, None when it stays as it is.

    Args:
        record: at which step the procedure is.
        step: what failed.
        message: why.
        begun: whether it was begun at all.
        sure: whether its command was certainly not carried out.
        now: the time.
    """
    asks = isinstance(step.action, AskFailover)
    if begun and not sure and isinstance(step.action, AskFailover | StopMaster | StartStopped | Promote):
        return None  # it may have been heard, and what becomes of it shows
    if not begun and not asks:
        return None  # the next pass begins it
    if record.type in PROCEDURES and record.step in PROCEDURES[record.type].undone:
        return giving_up(record, f"{step.host}: {message.rstrip('. ')}", now)
    return None


def current(stored: Operation | None, on_hosts: Iterable[Operation], answered: frozenset[str]) -> Operation | None:
    """Return the procedure that goes on, from status and from what hosts carry; None when there is none.

    Status may be lost, and then the hosts tell. A record whose act is answered is what a host still has to put back.
    """
    found = list(on_hosts)
    if stored is None:
        live = [each for each in found if each.at not in answered]
        stored = max(live, key=lambda each: each.started_at, default=None)
    if stored is None:
        return None
    same = [stored, *(each for each in found if each.id == stored.id)]
    latest = max(same, key=lambda each: each.since)
    before = {at: values for each in same for at, values in each.before.items()}
    return replace(latest, before=before)


def _restore(scene: Scene, record: Operation) -> Move:
    """Put back what is left on each host; where one cannot be read for long, it has what to put back with it."""
    mine = [host for host in scene.hosts if host.claim and host.claim.operation is not None]
    steps = tuple(step for host in mine for step in put_back(host, scene.desired.redis_port))
    read = {host.name for host in scene.hosts}
    missing = [host.name for host in mine]
    missing += [host.name for host in scene.desired.staying if PROCEDURES[record.type].noted and host.name not in read]
    says = f"the {title(scene, record)} has {record.result.lower()}: {record.message}"
    if missing and scene.lasts(record) <= _RESTORED:
        return Move(record, steps, f"{says}; what it changed for a while is put back")
    if missing:
        names = ", ".join(missing)
        record = replace(record, message=f"{record.message}; what it changed on {names} is put back when it can be")
    return Move(replace(record, step=ENDED), steps, says)
