"""Streams of real sentinels: four hosts, three sentinels that are all listened to.

A folder of `streams/` is an EL family's server (el7 Redis 3.2.6, el8 5.0.6, el9 6.2.14, el10 valkey 9.1.2), a file a
story of `lab.streams`, which recorded them, one cluster through all stories in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.event import SentinelEvent
from unit.follow.heard import declared, read


@pytest.fixture
def desired() -> Desired:
    return declared()


@pytest.fixture
def stream() -> Callable[..., list[SentinelEvent]]:
    def read_story(name: str, family: str = "el7") -> list[SentinelEvent]:
        return read(Path(__file__).parent / "streams" / family / f"{name}.jsonl")

    return read_story
