"""Many are asked at once, and one that hangs keeps back nobody else's answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


async def as_they_come(asked: Mapping[str, Coroutine[Any, Any, T]], patience: float) -> AsyncIterator[Mapping[str, T]]:
    """Yield the answers by name: those that are there after `patience` seconds together, then all others.

    Raises what a question raised. Questions whose answer nobody waits for any more are cancelled.
    """
    tasks = {asyncio.create_task(question): name for name, question in asked.items()}
    waiting = set(tasks)
    try:
        for seconds in (patience, None):
            if waiting:
                done, waiting = await asyncio.wait(waiting, timeout=seconds)
                yield {tasks[task]: task.result() for task in done}
    finally:
        for task in waiting:
            task.cancel()
