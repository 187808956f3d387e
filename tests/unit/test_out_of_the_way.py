"""A pass waits while the sentinels tell of a failover, and not for ever; not where a redis has come back."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import listening
from redis_sentinel_operator.follow.grammar import parse
from redis_sentinel_operator.listening import Listening
from redis_sentinel_operator.model.verdict import MasterRecord
from redis_sentinel_operator.settings import Settings
from unit.boarding import WHOLE

pytestmark = pytest.mark.looptime(start=100)
SWITCH = ("+switch-master", f"{WHOLE.master_name} 192.168.3.41 6379 192.168.3.42 6379")
SET = ("+set", f"master {WHOLE.master_name} 192.168.3.41 6379 quorum 2")


@pytest.fixture
async def ears(monkeypatch: pytest.MonkeyPatch) -> Listening:
    """What listens to sentinels; its clock is the loop's."""
    clock = SimpleNamespace(monotonic=asyncio.get_running_loop().time)
    monkeypatch.setattr(listening, "time", clock)
    board = SimpleNamespace(event=lambda *_: None, operation=None)
    found = Listening(cast(Any, board), Settings(), lambda _: None)
    found._desired = WHOLE
    return found


def say(ears: Listening, what: tuple[str, str]) -> None:
    ears._on_event(parse("redis_slave01", 0.0, *what))


async def waited(ears: Listening, urgent: asyncio.Event | None = None) -> float:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await ears.out_of_the_way(urgent or asyncio.Event())
    return round(loop.time() - began, 3)


async def test_nothing_was_said(ears: Listening) -> None:
    assert await waited(ears) == 0


async def test_until_a_second_after_the_last_word(ears: Listening) -> None:
    say(ears, SWITCH)
    await asyncio.sleep(0.25)
    assert await waited(ears) == 0.75
    assert await waited(ears) == 0


async def test_until_the_new_master_is_published(ears: Listening) -> None:
    say(ears, SWITCH)
    await asyncio.sleep(0.125)
    ears.note_switch(MasterRecord("redis_master01", "192.168.3.41", 6379, 0, ""))
    say(ears, SWITCH)
    assert await waited(ears) == 0.25
    say(ears, SWITCH)  # the others tell of the same
    assert await waited(ears) == 0


async def test_the_next_failover_is_another_one(ears: Listening) -> None:
    ears.note_switch(MasterRecord("redis_master01", "192.168.3.41", 6379, 0, ""))
    await asyncio.sleep(2)
    say(ears, SWITCH)
    assert await waited(ears) == 1


async def test_what_changes_no_role_holds_up_nothing(ears: Listening) -> None:
    say(ears, SET)
    assert await waited(ears) == 0


async def test_four_seconds_at_most(ears: Listening) -> None:
    async def chatter() -> None:
        while True:
            say(ears, SWITCH)
            await asyncio.sleep(0.5)

    task = asyncio.create_task(chatter())
    await asyncio.sleep(0)
    assert await waited(ears) == 4
    assert await waited(ears) == 0  # who goes on talking is not waited for once more
    task.cancel()


async def test_words_after_a_silence_are_waited_for_anew(ears: Listening) -> None:
    say(ears, SWITCH)
    await asyncio.sleep(30)
    say(ears, SWITCH)
    assert await waited(ears) == 1


async def test_what_is_urgent_goes_at_once_and_once(ears: Listening) -> None:
    urgent = asyncio.Event()
    say(ears, SWITCH)
    asyncio.get_running_loop().call_later(0.125, urgent.set)
    assert await waited(ears, urgent) == 0.125
    assert await waited(ears, urgent) == 0.875


async def test_a_procedure_is_not_held_up(ears: Listening) -> None:
    cast(Any, ears._board).operation = "a switchover"
    say(ears, SWITCH)
    assert await waited(ears) == 0


async def test_what_was_urgent_beside_a_procedure_is_not_after_it(ears: Listening) -> None:
    urgent = asyncio.Event()
    urgent.set()
    cast(Any, ears._board).operation = "a procedure"
    await ears.out_of_the_way(urgent)
    cast(Any, ears._board).operation = None
    say(ears, SWITCH)
    assert await waited(ears, urgent) == 1
