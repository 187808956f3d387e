"""A real Prometheus scrapes the operator's own endpoint; what the cluster is is told by the product's metrics alone.

The same on a cluster with real troubles is tests/e2e/test_monitoring.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.machine import LabError
from lab.processes import wait_until
from monitoring.manifests import dashboard, rules
from monitoring.server import Prometheus, free_port, queries
from redis_sentinel_operator import http
from redis_sentinel_operator.judge.lag import Lag
from redis_sentinel_operator.judge.measured import Measured
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.sideline import Sideline

CLUSTER = "redis/redis-cluster"
HOSTS = [{"name": f"s{n}", "redis": "Running", "sentinel": "Running", "followed": True} for n in (1, 2, 3)]
FAILOVER = {
    "at": "2026-11-22T18:28:38.390Z",
    "detected": "2026-11-22T18:28:38.470Z",
    "switched": "2026-11-22T18:28:39.390Z",
    "published": "2026-11-22T18:28:39.400Z",
    "result": "Succeeded",
    "cause": "Failure",
}
STATUS = {
    "phase": "Healthy",
    "master": {"host": "s1", "address": "192.168.3.42", "port": 6379, "configEpoch": 4},
    "conditions": [
        {"type": "Ready", "status": "True", "reason": "Healthy"},
        {"type": "MasterConfirmed", "status": "False", "reason": "MasterStopped"},
        {"type": "QuorumHealthy", "status": "True", "reason": "QuorumReached"},
    ],
    "hosts": HOSTS,
}


def look(metrics: Metrics) -> None:
    """What a pass of the operator tells."""
    metrics.status(CLUSTER, {**STATUS, "failovers": [FAILOVER]})
    metrics.passed(CLUSTER, 0.2, Measured({"s2": Lag(0, 1)}, {"s1": True, "s2": True, "s3": True}, 2))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It has scraped some passes."""
    metrics, port = Metrics(Settings()), free_port()
    metrics.lease(lambda: True)
    metrics.status(CLUSTER, STATUS)
    metrics.published(CLUSTER, "status", 0.01)
    directory: Path = tmp_path_factory.mktemp("prometheus")
    with Sideline() as sideline:
        served = sideline.start(http.serve(http.application(metrics, list, list, list), port)).result(5)
        with Prometheus(directory, f"127.0.0.1:{port}") as running:
            for _ in range(3):
                look(metrics)
                time.sleep(1)
            yield running
        sideline.start(served.cleanup()).result(5)


def test_the_labels_of_the_pod_and_of_the_cluster_are_both_there(prometheus: Prometheus) -> None:
    (phase,) = prometheus.ask("rso_phase")
    assert {key: phase["metric"][key] for key in ("namespace", "name", "pod", "phase")} == {
        "namespace": "redis",
        "name": "redis-cluster",
        "pod": "redis-sentinel-operator-0",
        "phase": "Healthy",
    }
    (lease,) = prometheus.ask("rso_lease_fresh")
    assert lease["metric"]["namespace"] == "redis-sentinel-operator"


def test_every_query_of_the_dashboard_returns_something(prometheus: Prometheus) -> None:
    empty = [
        (panel["title"], expression)
        for panel in dashboard()["panels"]
        for expression, _, _ in queries(panel)
        if not [each for each in prometheus.ask(expression) if each["value"][1] != "NaN"]
    ]
    assert empty == []


def test_the_lists_of_the_dashboard_have_the_cluster(prometheus: Prometheus) -> None:
    variables = {each["name"]: each for each in dashboard()["templating"]["list"]}
    for name, value in (("namespace", "redis"), ("name", "redis-cluster")):
        series, label = variables[name]["definition"].removeprefix("label_values(").rstrip(")").rsplit(", ", 1)
        found = prometheus.ask(series.replace("$namespace", "redis"))
        assert {each["metric"][label] for each in found} == {value}
    (changes,) = (each["expr"] for each in dashboard()["annotations"]["list"])
    prometheus.ask(changes.replace("$namespace", "redis").replace("$name", "redis-cluster"))


def test_what_is_wrong_is_pending_and_nothing_else(prometheus: Prometheus) -> None:
    """Its master is down, as the conditions say; alerts wait for a minute before they fire."""
    assert wait_until(lambda: prometheus.ask("ALERTS"), 10, 0.2)
    found = {(each["metric"]["alertname"], each["metric"]["alertstate"]) for each in prometheus.ask("ALERTS")}
    assert found == {("RedisSentinelNoMaster", "pending")}
    for rule in rules():
        prometheus.ask(rule["expr"])


def test_a_query_that_is_none_is_said(prometheus: Prometheus) -> None:
    with pytest.raises(LabError, match="parse error"):
        prometheus.ask("rso_phase{")
