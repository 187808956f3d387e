"""What /metrics says about a status, and what it stops saying."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from redis_sentinel_operator.judge.lag import Lag
from redis_sentinel_operator.judge.measured import Measured
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.model.event import Cause
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


def counted(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return the failovers that there were."""
    return {labels: value for labels, value in samples(metrics, "rso_failovers_total").items() if value}


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


def test_when_the_last_pass_ended_is_shown() -> None:
    metrics, before = Metrics(Settings()), time.time()
    metrics.passed(CLUSTER, 0.25, None)
    assert before <= samples(metrics, "rso_last_pass_timestamp_seconds")[()] <= time.time()


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
    old = {"at": "2026-11-22T10:00:00.000Z", "result": "Succeeded", "cause": "Failure", "published": "x"}
    running = {"at": "2026-11-22T11:00:00.000Z", "cause": "Requested"}
    switched = {**running, "result": "Succeeded", "switched": "2026-11-22T11:00:00.500Z"}
    ended = {**switched, "published": "2026-11-22T11:00:01.000Z"}
    aborted = {"at": "2026-11-22T12:00:00.000Z", "result": "Aborted", "cause": "Failure"}
    for history in ([old], [old], [old, running], [old, switched], [old, ended], [old, ended], [old, ended, aborted]):
        metrics.status(CLUSTER, status(failovers=history))
    assert counted(metrics) == {("Succeeded", "Requested"): 1, ("Aborted", "Failure"): 1}
    assert samples(metrics, "rso_failover_phase_seconds_sum") == {
        ("switch",): 0.5,
        ("publish",): 0.5,  # not before it was published
    }


def test_failovers_are_counted_from_zero_so_that_prometheus_sees_the_first() -> None:
    metrics = Metrics(Settings())
    metrics.status(CLUSTER, status())
    shown = samples(metrics, "rso_failovers_total")
    assert shown[("Succeeded", "Failure")] == shown[("Aborted", "Unknown")] == 0
    assert {cause for _, cause in shown} == set(get_args(Cause))


def test_a_switch_that_was_overtaken_before_it_was_published_is_counted() -> None:
    metrics = Metrics(Settings())
    first = {"at": "2026-11-22T10:00:00.000Z", "result": "Succeeded", "cause": "Failure"}
    second = {"at": "2026-11-22T10:00:09.000Z", "cause": "Requested"}
    for history in ([], [first], [first, second]):
        metrics.status(CLUSTER, status(failovers=history))
    assert counted(metrics) == {("Succeeded", "Failure"): 1}


def test_the_phases_of_a_failover_are_measured_from_one_to_the_next() -> None:
    metrics = Metrics(Settings())
    entry = {
        "at": "2026-11-22T18:28:38.390Z",
        "detected": "2026-11-22T18:28:38.470Z",
        "elected": "2026-11-22T18:28:38.540Z",
        "promoted": "2026-11-22T18:28:39.340Z",
        "switched": "2026-11-22T18:28:39.390Z",
        "published": "2026-11-22T18:28:39.380Z",  # the fast path was ahead of the first +switch-master
        "result": "Succeeded",
        "cause": "Failure",
    }
    metrics.status(CLUSTER, status())
    metrics.status(CLUSTER, status(failovers=[entry]))
    found = {key[0]: round(value, 3) for key, value in samples(metrics, "rso_failover_phase_seconds_sum").items()}
    assert found == {"detect": 0.08, "elect": 0.07, "promote": 0.8, "switch": 0.05, "publish": 0.0}
    counts = samples(metrics, "rso_failover_phase_seconds_count")
    assert set(counts.values()) == {1}
    metrics.status(CLUSTER, status(failovers=[entry]))
    assert samples(metrics, "rso_failover_phase_seconds_count") == counts


