"""Restart: what a directive needs a restart for gets it on every host, the master's last and after a switchover.

The restarts of the replicas are the plan's own; the steps are those of every round (operations/rolling.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.step import Need, StartUnit, Step
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations import choose, rolling, switchover
from redis_sentinel_operator.operations.move import Move, Scene, Wish
from redis_sentinel_operator.operations.rolling import CALM, Round
from redis_sentinel_operator.plan.part import Stage
from redis_sentinel_operator.plan.restart import waiting

NAME = "restart"
# How the sentence of each step's command begins.
COMMANDS: Mapping[str, str] = {
    "replicas": "restart redis (",
    **switchover.COMMANDS,
    "last": "restart the former master",
}
# Seconds in which each step ends or the way back is taken: after a restart a replica may have to get all data anew.
DEADLINES: Mapping[str, float] = {"replicas": 1800.0, **switchover.DEADLINES, "last": 600.0}


def begin(scene: Scene, wish: Wish) -> Operation | str:
    """Return the record of a round of restarts that may begin, or the sentence why not and what would make it go."""
    master = scene.verdict.master
    reason = why_not(Need.CALM, "", scene.desired, scene.facts, scene.verdict)
    if reason or not isinstance(master, Confirmed):
        why = (reason or "nobody is confirmed as master").rstrip(". ")
        return f"{why}; a restart begins only while all is calm: {CALM}"
    if wish.arg != choose.BEST:
        return f"a restart is for every host that waits for one, so {wish.arg} cannot be named: ask with -"
    first = (*scene.unread, *scene.todo.waiting, *_other_work(scene))
    if first:
        return f"something is to be done first: {first[0].rstrip('. ')}; {CALM}"
    if not waiting(scene.todo.drift):
        return "nothing waits for a restart: no entry in status.hosts[].config has pendingRestart true"
    new = rolling.successor(scene, _ROUND)
    return new if isinstance(new, str) else rolling.record(scene, wish, master, new)


def _other_work(scene: Scene) -> tuple[str, ...]:
    """What else than restarts the plan would do."""
    return tuple(f"{step.host}: {step.what}" for step in scene.todo.steps if step.stage != Stage.RESTART)


def announce(scene: Scene, record: Operation) -> str:
    """Return what is going to happen."""
    order = rolling.in_order(scene, record, waiting(scene.todo.drift))
    after = ", the last one after a switchover" if scene.name(record.old) in order else ""
    return f"redis is to be restarted on {', '.join(order)}, one after the other{after}"


def move(scene: Scene, record: Operation) -> Move:
    """Return what comes next at the step that is recorded."""
    return rolling.move(scene, record, _ROUND)


def give_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the way back; what came about while nobody looked counts."""
    return rolling.give_up(scene, record, why, _ROUND)


def _told(step: Step) -> Step:
    if not isinstance(step.action, StartUnit) or not step.action.restart:
        return step
    return replace(step, what=f"{COMMANDS['last']}, which is a replica now ({step.action.unit})")


_ROUND = Round(
    NAME,
    waits=lambda scene: waiting(scene.todo.drift),
    steps=lambda _: (),
    told=_told,
    done="every redis has in force what is declared",
    stops=lambda _scene, _record: "",
)
