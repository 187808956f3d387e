"""Restart: what a directive needs a restart for gets it on every host, the master's last and after a switchover.

replicas  the plan's own restarts: one replica after the other behind the full gate, the next when all are in sync
prefer, fence, ask, demote  a switchover to the best replica, where the master waits for a restart too
last      what the switchover changed for a while is put back, and the former master is restarted as a replica
restore   (every procedure's last step) the record is struck from the hosts
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from redis_sentinel_operator.judge.findings import trouble_of_replica
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.model.operation import ForgetOperation, Operation
from redis_sentinel_operator.model.step import Need, StartUnit, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose, switchover
from redis_sentinel_operator.operations.leftovers import put_back
from redis_sentinel_operator.operations.move import RESTORE, Move, Scene, Wish, at_step, given_up, title
from redis_sentinel_operator.operations.resync import cannot_resync
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Stage
from redis_sentinel_operator.plan.restart import waiting
from redis_sentinel_operator.times import precise

NAME = "restart"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {
    "replicas": "restart redis (",
    **switchover.COMMANDS,
    "last": "restart the former master",
}
# Seconds in which each step ends or the way back is taken: after a restart a replica may have to get all data anew.
DEADLINES: Mapping[str, float] = {"replicas": 1800.0, **switchover.DEADLINES, "last": 600.0}
_CALM = "ask again when phase is Healthy or WaitingForYou"


# -- before it begins


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of a round of restarts that may begin, or the sentence why not and what would make it go."""
    master = scene.verdict.master
    reason = why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        why = (reason or "nobody is confirmed as master").rstrip(". ")
        return f"{why}; a restart begins only while all is calm: {_CALM}"
    if wish.arg != choose.BEST:
        return f"a restart is for every host that waits for one, so {wish.arg} cannot be named: ask with -"
    first = (*scene.unread, *scene.todo.waiting, *_other_work(scene))
    if first:
        return f"something is to be done first: {first[0].rstrip('. ')}; {_CALM}"
    if not waiting(scene.todo.drift):
        return "nothing waits for a restart: no entry in status.hosts[].config has pendingRestart true"
    new = _successor(scene, master)
    return new if isinstance(new, str) else _record(scene, wish, master, new)


def _other_work(scene: Scene) -> tuple[str, ...]:
    """What else than restarts the plan would do."""
    return tuple(f"{step.host}: {step.what}" for step in scene.todo.steps if step.stage != Stage.RESTART)


def _successor(scene: Scene, master: Confirmed) -> Host | str | None:
    """Return who would be master meanwhile, None where the master needs no restart; a sentence where nobody can be."""
    if master.host not in waiting(scene.todo.drift):
        return None
    new, old = choose.successor(scene, master, choose.BEST), scene.host(master.address)
    if isinstance(new, str) or old is None:
        return new if isinstance(new, str) else f"redis on {master.host} could not be read; {_CALM}"
    return cannot_resync(old, new, [host for host in scene.hosts if host.want.redis], 0.0) or new


def _record(scene: Scene, wish: Wish, master: Confirmed, new: Host | None) -> Operation:
    at = precise(scene.now)
    return Operation(
        id=uuid.uuid4().hex,
        type=NAME,
        step="replicas",
        started_at=at,
        since=at,
        at=wish.at,
        arg=wish.arg,
        old=master.address,
        new=new.want.address if new else "",
        config_epoch=master.config_epoch,
        sentinel="",
    )


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    hosts = [host.name for host in scene.desired.redis_hosts if host.name in waiting(scene.todo.drift)]
    old = scene.name(record.old)
    order = [*(name for name in hosts if name != old), *(name for name in hosts if name == old)]
    after = ", the last one after a switchover" if old in order else ""
    return f"redis is to be restarted on {', '.join(order)}, one after the other{after}"


# -- step by step


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next at the step that is recorded."""
    if record.step == "replicas":
        return _replicas(scene, record)
    return _last(scene, record) if record.step == "last" else _switching(scene, record)


def give_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the way back; what came about while nobody looked counts."""
    if record.step == "ask":
        return _then_last(scene, switchover.give_up(scene, record, why))
    if record.step == "last":
        found = _last(scene, record)
        return found if found.record.step != "last" else given_up(scene, record, f"{_switched(scene, record)}; {why}")
    return given_up(scene, record, why)


