"""The second loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from redis_sentinel_operator.sideline import Sideline


async def where() -> str:
    return threading.current_thread().name


async def test_work_is_done_in_its_own_thread_and_goes_on_while_the_first_loop_hangs() -> None:
    went_on = threading.Event()

    async def beat() -> None:
        for _ in range(6):
            await asyncio.sleep(0.01)
        went_on.set()
        await asyncio.Event().wait()

    with Sideline() as sideline:
        assert await sideline.call(where()) == "sideline"
        beating = sideline.start(beat())
        assert went_on.wait(50)  # this loop hangs on purpose
    assert beating.cancelled()


async def test_an_error_comes_back() -> None:
    async def fail() -> None:
        raise ValueError("there")

    with Sideline() as sideline, pytest.raises(ValueError, match="there"):
        await sideline.call(fail())


async def test_who_gives_up_waiting_ends_the_work() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def wait_for_ever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with Sideline() as sideline:
        waiting = asyncio.create_task(sideline.call(wait_for_ever()))
        assert await asyncio.to_thread(begun.wait, 50)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting, 0.05)
        assert await asyncio.to_thread(ended.wait, 50)
