"""Streams of real sentinels: Redis 3.2.6, four hosts, three sentinels that are all listened to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from redis_sentinel_operator.follow.grammar import parse
from redis_sentinel_operator.model.desired import ClusterRef, Desired, DesiredHost, SentinelSettings, SshAccess
from redis_sentinel_operator.model.event import SentinelEvent

NAMES = ("redis_master01", "redis_slave01", "redis_slave02", "redis_slave03")


@pytest.fixture
def desired() -> Desired:
    hosts = tuple(DesiredHost(name, f"192.168.37.{41 + at}", SshAccess("")) for at, name in enumerate(NAMES))
    return Desired(
        ref=ClusterRef("default", "redis-cluster", "uid"),
        generation=1,
        master_name="redis-cluster",
        management="Full",
        hosts=hosts,
        initial_master=NAMES[0],
        sentinel=SentinelSettings(2),
    )


@pytest.fixture
def stream() -> Callable[[str], list[SentinelEvent]]:
    def read(name: str) -> list[SentinelEvent]:
        lines = (Path(__file__).parent / "streams" / f"{name}.jsonl").read_text().splitlines()
        return [parse(host, at, channel, payload) for at, host, channel, payload in map(json.loads, lines)]

    return read
