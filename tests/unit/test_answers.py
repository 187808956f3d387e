"""Answers of many: those that are there soon together, the late ones when they come."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from redis_sentinel_operator.answers import as_they_come

pytestmark = pytest.mark.looptime


async def after(seconds: float, answer: str) -> str:
    await asyncio.sleep(seconds)
    return answer


async def test_who_hangs_keeps_back_nobody() -> None:
    clock = asyncio.get_running_loop().time
    began, found = clock(), []
    asked = {"one": after(0.5, "a"), "late": after(60.0, "b"), "later": after(70.0, "c"), "two": after(1.0, "d")}
    async for answers in as_they_come(asked, 5.0):
        found.append((round(clock() - began), answers))
    assert found == [(5, {"one": "a", "two": "d"}), (70, {"late": "b", "later": "c"})]


async def test_when_all_are_there_nobody_waits() -> None:
    clock = asyncio.get_running_loop().time
    began = clock()
    assert [each async for each in as_they_come({"one": after(1.0, "a")}, 5.0)] == [{"one": "a"}]
    assert clock() - began == pytest.approx(1.0)
    assert [each async for each in as_they_come({}, 5.0)] == []


async def test_who_is_not_waited_for_any_more_is_asked_no_more() -> None:
    ended = asyncio.Event()

    async def endless() -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return ""

    async with aclosing(as_they_come({"one": after(0.0, "a"), "two": endless()}, 1.0)) as found:
        assert await anext(found) == {"one": "a"}
    await asyncio.sleep(0)
    assert ended.is_set()


async def test_what_a_question_raises_is_raised() -> None:
    async def broken() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        [each async for each in as_they_come({"one": broken(), "two": after(9.0, "a")}, 5.0)]
