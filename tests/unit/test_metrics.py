"""What /metrics says about a status, and what it stops saying."""

from __future__ import annotations

from typing import Any

import pytest

from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings

CLUSTER = "redis/c"


def status(**more: Any) -> dict[str, Any]:
    return {
        "phase": "Healthy",
        "master": {"host": "m", "address": "192.168.3.41", "port": 6379, "configEpoch": 4},
        "conditions": [{"type": "Ready", "status": "True", "reason": "AllAsDeclared"}],
        "hosts": [{"name": "m", "redis": "Running"}, {"name": "s", "redis": "Stopped", "sentinel": "Running"}],
        **more,
    }


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of one metric by its labels, without namespace and name."""
    own = {"namespace", "name"}
    return {
        tuple(value for key, value in sample.labels.items() if key not in own): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_a_status_is_shown() -> None:
    metrics = Metrics(Settings())
    metrics.status(CLUSTER, status())
    assert samples(metrics, "rso_master_info") == {("m", "192.168.3.41", "6379"): 1}
    assert samples(metrics, "rso_master_config_epoch") == {(): 4}
    assert samples(metrics, "rso_master_withdrawn") == {(): 0}
    assert samples(metrics, "rso_phase") == {("Healthy",): 1}
    assert samples(metrics, "rso_condition") == {("Ready", "AllAsDeclared"): 1}
    assert samples(metrics, "rso_redis_running") == {("m",): 1, ("s",): 0}
    assert samples(metrics, "rso_sentinel_reachable") == {("s",): 1}


def test_what_is_no_longer_so_is_no_longer_shown() -> None:
    metrics = Metrics(Settings())
    metrics.status(CLUSTER, status())
    metrics.status(
        CLUSTER,
        {
            "phase": "FailingOver",
            "master": {
                "host": "s", "address": "192.168.3.42", "port": 6379, "configEpoch": 5, "withdrawnSince": "now",
            },
            "conditions": [{"type": "Ready", "status": "Unknown", "reason": "Electing"}],
        },
    )  # fmt: skip
    assert samples(metrics, "rso_master_info") == {("s", "192.168.3.42", "6379"): 1}
    assert samples(metrics, "rso_master_withdrawn") == {(): 1}
    assert samples(metrics, "rso_phase") == {("FailingOver",): 1}
    assert samples(metrics, "rso_condition") == {("Ready", "Electing"): -1}
    assert samples(metrics, "rso_redis_running") == {}


def test_failovers_are_counted_from_the_first_look_on() -> None:
    metrics = Metrics(Settings())
    old = {"at": "2026-11-22T10:00:00.000Z", "result": "Succeeded"}
    running = {"at": "2026-11-22T11:00:00.000Z"}
    ended = {**running, "result": "Succeeded"}
    aborted = {"at": "2026-11-22T12:00:00.000Z", "result": "Aborted"}
    for history in ([old], [old], [old, running], [old, ended], [old, ended], [old, ended, aborted]):
        metrics.status(CLUSTER, status(failovers=history))
    assert samples(metrics, "rso_failovers_total") == {("Succeeded",): 1, ("Aborted",): 1}


def test_a_cluster_that_is_gone_leaves_nothing() -> None:
    metrics = Metrics(Settings())
    empty = metrics.render()
    metrics.forget(CLUSTER)  # never known
    metrics.beat(CLUSTER)
    metrics.status(CLUSTER, status(failovers=[]))
    metrics.passed(CLUSTER, 0.1)
    assert b'name="c"' in metrics.render()
    metrics.forget(CLUSTER)
    assert metrics.render() == empty


def test_a_loop_that_shows_no_sign_of_life_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(Settings(pass_timeout=10, resync=1))
    clock = [100.0]
    monkeypatch.setattr("redis_sentinel_operator.metrics.time.monotonic", lambda: clock[0])
    metrics.beat(CLUSTER)
    clock[0] += 12
    assert metrics.stuck() == []
    clock[0] += 1
    assert metrics.stuck() == ["redis/c: no sign of life for 13 s"]
    metrics.beat(CLUSTER)
    assert metrics.stuck() == []


def test_the_lease_and_the_settings_are_shown() -> None:
    metrics = Metrics(Settings(resync=42))
    held = [True]
    metrics.lease(lambda: held[0])
    assert samples(metrics, "rso_lease_fresh") == {(): 1}
    held[0] = False
    assert samples(metrics, "rso_lease_fresh") == {(): 0}
    assert b'rso_setting{setting="resync"} 42.0' in metrics.render()
