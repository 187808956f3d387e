"""Asking for newer packages: few hosts at a time, and one that hangs keeps back nobody else's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import updates
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import ConnectError
from redis_sentinel_operator.model.desired import DesiredHost
from redis_sentinel_operator.settings import Settings
from unit.judge.clusters import S1, S2, S3, M, desired

pytestmark = pytest.mark.looptime
SETTINGS = Settings(updates_every=1000.0)


async def told(monkeypatch: pytest.MonkeyPatch, takes: Mapping[str, float], seconds: float) -> list[Any]:
    """What is told within some seconds, where each host takes its time; a negative time is a failure."""
    said: list[Any] = []

    async def read(host: DesiredHost, *_: object) -> str:
        await asyncio.sleep(abs(takes[host.name]))
        if takes[host.name] < 0:
            raise ConnectError("no answer")
        return "" if host.name == S1 else f"redis of {host.name}"

    monkeypatch.setattr(updates.newer, "read", read)
    links = {name: cast(HostLink, SimpleNamespace(connected=True)) for name in takes}
    board = cast(Board, SimpleNamespace(newer=said.append))
    asking = asyncio.create_task(updates.ask_now_and_then(board, lambda: (desired(), links), SETTINGS))
    await asyncio.sleep(seconds)
    asking.cancel()
    return said


async def test_one_that_hangs_keeps_back_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = {S2: f"redis of {S2}", S3: f"redis of {S3}"}
    takes = {M: 500.0, S1: 1.0, S2: 2.0, S3: 3.0}
    assert await told(monkeypatch, takes, 100.0) == [quick]
    assert await told(monkeypatch, takes, 600.0) == [quick, {M: f"redis of {M}", **quick}]


async def test_a_host_that_fails_is_asked_again_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    takes = {S2: 1.0, S3: -1.0}
    assert await told(monkeypatch, takes, 2000.0) == [{S2: f"redis of {S2}"}] * 2


async def test_four_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "_AT_ONCE", 2)
    takes = {M: 10.0, S1: 10.0, S2: 10.0, S3: 10.0}
    assert await told(monkeypatch, takes, 75.0) == []
    assert len((await told(monkeypatch, takes, 85.0))[-1]) == 3
