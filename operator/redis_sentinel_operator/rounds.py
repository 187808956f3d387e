"""The steps of a pass, and what of them goes on: a host whose step does not end, or fails, holds up no other.

In a living cluster the hosts' steps do not depend on each other. A step that does not end is left to itself after a
while: the pass goes on without its host, nothing more is begun there until it has ended, and what needs the whole
cluster calm is not begun anywhere. A host on which a step fails is left alone for longer and longer, while the others
go on at once. Where nothing lives yet the stages follow each other, and the first failure ends the round.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import TypeAlias

from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import Impact, Need, Step
from redis_sentinel_operator.settings import Settings

log = logging.getLogger(__name__)

NOT_OURS = "HostClaimedByAnother"
MayNot: TypeAlias = Callable[[Step], Awaitable[str | None]]
Do: TypeAlias = Callable[[Step], Awaitable[StepResult]]


@dataclass(frozen=True, slots=True)
class Round:
    """What came of the steps of one pass.

    `halted` is why the rest was not begun ("": all that could be was). `standing` are failures of earlier passes that
    are not tried again yet, `under_way` sentences on steps that are not waited for. `retry_in` are the seconds until
    the first host on which something failed is due again.
    """

    results: tuple[StepResult, ...] = ()
    halted: str = ""
    standing: tuple[StepResult, ...] = ()
    under_way: tuple[str, ...] = ()
    retry_in: float = math.inf

    @property
    def all(self) -> tuple[StepResult, ...]:
        """What is to be told: what was done now, and what failed and stands."""
        return self.results + self.standing


@dataclass(frozen=True, slots=True)
class _Failure:
    result: StepResult
    times: int
    until: float  # the loop's time


@dataclass(slots=True)
class _Running:
    """One round while it lasts; when it is `over` nothing more is begun in it."""

    apart: bool
    may_not: MayNot
    do: Do
    results: list[StepResult] = field(default_factory=list)
    halted: list[str] = field(default_factory=list)
    over: bool = False


class Rounds:
    """Does the steps of passes, and remembers what outlasts them.

    Args:
        settings: `step_patience`, and how long a host is left alone after a failure.
        ended: told what has ended that no pass had waited for.
    """

    def __init__(self, settings: Settings, ended: Callable[[str], None]) -> None:
        self._settings = settings
        self._told = ended
        self._doing: dict[str, tuple[Step, float]] = {}  # by host, and since when
        self._left: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, _Failure] = {}

    def retry(self) -> None:
        """Let what failed be tried again by the next pass: something has happened since."""
        self._failed = {host: replace(each, until=0.0) for host, each in self._failed.items()}

    async def run(self, steps: Sequence[Step], may_not: MayNot, do: Do, *, apart: bool) -> Round:
        """Do the steps: each host's own in their order, the hosts at the same time.

        Args:
            steps: the plan's.
            may_not: why a step may not be begun now, None when it may; asked right before.
            do: does a step; never raises for what a host says.
            apart: the hosts do not depend on each other; else stage by stage, and each is waited for.
        """
        planned = _by_host(steps) if apart else {}
        self._failed = {host: each for host, each in self._failed.items() if host in planned}
        if self._left and not apart:
            return Round(halted=self._under_way()[0], under_way=self._under_way())
        this = _Running(apart, may_not, do)
        ordered = sorted(steps, key=lambda step: step.stage)
        for _, stage in groupby(ordered, key=lambda step: 0 if apart else step.stage):
            await self._together(this, _by_host(stage))
            if this.halted:
                break
        fresh = {result.step.host for result in this.results}
        standing = tuple(each.result for host, each in self._failed.items() if host not in fresh)
        retry_in = min((each.until for each in self._failed.values()), default=math.inf) - _now()
        halted = this.halted[0] if this.halted else ""
        retry_in = max(retry_in, self._settings.waiting_poll)  # what is due was not begun in this round either
        return Round(tuple(this.results), halted, standing, self._under_way(), retry_in)

    async def close(self) -> None:
        """End the steps that go on."""
        for task in self._left.values():
            task.cancel()
        if self._left:
            await asyncio.wait(list(self._left.values()), timeout=1.0)

    async def _together(self, this: _Running, by_host: dict[str, list[Step]]) -> None:
        now = _now()
        tasks: dict[str, asyncio.Task[None]] = {}
        for host, steps in by_host.items():
            if host not in self._left and not (host in self._failed and self._failed[host].until > now):
                self._doing[host] = (steps[0], now)
                tasks[host] = asyncio.create_task(self._one(this, host, steps), name=f"steps on {host}")
        try:
            await self._patiently(tasks, self._settings.step_patience if this.apart else math.inf)
        except asyncio.CancelledError:
            for task in tasks.values():
                task.cancel()
            raise
        this.over = this.apart
        for host, task in tasks.items():
            if task.done():
                task.result()
            else:
                self._left[host] = task
                task.add_done_callback(partial(self._ended, host))

    async def _patiently(self, tasks: dict[str, asyncio.Task[None]], patience: float) -> None:
        """Wait for all, but for no single step longer than the patience."""
        pending = dict(tasks)
        while pending:
            last = max(self._doing[host][1] for host in pending)
            rest = last + patience - _now()
            if rest <= 0:
                return
            await asyncio.wait(pending.values(), timeout=None if math.isinf(rest) else rest)
            pending = {host: task for host, task in pending.items() if not task.done()}

    async def _one(self, this: _Running, host: str, steps: Iterable[Step]) -> None:
        try:
            for step in steps:
                if this.over or this.halted or not await self._step(this, step):
                    return
            self._failed.pop(host, None)
        finally:
            del self._doing[host]

    async def _step(self, this: _Running, step: Step) -> bool:
        """Do one step where it may be begun; return whether the host's next one may follow."""
        self._doing[step.host] = (step, _now())
        reason = self._not_calm(step) or await this.may_not(step)
        if this.over:
            return False
        if reason:
            this.halted.append(reason)
            return False
        result = await this.do(step)
        this.results.append(result)
        if not result.ok:
            self._note(this, result)
        return result.ok

    def _note(self, this: _Running, result: StepResult) -> None:
        host = result.step.host
        times = self._failed[host].times + 1 if host in self._failed else 1
        if this.apart:
            pause = min(self._settings.backoff_min * 2.0 ** min(times - 1, 10), self._settings.backoff_max)
            self._failed[host] = _Failure(result, times, _now() + pause)
        if not this.apart or result.step.impact >= Impact.RESTART or result.reason == NOT_OURS:
            this.halted.append(result.message)

    def _not_calm(self, step: Step) -> str | None:
        others = [sentence for host, sentence in self._sentences().items() if host in self._left and host != step.host]
        return others[0] if others and Need.CALM in step.needs else None

    def _under_way(self) -> tuple[str, ...]:
        return tuple(sentence for host, sentence in self._sentences().items() if host in self._left)

    def _sentences(self) -> dict[str, str]:
        return {
            host: f"{host}: {step.what} has not ended yet; nothing else is begun there, and the others go on without it"
            for host, (step, _) in self._doing.items()
        }

    def _ended(self, host: str, task: asyncio.Task[None]) -> None:
        del self._left[host]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            log.error(
                "a step on %s failed for a reason that is a mistake of the operator", host,
                exc_info=error, extra={"host": host},
            )  # fmt: skip
        self._told(f"a step on {host} has ended")


def _by_host(steps: Iterable[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.host, []).append(step)
    return found


def _now() -> float:
    return asyncio.get_running_loop().time()
