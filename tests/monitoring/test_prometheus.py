"""A real Prometheus scrapes the operator's own endpoint; what the cluster is is told by the product's metrics alone.

The same on a cluster with real troubles is tests/e2e/test_monitoring.py.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.machine import LabError
from lab.processes import wait_until
from monitoring.manifests import dashboard, rules
from monitoring.server import Prometheus, Result, queries
from redis_sentinel_operator import http
from redis_sentinel_operator.judge.lag import Lag
from redis_sentinel_operator.judge.measured import Measured
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.sideline import Sideline

pytestmark = pytest.mark.timeout(240)
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


async def looking(metrics: Metrics) -> None:
    """Passes that go on, so that a rate is one however long the questions take."""
    while True:
        look(metrics)
        await asyncio.sleep(1)


@dataclass(frozen=True, slots=True)
class Then:
    """What Prometheus knew at one moment: just after a scrape that went well, which the next one may not."""

    running: Prometheus
    at: float

    def ask(self, expression: str) -> Result:
        return self.running.ask(expression, self.at)


def last_scrape(running: Prometheus) -> Then | None:
    """The moment of the last one, None while no three passes were scraped one after the other."""
    moments = [float(each["value"][1]) for each in running.ask("timestamp(up == 1)")]
    then = Then(running, max(moments, default=0.0))
    return then if moments and then.ask("changes(rso_pass_seconds_count[1m]) > 2") else None


def after_some_passes(running: Prometheus) -> Then:
    """Wait for them."""
    deadline = time.monotonic() + 90
    while (found := last_scrape(running)) is None:
        assert time.monotonic() < deadline, "no passes were scraped"
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Then]:
    """It has scraped some passes."""
    metrics = Metrics(Settings())
    metrics.lease(lambda: True)
    metrics.status(CLUSTER, STATUS)
    metrics.published(CLUSTER, "status", 0.01)
    directory: Path = tmp_path_factory.mktemp("prometheus")
    with Sideline() as sideline:
        served = sideline.start(http.serve(http.application(metrics, list, list, list), 0)).result(50)
        with Prometheus(directory, f"127.0.0.1:{served.addresses[0][1]}") as running:
            sideline.start(looking(metrics))
            yield after_some_passes(running)
        sideline.start(served.cleanup()).result(50)


def test_the_labels_of_the_pod_and_of_the_cluster_are_both_there(prometheus: Then) -> None:
    (phase,) = prometheus.ask("rso_phase")
    assert {key: phase["metric"][key] for key in ("namespace", "name", "pod", "phase")} == {
        "namespace": "redis",
        "name": "redis-cluster",
        "pod": "redis-sentinel-operator-0",
        "phase": "Healthy",
    }
    (lease,) = prometheus.ask("rso_lease_fresh")
    assert lease["metric"]["namespace"] == "redis-sentinel-operator"


def test_every_query_of_the_dashboard_returns_something(prometheus: Then) -> None:
    empty = [
        (panel["title"], expression)
        for panel in dashboard()["panels"]
        for expression, _, _ in queries(panel)
        if not [each for each in prometheus.ask(expression) if each["value"][1] != "NaN"]
    ]
    assert empty == []


def test_the_lists_of_the_dashboard_have_the_cluster(prometheus: Then) -> None:
    variables = {each["name"]: each for each in dashboard()["templating"]["list"]}
    for name, value in (("namespace", "redis"), ("name", "redis-cluster")):
        series, label = variables[name]["definition"].removeprefix("label_values(").rstrip(")").rsplit(", ", 1)
        found = prometheus.ask(series.replace("$namespace", "redis"))
        assert {each["metric"][label] for each in found} == {value}
    (changes,) = (each["expr"] for each in dashboard()["annotations"]["list"])
    prometheus.ask(changes.replace("$namespace", "redis").replace("$name", "redis-cluster"))


def test_what_is_wrong_is_pending_and_nothing_else(prometheus: Then) -> None:
    """Its master is down, as the conditions say; alerts wait for a minute before they fire."""
    assert {rule["alert"] for rule in rules() if prometheus.ask(rule["expr"])} == {"RedisSentinelNoMaster"}
    alert = 'ALERTS{alertname="RedisSentinelNoMaster"}'
    assert wait_until(lambda: prometheus.running.ask(alert), 90, 0.2)
    now = time.time()
    states = prometheus.running.ask_range(alert, now - 300, now, 1)
    first = min(states, key=lambda each: float(each["values"][0][0]))
    assert first["metric"]["alertstate"] == "pending"


def test_a_query_that_is_none_is_said(prometheus: Then) -> None:
    with pytest.raises(LabError, match="parse error"):
        prometheus.ask("rso_phase{")
