"""How long a switch takes until it is published: counted once in each place, and a first master is no switch."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.switches import Switches
from unit.boarding import CALM, DOWN, NEW, NO_MASTER, OLD, SWITCHED, WHOLE
from unit.judge.clusters import ADDRESS, S1, M
from unit.test_metrics import samples


def test_a_switch_is_timed_once_in_each_place(board: Board, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    metrics = Metrics(Settings())
    switches = Switches(board, metrics)
    board.confirm(OLD, CALM, WHOLE)
    switches.stored("status", ADDRESS[M])
    switches.stored("endpoint", ADDRESS[M])
    assert samples(metrics, "rso_publish_seconds_count") == {}
    board.confirm(NO_MASTER, DOWN)
    switches.stored("endpoint", ADDRESS[M])
    board.confirm(NEW, SWITCHED)
    switches.stored("endpoint", ADDRESS[M])
    assert samples(metrics, "rso_publish_seconds_count") == {}, "what was written before the switch was seen"
    for _ in range(2):
        switches.stored("status", ADDRESS[S1])
        switches.stored("endpoint", ADDRESS[S1])
    assert samples(metrics, "rso_publish_seconds_count") == {("status",): 1, ("endpoint",): 1}
    assert 0 <= samples(metrics, "rso_publish_seconds_sum")["status",] < 5
    assert "default/redis: endpoint names redis_slave01, " in caplog.text
    board.confirm(OLD, CALM)
    switches.stored("status", ADDRESS[M])
    assert samples(metrics, "rso_publish_seconds_count") == {("status",): 2, ("endpoint",): 1}
    metrics.forget(str(board.ref))
    assert samples(metrics, "rso_publish_seconds_count") == {}
