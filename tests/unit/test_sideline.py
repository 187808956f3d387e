"""The second loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from redis_sentinel_operator.sideline import Sideline


async def where() -> str:
    return threading.current_thread().name


async def test_work_is_done_in_its_own_thread_and_goes_on_while_the_first_loop_hangs() -> None:
    beats = []

    async def beat() -> None:
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.01)

    with Sideline() as sideline:
        assert await sideline.call(where()) == "sideline"
        beating = sideline.start(beat())
        before = len(beats)
        time.sleep(0.3)  # noqa: ASYNC251 - hangs on purpose
        assert len(beats) > before + 5
    assert beating.cancelled()


async def test_an_error_comes_back() -> None:
    async def fail() -> None:
        raise ValueError("there")

    with Sideline() as sideline, pytest.raises(ValueError, match="there"):
        await sideline.call(fail())


async def test_who_gives_up_waiting_ends_the_work() -> None:
    ended = threading.Event()

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with Sideline() as sideline:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sideline.call(wait_for_ever()), 0.05)
        assert await asyncio.to_thread(ended.wait, 5)
