"""Clusters without a connection are read a few at a time, and only while they are read."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import cluster
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.declared import Declared
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.model.report import Outcome
from redis_sentinel_operator.reconcile import Pass
from redis_sentinel_operator.returning import Returning
from redis_sentinel_operator.scope import Scope
from redis_sentinel_operator.settings import Settings
from unit.boarding import NOON, WHOLE, Store


class Room:
    """Clusters that share one place, and how far the pass of each has come."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reading: list[str] = []
        self.acting: list[str] = []
        self.read = asyncio.Event()
        self.done = asyncio.Event()
        self._shared = SimpleNamespace(
            kube=SimpleNamespace(get_cluster=self._body),
            lease=SimpleNamespace(epoch=1),
            settings=Settings(),
            pool=None,
            identity="uid-0",
            first_readings=asyncio.Semaphore(1),
            scope=Scope(),
        )
        monkeypatch.setattr(cluster, "reconcile", self._reconcile)
        monkeypatch.setattr(cluster, "read_declared", self._declared)
        monkeypatch.setattr(cluster.Cluster, "_connect", lambda *_: None)

    def begin(self, name: str) -> asyncio.Task[Any]:
        one = cluster.Cluster(ClusterRef("default", name, "uid-1"), cast(Any, self._shared))
        one._board = Board(one.ref, {}, Store().write, lambda: NOON)
        listening = SimpleNamespace(switched_at=-math.inf, follow=self._follow)
        one._listening = cast(Any, listening)
        return asyncio.create_task(one._reconcile(), name=name)

    async def _body(self, *_: str) -> dict[str, Any]:
        return {"metadata": {"uid": "uid-1", "generation": 1}}

    async def _declared(self, *_: object) -> Declared:
        return Declared(WHOLE, cast(Any, "credentials"), None)

    async def _follow(self, *_: object) -> None:
        return None

    async def _reconcile(self, this: Pass) -> Outcome:
        task = asyncio.current_task()
        assert task is not None
        self.reading.append(task.get_name())
        await self.read.wait()
        await this.was_read()
        self.acting.append(task.get_name())
        await self.done.wait()
        return Outcome("all is as declared", 60.0)


@pytest.fixture
async def room(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    yield Room(monkeypatch)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_the_next_one_is_read_when_the_one_before_was(room: Room) -> None:
    tasks = [room.begin("one"), room.begin("two")]
    await settle()
    assert (room.reading, room.acting) == (["one"], [])
    room.read.set()
    await settle()
    assert (room.reading, room.acting) == (["one", "two"], ["one", "two"])  # the steps of a pass hold up nobody
    room.done.set()
    await asyncio.gather(*tasks)


async def test_a_pass_that_is_ended_gives_its_place_back(room: Room) -> None:
    first, second = room.begin("one"), room.begin("two")
    await settle()
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    await settle()
    assert room.reading == ["one", "two"]
    second.cancel()


async def test_a_cluster_with_a_connection_needs_no_place(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def connected(one: cluster.Cluster, _: object) -> None:
        one._links = {"redis_master01": cast(Any, SimpleNamespace(connected=True))}

    monkeypatch.setattr(cluster.Cluster, "_connect", connected)
    monkeypatch.setattr(Returning, "look_for", lambda *_: None)
    tasks = [room.begin("one"), room.begin("two")]
    await settle()
    assert room.reading == ["one", "two"]
    room.read.set()
    room.done.set()
    await asyncio.gather(*tasks)
