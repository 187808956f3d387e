"""What is done on every host one after the other, the master's last and after a switchover: restarts, upgrades.

replicas  one replica after the other behind the full gate, the next when all are in sync
prefer, fence, ask, demote  a switchover to the best replica, where the master's host waits too
last      what the switchover changed for a while is put back, and it is done on the former master, a replica by then
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from redis_sentinel_operator.judge.findings import trouble_of_replica
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.model.operation import ForgetOperation, Operation
from redis_sentinel_operator.model.step import Need, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose, switchover
from redis_sentinel_operator.operations.leftovers import put_back
from redis_sentinel_operator.operations.move import RESTORE, Move, Scene, Wish, at_step, given_up, title
from redis_sentinel_operator.operations.resync import cannot_resync
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.times import precise

CALM = "ask again when phase is Healthy or WaitingForYou"


@dataclass(frozen=True, slots=True)
class Round:
    """What one such procedure does.

    `waits` names the hosts on which it is still to be done. `steps` is what does it on the next of them that is not the
    master's, where the plan has no steps of its own for that, or a sentence why not now. `told` gives the step on the
    former master its own sentence, `done` is what is true in the end. `stops` is why the master is left as it is, ""
    where it is its turn.
    """

    name: str
    waits: Callable[[Scene], frozenset[str]]
    steps: Callable[[Scene], tuple[Step, ...] | str]
    told: Callable[[Step], Step]
    done: str
    stops: Callable[[Scene, Operation], str]


def successor(scene: Scene, round_: Round) -> Host | str | None:
    """Return who would be master meanwhile, None where the master's does not wait; a sentence where nobody can be."""
    master = scene.verdict.master
    if not isinstance(master, Confirmed) or master.host not in round_.waits(scene):
        return None
    new, old = choose.successor(scene, master, choose.BEST, round_.name), scene.host(master.address)
    if isinstance(new, str) or old is None:
        return new if isinstance(new, str) else f"redis on {master.host} could not be read; {CALM}"
    return cannot_resync(old, new, [host for host in scene.hosts if host.want.redis], 0.0) or new


def record(scene: Scene, wish: Wish, master: Confirmed, new: Host | None, *, first: str = "replicas") -> Operation:
    """Return the record at its first step."""
    at = precise(scene.now)
    return Operation(
        id=uuid.uuid4().hex,
        type=wish.verb,
        step=first,
        started_at=at,
        since=at,
        at=wish.at,
        arg=wish.arg,
        old=master.address,
        new=new.want.address if new else "",
        config_epoch=master.config_epoch,
        sentinel="",
    )


def in_order(scene: Scene, record: Operation, waits: frozenset[str]) -> tuple[str, ...]:
    """Return the names of the hosts in the order of their turns."""
    old = scene.name(record.old)
    names = [host.name for host in scene.desired.staying if host.name in waits]
    return (*(name for name in names if name != old), *(name for name in names if name == old))


# -- step by step


def move(scene: Scene, record: Operation, round_: Round) -> Move:
    """Return what comes next at the step that is recorded."""
    if record.step == "replicas":
        return _replicas(scene, record, round_)
    if record.step == "last":
        return _last(scene, record, round_)
    return _then_last(scene, switchover.move(scene, record))


def give_up(scene: Scene, record: Operation, why: str, round_: Round) -> Move:
    """Return the way back; what came about while nobody looked counts."""
    if record.step == "ask":
        return _then_last(scene, switchover.give_up(scene, record, why))
    if record.step == "last":
        found = _last(scene, record, round_)
        return found if found.record.step != "last" else given_up(scene, record, f"{_switched(scene, record)}; {why}")
    return given_up(scene, record, why)


def _replicas(scene: Scene, record: Operation, round_: Round) -> Move:
    """The plan goes on as it does without a procedure, until nothing is left but the master."""
    master = scene.verdict.master
    if isinstance(master, Confirmed) and (master.address, master.config_epoch) != (record.old, record.config_epoch):
        return given_up(scene, record, f"{master.host} is master at config epoch {master.config_epoch} by now")
    steps = _steps(scene, round_)
    if not isinstance(steps, str) and steps:
        return Move(record, steps, f"{title(scene, record)}: {_first(steps)}")
    reason = steps or why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        return Move(record, (), f"{title(scene, record)} waits: {reason or 'nobody is confirmed as master'}")
    if master.host not in round_.waits(scene):
        return _done(scene, record, f"{round_.done}, and {master.host} is still the master")
    stops = round_.stops(scene, record)
    return _done(scene, record, stops) if stops else _begin_switchover(scene, record, round_)


