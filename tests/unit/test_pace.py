"""When a pass is due, and which of them the log tells."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator import cluster
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.model.desired import ClusterRef
from redis_sentinel_operator.model.report import Outcome
from redis_sentinel_operator.pace import Pace
from redis_sentinel_operator.settings import Settings

REF = ClusterRef("redis", "c", "uid-1")
WELL = "all is as declared"


def test_news_is_a_change_or_another_sentence() -> None:
    pace = Pace(Settings())
    outcomes = [Outcome(WELL, 60.0), Outcome(WELL, 60.0), Outcome(WELL, 60.0, changed=True), Outcome("no", 1.0)]
    assert [pace.is_news(each) for each in outcomes] == [True, False, True, True]


def test_what_could_not_be_read_for_a_moment_is_no_news_and_what_comes_after_it_neither() -> None:
    pace = Pace(Settings())
    missed = Outcome("redis_slave01 could not be read", 1.0, news=False)
    outcomes = [Outcome(WELL, 60.0), missed, Outcome(WELL, 60.0), missed, replace(missed, news=True)]
    assert [pace.is_news(each) for each in outcomes] == [True, False, False, False, True]


def test_what_stays_the_same_is_looked_at_less_and_less_often() -> None:
    pace = Pace(Settings(resync=60, resync_jitter=0))
    delays = [pace.delay(Outcome("it waits", 1.0)) for _ in range(40)]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (1.0, 60.0)
    assert pace.delay(Outcome("it waits for another", 1.0)) == 1.0
    assert pace.delay(Outcome("it waits for another", 60.0, retry_in=2.0)) == 2.0


def test_failures_wait_longer_each_time() -> None:
    pace = Pace(Settings(backoff_min=1, backoff_max=60))
    waits = []
    for number in range(1, 9):
        pace.failures = number
        waits.append(pace.delay(Outcome("it failed", -1.0)))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_a_pass_that_decides_nothing_new_is_told_at_debug_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    shared = SimpleNamespace(settings=settings, metrics=Metrics(settings), pool=None, kube=None, identity="uid-0")
    one = cluster.Cluster(REF, cast(Any, shared))
    decided = [WELL, WELL, WELL, "redis_slave01: started redis", WELL, WELL]
    outcomes = [*(Outcome(sentence, math.inf, changed=sentence != WELL) for sentence in decided), None]

    async def one_pass() -> Outcome | None:
        return outcomes.pop(0)

    async def rest(_: Outcome) -> None:
        return None

    monkeypatch.setattr(one, "_one_pass", one_pass)
    monkeypatch.setattr(one, "_rest", rest)
    with caplog.at_level(logging.DEBUG, logger="redis_sentinel_operator.cluster"):
        await one._loop()
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert told == [
        ("INFO", f"redis/c: {WELL}"),
        ("DEBUG", f"redis/c: {WELL}"),
        ("DEBUG", f"redis/c: {WELL}"),
        ("INFO", "redis/c: redis_slave01: started redis"),
        ("INFO", f"redis/c: {WELL}"),
        ("DEBUG", f"redis/c: {WELL}"),
    ]
