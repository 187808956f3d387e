"""A board, a store that remembers what was written, and a clock that stands still."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import Plan, StartUnit, Step
from redis_sentinel_operator.model.verdict import Confirmed, Uncertain
from unit.judge.clusters import (
    ADDRESS,
    OWNER,
    S1,
    S2,
    S3,
    M,
    desired,
    running,
    sentinel,
)

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)
WHOLE = desired()
OLD, NEW = Confirmed(M, ADDRESS[M], 6379, 0), Confirmed(S1, ADDRESS[S1], 6379, 1)
SERVING = replace(OLD, replicas=3)
CALM = {name: sentinel(M) for name in (S1, S2, S3)}
DOWN = {name: sentinel(M, 0, "s_down", "o_down") for name in (S1, S2, S3)}
SWITCHED = {name: sentinel(S1, 1) for name in (S1, S2, S3)}
NO_MASTER = Uncertain("MasterStopped", "It does not run.", ADDRESS[M])
START = Step(S1, "start redis.service", "it does not run", StartUnit("redis.service", 6379, False), 1)


@dataclass
class Store:
    """What the board is given to write with: keeps each document, and fails as told."""

    documents: list[Mapping[str, Any]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    seconds: float = 0.0

    async def write(self, document: Mapping[str, Any]) -> None:
        taken = copy.deepcopy(dict(document))
        await asyncio.sleep(self.seconds)
        if self.failures:
            raise self.failures.pop(0)
        self.documents.append(taken)


@dataclass
class Clock:
    """The time in UTC, moved by the test."""

    seconds: float = 0.0

    def __call__(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def board(store: Store, clock: Clock) -> Board:
    return Board(WHOLE.ref, {}, store.write, clock)


@pytest_asyncio.fixture
async def writing(board: Board, store: Store) -> AsyncIterator[asyncio.Task[None]]:
    """The writer runs and has stored the board's first document; the store is empty again."""
    task = asyncio.create_task(board.run())
    await board.flush()
    store.documents.clear()
    yield task
    task.cancel()
    await asyncio.wait({task})


def report(read: ClusterFacts, plan: Plan | None = None, generation: int = 1, **changes: Any) -> Report:
    verdict = judge(changes.pop("desired", WHOLE), read, None, JudgeContext(OWNER, None))
    return Report(generation, read, verdict, plan or Plan(), (), "all is as declared", changes.pop("refusal", None))


def condition(board: Board, kind: str) -> Mapping[str, Any]:
    return next(each for each in board.document()["conditions"] if each["type"] == kind)


def healthy(board: Board) -> Board:
    board.confirm(OLD, CALM, WHOLE)
    board.report(report(running()), WHOLE)
    return board
