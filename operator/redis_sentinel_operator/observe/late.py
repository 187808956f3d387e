"""Hosts that keep the others waiting: they are read on beside the passes, which go by without them.

A pass waits for every host that usually answers. Once the others have answered, one that does not is given the time
that it usually takes, and then the pass goes on. A reading that knows something of its host by then ends with that:
where SSH answers and only a server hangs, only the server is Unknown. Of any other host all is Unknown, and its reading
goes on up to its own deadline. As long as it does no pass waits for it again; when it ends well, a pass is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from redis_sentinel_operator.model.fact import HostFacts, Known, Unknown

Reading: TypeAlias = Coroutine[Any, Any, HostFacts]
_GRACE = 0.25  # what one gets that did not answer the last time
_LAST_WORD = 0.25  # in which a reading that is told that it is time may end with what it knows
_USUAL = 3.0  # a reading may take so many times as long as the last one


class Late:
    """What is known of how long hosts take, and the readings that go on.

    Args:
        patience: seconds that a host gets at least once others have answered.
        back: told the name of a host that answers again.
    """

    def __init__(self, patience: float, back: Callable[[str], None]) -> None:
        self._patience = patience
        self._back = back
        self._going: dict[str, asyncio.Task[HostFacts]] = {}
        self._took: dict[str, float] = {}
        self._silent: dict[str, Unknown] = {}

    async def collect(
        self, readings: Mapping[str, Callable[[asyncio.Event], Reading]]
    ) -> dict[str, HostFacts | Unknown]:
        """Return what each host says, by name: its facts, or why it is not waited for.

        Args:
            readings: by host name, how to read it; the event is set when it is time to end with what is known.
        """
        time_is_up = asyncio.Event()
        fresh = {
            name: asyncio.create_task(self._timed(name, read(time_is_up), time_is_up), name=f"reading of {name}")
            for name, read in readings.items()
            if name not in self._going
        }
        try:
            pending = await self._enough(fresh)
            time_is_up.set()
            if pending:
                await asyncio.wait(pending, timeout=_LAST_WORD)
        except asyncio.CancelledError:
            for task in fresh.values():
                task.cancel()
            raise
        for name, task in fresh.items():
            if not task.done():
                self._leave(name, task)
        read = {name: task.result() for name, task in fresh.items() if task.done()}
        return {name: read[name] if name in read else self._why(name) for name in readings}

    async def close(self) -> None:
        """End the readings that go on."""
        for task in list(self._going.values()):
            task.cancel()
        if self._going:
            await asyncio.wait(self._going.values(), timeout=1.0)

    async def _timed(self, name: str, reading: Reading, time_is_up: asyncio.Event) -> HostFacts:
        clock = asyncio.get_running_loop().time
        began = clock()
        facts = await reading
        if isinstance(facts.os, Known):
            if not time_is_up.is_set() or name in self._going:  # else it was cut short
                self._took[name] = clock() - began
            self._silent.pop(name, None)
        else:
            self._silent[name] = facts.os
        return facts

    async def _enough(self, fresh: Mapping[str, asyncio.Task[HostFacts]]) -> set[asyncio.Task[HostFacts]]:
        """Wait for all, but from the first answer on for nobody longer than he usually takes; return who is missing."""
        names = {task: name for name, task in fresh.items()}
        pending = set(names)
        answered = False
        while pending:
            patience = max(self._usual(names[task]) for task in pending) if answered else None
            done, pending = await asyncio.wait(pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            answered = answered or any(isinstance(task.result().os, Known) for task in done)
        return pending

    def _usual(self, name: str) -> float:
        if name in self._silent:
            return _GRACE
        return max(self._patience, _USUAL * self._took.get(name, 0.0))

    def _leave(self, name: str, task: asyncio.Task[HostFacts]) -> None:
        self._going[name] = task
        task.add_done_callback(lambda ended: self._ended(name, ended))

    def _ended(self, name: str, task: asyncio.Task[HostFacts]) -> None:
        del self._going[name]
        if not task.cancelled() and isinstance(task.result().os, Known):
            self._back(name)

    def _why(self, name: str) -> Unknown:
        late = f"{name} has not answered in {self._usual(name):.0f} s after others had; it is read on"
        return self._silent.get(name) or Unknown(late, "CommandTimedOut")
