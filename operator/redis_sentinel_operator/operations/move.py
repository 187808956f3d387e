"""What procedures are asked with, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.event import Failover
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan, Step
from redis_sentinel_operator.model.verdict import MasterRecord, Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.times import precise, seconds


@dataclass(frozen=True, slots=True)
class Scene:
    """What is known now.

    `hosts` are those that could be read, `unread` a sentence for each of the others. `todo` is what the plan would do
    if no procedure went on. `leaving` is why nothing may be done any more but to put things back, "" when all may.
    `failover` is the last one of the record. `desired` has the password that is in force, `secret` is the one to be.
    `last` is the last confirmed master.
    """

    desired: Desired
    facts: ClusterFacts
    verdict: Verdict
    hosts: tuple[Host, ...]
    unread: tuple[str, ...]
    now: datetime
    todo: Plan = field(default_factory=Plan)
    leaving: str = ""
    failover: Failover | None = None
    secret: Secret | None = None
    last: MasterRecord | None = None

    @property
    def pending(self) -> str:
        """What the plan would do or waits for, "" for nothing."""
        if self.todo.waiting:
            return self.todo.waiting[0]
        return f"{self.todo.steps[0].host}: {self.todo.steps[0].what}" if self.todo.steps else ""

    def host(self, address: str) -> Host | None:
        """Return the host at an address, None when it could not be read or is not declared."""
        return next((host for host in self.hosts if host.want.address == address), None)

    def name(self, address: str) -> str:
        """Return the name of the host at an address; the address itself when it is of nobody declared."""
        found = self.desired.host_at(address)
        return found.name if found else address

    def lasts(self, record: Operation) -> float:
        """Return for how many seconds the present step of a procedure lasts."""
        return self.now.timestamp() - seconds(record.since)


@dataclass(frozen=True, slots=True)
class Wish:
    """What an act asks for: verb, argument, and its time."""

    verb: str
    arg: str
    at: str


@dataclass(frozen=True, slots=True)
class Move:
    """What is next: `record` is stored first, then `steps` are done, then, when all went well, comes `then`.

    `record` with the step `ended` is stored nowhere any more: its result and message are the answer to the act. `says`
    is the sentence of the pass.
    """

    record: Operation
    steps: tuple[Step, ...]
    says: str
    then: Move | None = None


_AGAIN = 600.0  # seconds after one that failed: each attempt makes writers wait, or restarts servers
ENDED = "ended"
RESTORE = "restore"


def at_step(record: Operation, step: str, scene: Scene) -> Operation:
    """Return the record at the beginning of a step."""
    return replace(record, step=step, since=precise(scene.now))


_TITLES = {
    "switchover": "switchover from {old} to {new}",
    "drill": "drill of {old}",
    "restart": "restart of what waits for one",
    "upgrade": "upgrade to newer packages",
    "recover": "recovery of the master {old}",
}


def title(scene: Scene, record: Operation) -> str:
    """Return what a procedure is, as sentences name it."""
    return _TITLES.get(record.type, record.type).format(old=scene.name(record.old), new=scene.name(record.new))


def given_up(scene: Scene, record: Operation, why: str) -> Move:
    """Return the move that begins the way back."""
    back = giving_up(record, why, scene.now)
    return Move(back, (), f"the {title(scene, record)} is given up: {why}")


def giving_up(record: Operation, why: str, now: datetime) -> Operation:
    """Return the record on its way back: what was changed for a while is put back, then it has failed."""
    return replace(record, step=RESTORE, since=precise(now), result="Failed", message=why)


def failed_lately(
    scene: Scene, acts: Sequence[Mapping[str, Any]], verb: str, what: str, args: frozenset[str] | None = None
) -> str:
    """Return a sentence where an attempt that a state asked for has failed a short while ago, else "".

    Args:
        scene: what is known.
        acts: status.acts, where it stands.
        verb: of which procedure.
        what: what failed then, as the sentence names it.
        args: with which arguments it was the same attempt, None for any.
    """
    same = [act for act in acts if act.get("verb") == verb and (args is None or act.get("arg") in args)]
    last = same[-1] if same else None
    if last is None or last.get("result") != "Failed" or scene.now.timestamp() - seconds(str(last["at"])) > _AGAIN:
        return ""
    return (
        f"{what} has failed ({str(last.get('message', '')).rstrip('. ')}). It is tried again "
        f"{_AGAIN / 60:.0f} minutes after that, or when you ask for it (act: {verb} -)"
    )