def test_phases_that_were_not_heard_of_are_left_out() -> None:
    metrics = Metrics(Settings())
    entry = {"at": "2026-11-22T10:00:00.000Z", "published": "2026-11-22T10:00:00.000Z", "result": "Succeeded"}
    requested = {
        "at": "2026-11-22T11:00:00.000Z", "elected": "2026-11-22T11:00:00.500Z", "detected": "", "result": "Aborted",
    }  # fmt: skip
    metrics.status(CLUSTER, status())
    metrics.status(CLUSTER, status(failovers=[entry, requested]))
    assert samples(metrics, "rso_failover_phase_seconds_sum") == {("elect",): 0.5}


def test_quorum_and_following_are_shown() -> None:
    metrics = Metrics(Settings())
    hosts = [{"name": "s", "sentinel": "Running", "followed": False}, {"name": "t", "followed": True}]
    for value, shown in (("True", 1), ("False", 0), ("Unknown", -1)):
        conditions = [{"type": "QuorumHealthy", "status": value, "reason": "x"}]
        metrics.status(CLUSTER, status(conditions=conditions, hosts=hosts))
        assert samples(metrics, "rso_quorum") == {(): shown}
    assert samples(metrics, "rso_sentinel_followed") == {("s",): 0, ("t",): 1}
    metrics.status(CLUSTER, status(conditions=[], hosts=[]))
    assert samples(metrics, "rso_quorum") == samples(metrics, "rso_sentinel_followed") == {}


def test_the_lag_of_replicas_is_that_of_the_last_pass() -> None:
    metrics = Metrics(Settings())
    metrics.passed("other/c", 1, Measured({"s": Lag(1, 1)}, {}, 1))
    metrics.passed(CLUSTER, 1, Measured({"s": Lag(2048, 1), "t": Lag(0, 7)}, {}, 2))
    metrics.passed(CLUSTER, 1, Measured({"t": Lag(5, 0)}, {}, 2))
    assert samples(metrics, "rso_replica_lag_bytes") == {("s",): 1, ("t",): 5}
    assert samples(metrics, "rso_replica_lag_seconds") == {("s",): 1, ("t",): 0}


def test_which_hosts_could_be_read_is_that_of_the_last_pass() -> None:
    metrics = Metrics(Settings())
    metrics.passed(CLUSTER, 1, Measured({}, {"m": True, "gone": True}, 2))
    metrics.passed(CLUSTER, 1, Measured({}, {"m": True, "s": False}, 3))
    assert samples(metrics, "rso_host_reachable") == {("m",): 1, ("s",): 0}
    assert samples(metrics, "rso_sentinels_needed") == {(): 3}
    metrics.passed(CLUSTER, 1, None)
    assert samples(metrics, "rso_host_reachable") == {}


def test_a_cluster_that_is_gone_leaves_nothing() -> None:
    metrics = Metrics(Settings())
    empty = metrics.render()
    metrics.forget(CLUSTER)  # never known
    metrics.beat(CLUSTER)
    metrics.status(CLUSTER, status(failovers=[]))
    metrics.passed(CLUSTER, 0.1, Measured({"s": Lag(1, 1)}, {"s": True}, 2))
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
    clock[0] += 13
    metrics.forget(CLUSTER)
    assert metrics.stuck() == []


def test_the_lease_and_the_settings_are_shown() -> None:
    metrics = Metrics(Settings(resync=42))
    held = [True]
    metrics.lease(lambda: held[0])
    assert samples(metrics, "rso_lease_fresh") == {(): 1}
    held[0] = False
    assert samples(metrics, "rso_lease_fresh") == {(): 0}
    assert b'rso_setting{setting="resync"} 42.0' in metrics.render()


def test_the_table_in_the_docs_names_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()
    table = page.partition("\n## Metrics\n")[2]
    told = {name.removesuffix("_total") for name in re.findall(r"`(rso_\w+)`", table)}
    assert told == {family.name for family in Metrics(Settings()).registry.collect()}