def _steps(scene: Scene, round_: Round) -> tuple[Step, ...] | str:
    """Return what is to be done on hosts but the master's, or why it is not done now."""
    if scene.todo.steps:
        return scene.todo.steps
    reason = next(iter((*scene.unread, *scene.todo.waiting)), None)
    return reason or round_.steps(scene)


def _begin_switchover(scene: Scene, record: Operation, round_: Round) -> Move:
    begun = switchover.begin(scene, Wish(round_.name, choose.BEST, record.at))
    if isinstance(begun, str):
        return given_up(scene, record, begun)
    kept = replace(begun, id=record.id, type=record.type, started_at=record.started_at, arg=record.arg)
    return switchover.move(scene, kept)


def _then_last(scene: Scene, moved: Move) -> Move:
    """After a switchover that is through comes the former master; one that is given up ends the round."""
    if (moved.record.step, moved.record.result) != (RESTORE, "Done"):
        return moved
    record = replace(at_step(moved.record, "last", scene), result="", message="")
    return Move(record, (), f"{title(scene, record)}: {scene.name(record.old)} is the last one")


def _last(scene: Scene, record: Operation, round_: Round) -> Move:
    """Once it is done there, nothing more is put back or planned on other hosts.

    What the plan wants then may be another value than the one of before: of priorities, when all versions are alike.
    """
    old, master = scene.host(record.old), scene.verdict.master
    is_done = old is not None and old.name not in round_.waits(scene)
    if isinstance(master, Confirmed) and master.address == record.old and master.config_epoch > record.config_epoch:
        return _again(scene, record, f"{round_.done}; " if is_done else "")
    back = () if is_done else _back(scene)
    if back:
        return Move(record, back, f"{title(scene, record)}: what the switchover changed for a while is put back")
    steps = _steps(scene, round_)
    if is_done and not isinstance(steps, str):
        steps = tuple(step for step in steps if step.host == scene.name(record.old))
    if not isinstance(steps, str) and steps:
        own = tuple(round_.told(step) if step.host == scene.name(record.old) else step for step in steps)
        return Move(record, own, f"{title(scene, record)}: {_first(steps)}")
    if old is None or not isinstance(master, Confirmed) or steps:
        return Move(record, (), f"{title(scene, record)} waits: {steps or scene.name(record.old)}")
    trouble = trouble_of_replica(old.want, scene.facts, master)
    if trouble or old.name in round_.waits(scene):
        return Move(record, (), f"{title(scene, record)} waits: {old.name}: {trouble or 'it is its turn'}")
    return _done(scene, record, f"{round_.done}; {_switched(scene, record)}")


def _again(scene: Scene, record: Operation, done: str) -> Move:
    """The new master has died, and the sentinels made the former one master: it would be waited for as a replica."""
    said = f"{done}{scene.name(record.old)} is the master again, as the sentinels have switched once more"
    return _done(scene, record, said) if done else given_up(scene, record, f"{said}: ask again when all is calm")


def _back(scene: Scene) -> tuple[Step, ...]:
    """Return what puts back all that the switchover changed; the hosts carry the record further."""
    steps = (step for host in scene.hosts for step in put_back(host, scene.desired.redis_port))
    return tuple(step for step in steps if not isinstance(step.action, ForgetOperation))


# -- what several steps use


def _first(steps: tuple[Step, ...]) -> str:
    return f"{steps[0].host}: {steps[0].what}"


def _switched(scene: Scene, record: Operation) -> str:
    master = scene.verdict.master
    who = master.host if isinstance(master, Confirmed) else scene.name(record.new)
    return f"{who} is the master, before it was {scene.name(record.old)}"


def _done(scene: Scene, record: Operation, message: str) -> Move:
    done = replace(at_step(record, RESTORE, scene), result="Done", message=message)
    return Move(done, (), f"{title(scene, record)}: {message}")
