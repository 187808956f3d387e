"""The hosts of a resource that is being deleted are left: a procedure goes its way back first, then the deletionPolicy.

All of it is bounded, and what could not be done is told: a deletion ends also where hosts are dead. Whoever comes after
a killed operator begins here anew, with what the hosts tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from redis_sentinel_operator.apply.executor import execute
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.declared import Declared
from redis_sentinel_operator.errors import ObjectReplaced, OperatorError
from redis_sentinel_operator.judge.farewell import Gone, farewell
from redis_sentinel_operator.judge.news import News
from redis_sentinel_operator.model.departure import RemoveTraces
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import ReleaseClaim, Step
from redis_sentinel_operator.observe.gather import gather
from redis_sentinel_operator.operating import way_back
from redis_sentinel_operator.plan.depart import WHY, Departure, depart
from redis_sentinel_operator.reconcile import Pass, do_step

log = logging.getLogger(__name__)

_BACK = 70.0  # seconds for a procedure's way back: a drill's failover comes, or redis is started again
_BACK_REFUSED = 6.0  # the same where the Secrets are gone: a Namespace goes, and does not wait for hosts
_PUT_BACK = 5.0  # seconds for what is still to be put back then
_DECLARED = 8.0  # seconds in which the API server tells what is declared
_PATIENCE = 10.0  # seconds for which a host that cannot be read, and a failover, are waited for
_CONNECT = 0.8  # seconds for connections to give up claims by: dead hosts must not keep a deletion waiting
_RELEASE = 1.0  # seconds for giving up the claims
_TRIES = 2  # a host on which something fails so often is left


@dataclass(frozen=True, slots=True)
class Way:
    """What leaving works with.

    `declare` reads the resource and its Secrets anew (None: it is gone), `pass_of` is what a pass works with,
    `one_pass` runs one in which only a procedure goes its way back (None: the resource is gone), `may` tells whether
    hosts may be changed.
    """

    board: Board
    declare: Callable[[], Awaitable[Declared | None]]
    pass_of: Callable[[Desired], Pass]
    one_pass: Callable[[], Awaitable[object]]
    may: Callable[[], bool]


@dataclass(slots=True)
class Departing:
    """One resource's way out. `run` once."""

    way: Way
    seconds: float
    declared: Declared | None = None
    todo: Departure | None = None  # the last look at the hosts, None where they were not to be touched
    reason: str = ""  # why they were not
    unfinished: str = ""  # what became of a procedure that had not ended
    released: set[str] = field(default_factory=set)
    failures: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)

    async def run(self) -> News | None:
        """Leave the hosts; return what is to be told of it, None for nothing. Raises ObjectReplaced."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await self._leave()
        desired = self.declared.desired if self.declared is not None else None
        if desired is not None and desired.management != "Observe":
            await self._release(desired)
        told = farewell(self._gone(desired))
        if told is not None:
            log.log(logging.WARNING if told.warning else logging.INFO, "%s: %s", self.way.board.ref, told.message)
            await self._tell(told.message)
        return told

    async def _leave(self) -> None:
        await self._declare()
        desired = self.declared.desired if self.declared is not None else None
        if self.declared is None or desired is None:
            refusal = self.declared.refusal if self.declared is not None else None
            self.reason = refusal.message if refusal is not None else self.reason
            return
        await self._way_back(desired, _BACK if self.declared.refusal is None else _BACK_REFUSED)
        began = time.monotonic()
        while await self._declare() and (desired := self._to_be_left()) is not None:
            if not self.way.may():
                await self._tell("the operator's Lease could not be renewed in time: nothing is changed until it is")
                await asyncio.sleep(_RELEASE)
                continue
            this = self.way.pass_of(desired)
            facts = await gather(desired, this.links, this.settings, this.late)
            patient = time.monotonic() - began < _PATIENCE
            self.todo = todo = depart(desired, facts, this.guard.owner, self.failed, patient=patient)
            if not todo.steps and not todo.waiting:
                return
            await self._tell(_next(todo))
            await self._do(this, todo.steps)
            await asyncio.sleep(0.0 if todo.steps else this.settings.waiting_poll)

    def _gone(self, desired: Desired | None) -> Gone:
        todo = self.todo
        if todo is None:
            return Gone(desired, None, reason=self.reason, unfinished=self.unfinished)
        still = (*(f"{step.host}: {step.what}" for step in todo.steps), *todo.waiting)
        return Gone(desired, todo.left, still, self.reason, self.unfinished)

    def _to_be_left(self) -> Desired | None:
        """Return what is declared where its policy says that hosts are to be stopped, and all it needs is there."""
        assert self.declared is not None  # noqa: S101 - the caller has read it
        desired, refusal = self.declared.desired, self.declared.refusal
        if desired is None or desired.deletion_policy == "Retain":
            self.todo = None
            return None
        self.reason = refusal.message if refusal is not None else desired.hands_off
        return None if self.reason else desired

    async def _declare(self) -> bool:
        """Read what is declared; whether the resource is there. What cannot be read for long is as it was."""
        deadline = time.monotonic() + _DECLARED
        while True:
            try:
                found = await self.way.declare()
            except ObjectReplaced:
                raise
            except OperatorError as error:
                self.reason = str(error)
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(_RELEASE)
            else:
                self.declared, self.reason = found or self.declared, ""
                return found is not None

    async def _way_back(self, desired: Desired, seconds: float) -> None:
        board = self.way.board
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (record := board.operation) is not None:
                    board.deleting(f"The {record.type} that goes on ({record.step}) takes its way back first.")
                    if await self.way.one_pass() is None:
                        return
                    await asyncio.sleep(0.2)
        if (record := board.operation) is None:
            return
        self.unfinished = f"the {record.type} that went on ({record.step}) did not come to its end in {seconds:.0f} s"
        if record.type == "drill":
            self.unfinished += (
                f": redis at {record.old} may be stopped; start it there when the sentinels have switched"
            )
        this = self.way.pass_of(desired)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PUT_BACK):
                await way_back(
                    desired,
                    lambda: gather(desired, this.links, this.settings, this.late),
                    lambda step: execute(step, this.links, desired, this.guard, this.settings),
                )

    async def _do(self, this: Pass, steps: tuple[Step, ...]) -> None:
        by_host: dict[str, list[Step]] = {}
        for step in steps:
            by_host.setdefault(step.host, []).append(step)
        await asyncio.gather(*(self._in_turn(this, each) for each in by_host.values()))

    async def _in_turn(self, this: Pass, steps: list[Step]) -> None:
        for step in steps:
            if not self.way.may():
                return
            result = await do_step(this, step)
            if not result.ok:
                self.failures[step.host] += 1
                if self.failures[step.host] >= _TRIES:
                    self.failed[step.host] = f"{step.what}: {result.message.rstrip('. ')}"
                return
            if isinstance(step.action, ReleaseClaim | RemoveTraces):
                self.released.add(step.host)

    async def _release(self, desired: Desired) -> None:
        """Give up the claims that are left, where a connection stands; where none does one is tried."""
        if not self.way.may():
            return
        this = self.way.pass_of(desired)
        links = {name: link for name, link in this.links.items() if name not in self.released}
        if links and not any(link.connected for link in links.values()):
            attempts = (link.connect() for link in links.values())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*attempts, return_exceptions=True), _CONNECT)
        releases = [
            execute(Step(name, "give up the claim", WHY, ReleaseClaim(), 0), links, desired, this.guard, this.settings)
            for name, link in links.items()
            if link.connected
        ]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*releases, return_exceptions=True), timeout=_RELEASE)

    async def _tell(self, sentence: str) -> None:
        self.way.board.deleting(sentence)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.way.board.flush(), timeout=_RELEASE)


def _next(todo: Departure) -> str:
    """Say what is being done now."""
    if not todo.steps:
        return f"It waits: {todo.waiting[0].rstrip('. ')}."
    step = todo.steps[0]
    return f"{step.host}: {step.what}."
