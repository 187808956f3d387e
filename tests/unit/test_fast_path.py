"""The fast path: one reading after the other, and none waits for a redis that hangs once there is news."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from redis_sentinel_operator.listening import Listening
from redis_sentinel_operator.settings import Settings

pytestmark = pytest.mark.looptime


class Readings:
    """A fast path whose readings take as long as told; `log` says what came of them, and when."""

    def __init__(self, takes: list[float]) -> None:
        self.log: list[tuple[str, float]] = []
        self._takes = takes
        self.ears = Listening(cast(Any, None), Settings(), lambda _: None)
        self.ears._confirm = self._confirm  # type: ignore[method-assign]
        self.task = asyncio.create_task(self.ears._fast_path())

    def news(self) -> None:
        self.ears._level.set()

    async def _confirm(self) -> None:
        try:
            await asyncio.sleep(self._takes.pop(0))
        except asyncio.CancelledError:
            self._note("given up")
            raise
        self._note("read")

    def _note(self, what: str) -> None:
        self.log.append((what, round(asyncio.get_running_loop().time(), 3)))


@pytest.fixture
async def made() -> AsyncIterator[list[Readings]]:
    found: list[Readings] = []
    yield found
    for each in found:
        each.task.cancel()


def begin(made: list[Readings], *takes: float) -> Readings:
    made.append(Readings(list(takes)))
    return made[-1]


async def test_a_reading_that_hangs_is_given_up_when_there_is_news(made: list[Readings]) -> None:
    path = begin(made, 60, 0.1)
    path.news()
    await asyncio.sleep(1)
    path.news()
    await asyncio.sleep(1)
    assert path.log == [("given up", 1.25), ("read", 1.35)]


async def test_without_news_it_is_waited_for(made: list[Readings]) -> None:
    path = begin(made, 20)
    path.news()
    await asyncio.sleep(30)
    assert path.log == [("read", 20)]


async def test_one_that_is_quick_ends_beside_the_news_and_another_follows(made: list[Readings]) -> None:
    path = begin(made, 0.2, 0.2)
    path.news()
    await asyncio.sleep(0.1)
    path.news()
    path.news()
    await asyncio.sleep(1)
    assert path.log == [("read", 0.2), ("read", 0.4)]


async def test_one_that_fails_does_not_end_the_others(made: list[Readings], caplog: pytest.LogCaptureFixture) -> None:
    path = begin(made, 0.1)
    path._takes.insert(0, cast(float, "no number"))
    path.news()
    await asyncio.sleep(0.5)
    path.news()
    await asyncio.sleep(5)
    assert [what for what, _ in path.log] == ["read"]
    assert "a reading failed" in caplog.text