def _replicas(scene: Scene, record: Operation) -> Move:
    """The plan goes on as it does without a procedure, until it has nothing left but the master."""
    master = scene.verdict.master
    if isinstance(master, Confirmed) and (master.address, master.config_epoch) != (record.old, record.config_epoch):
        return given_up(scene, record, f"{master.host} is master at config epoch {master.config_epoch} by now")
    if scene.todo.steps:
        return Move(record, scene.todo.steps, f"{title(scene, record)}: {_pending(scene)}")
    reason = next(iter((*scene.unread, *scene.todo.waiting)), None)
    reason = reason or why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        return Move(record, (), f"{title(scene, record)} waits: {reason or 'nobody is confirmed as master'}")
    if master.host in waiting(scene.todo.drift):
        return _begin_switchover(scene, record)
    return _done(scene, record, f"every redis has in force what is declared, and {master.host} is still the master")


def _begin_switchover(scene: Scene, record: Operation) -> Move:
    begun = switchover.begin(scene, Wish(NAME, choose.BEST, record.at))
    if isinstance(begun, str):
        return given_up(scene, record, begun)
    kept = replace(begun, id=record.id, type=NAME, started_at=record.started_at, arg=record.arg)
    return switchover.move(scene, kept)


def _switching(scene: Scene, record: Operation) -> Move:
    return _then_last(scene, switchover.move(scene, record))


def _then_last(scene: Scene, moved: Move) -> Move:
    """After a switchover that is through comes the former master; one that is given up ends the round."""
    if (moved.record.step, moved.record.result) != (RESTORE, "Done"):
        return moved
    record = replace(at_step(moved.record, "last", scene), result="", message="")
    return Move(record, (), f"{title(scene, record)}: {scene.name(record.old)} is the last one")


def _last(scene: Scene, record: Operation) -> Move:
    old, master = scene.host(record.old), scene.verdict.master
    back = tuple(
        step
        for host in scene.hosts
        for step in put_back(host, scene.desired.redis_port)
        if not isinstance(step.action, ForgetOperation)
    )
    if back:
        return Move(record, back, f"{title(scene, record)}: what the switchover changed for a while is put back")
    if scene.todo.steps:
        steps = tuple(_told(scene, record, step) for step in scene.todo.steps)
        return Move(record, steps, f"{title(scene, record)}: {_pending(scene)}")
    if old is None or not isinstance(master, Confirmed) or scene.todo.waiting:
        return Move(record, (), f"{title(scene, record)} waits: {scene.pending or scene.name(record.old)}")
    trouble = trouble_of_replica(old.want, scene.facts, master)
    if trouble or old.name in waiting(scene.todo.drift):
        return Move(record, (), f"{title(scene, record)} waits: {old.name}: {trouble or 'it waits for a restart'}")
    return _done(scene, record, f"every redis has in force what is declared; {_switched(scene, record)}")


def _told(scene: Scene, record: Operation, step: Step) -> Step:
    """The restart of the former master under a sentence of its own."""
    if step.host != scene.name(record.old) or not isinstance(step.action, StartUnit) or not step.action.restart:
        return step
    return replace(step, what=f"{COMMANDS['last']}, which is a replica now ({step.action.unit})")


# -- what several steps use


def _pending(scene: Scene) -> str:
    step = scene.todo.steps[0]
    return f"{step.host}: {step.what}"


def _switched(scene: Scene, record: Operation) -> str:
    master = scene.verdict.master
    who = master.host if isinstance(master, Confirmed) else scene.name(record.new)
    return f"{who} is the master, before it was {scene.name(record.old)}"


def _done(scene: Scene, record: Operation, message: str) -> Move:
    done = replace(at_step(record, RESTORE, scene), result="Done", message=message)
    return Move(done, (), f"{title(scene, record)}: {message}")
