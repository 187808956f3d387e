"""What /metrics tells, in a registry of its own, and the heartbeats that /healthz asks for.

May be read from any thread. Gauges of a cluster are taken from its status as it is stored, so that they never say
anything else than `kubectl get` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from redis_sentinel_operator.settings import Settings

_CLUSTER = ("namespace", "name")
_CONDITION = {"True": 1.0, "False": 0.0}
_RUNNING = "Running"
_PASS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)


class Metrics:
    """The metrics of one process. Clusters are named `<namespace>/<name>`."""

    def __init__(self, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self._beats: dict[str, float] = {}
        self._failovers_seen: dict[str, str] = {}
        self._shown: dict[str, list[tuple[Gauge, tuple[str, ...]]]] = {}
        self._patience = settings.pass_timeout + 2 * settings.resync
        make = self._gauge
        self._info = make("rso_master_info", "1 for the host that is master", "host", "address", "port")
        self._epoch = make("rso_master_config_epoch", "Sentinel's config epoch of the master")
        self._withdrawn = make("rso_master_withdrawn", "1 while the master is not to be used and no other is confirmed")
        self._phase = make("rso_phase", "1 for the phase that the cluster is in", "phase")
        self._condition = make("rso_condition", "A condition: 1 True, 0 False, -1 Unknown", "type", "reason")
        self._redis = make("rso_redis_running", "1 while the host's redis answers us", "host")
        self._sentinel = make("rso_sentinel_reachable", "1 while the host's sentinel answers us", "host")
        self._pass = Histogram(
            "rso_pass_seconds", "How long passes took", _CLUSTER, buckets=_PASS_BUCKETS, registry=self.registry
        )
        self._last_pass = make("rso_last_pass_timestamp_seconds", "When the last pass ended")
        self._failovers = Counter(
            "rso_failovers", "Failovers that were followed to their end", (*_CLUSTER, "result"), registry=self.registry
        )
        self._lease = Gauge("rso_lease_fresh", "1 while this process may make changes", registry=self.registry)
        numbers = Gauge(
            "rso_setting", "The operator's numbers, in seconds unless named", ("setting",), registry=self.registry
        )
        for name, value in asdict(settings).items():
            numbers.labels(name).set(value)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, (*_CLUSTER, *labels), registry=self.registry)

    def beat(self, cluster: str) -> None:
        """Note that the loop of a cluster is alive."""
        self._beats[cluster] = time.monotonic()

    def stuck(self) -> Sequence[str]:
        """Return a sentence for each cluster whose loop has not shown itself for longer than any pass may take."""
        now = time.monotonic()
        ages = {cluster: now - beat for cluster, beat in dict(self._beats).items()}
        return [f"{cluster}: no sign of life for {age:.0f} s" for cluster, age in ages.items() if age > self._patience]

    def passed(self, cluster: str, seconds: float) -> None:
        """Note a pass that ended now."""
        self._pass.labels(*_label(cluster)).observe(seconds)
        self._last_pass.labels(*_label(cluster)).set_to_current_time()

    def lease(self, fresh: Callable[[], bool]) -> None:
        """Ask `fresh` at each rendering whether this process may make changes."""
        self._lease.set_function(lambda: float(fresh()))

    def status(self, cluster: str, document: Mapping[str, Any]) -> None:
        """Take over the status of a cluster as it is stored."""
        shown = self._shown.get(cluster, [])
        self._shown[cluster] = []
        self._show_master(cluster, document.get("master") or {})
        if document.get("phase"):
            self._set(self._phase, cluster, 1, document["phase"])
        for condition in document.get("conditions") or ():
            value = _CONDITION.get(condition["status"], -1.0)
            self._set(self._condition, cluster, value, condition["type"], condition["reason"])
        for host in document.get("hosts") or ():
            if "redis" in host:
                self._set(self._redis, cluster, host["redis"] == _RUNNING, host["name"])
            if "sentinel" in host:
                self._set(self._sentinel, cluster, host["sentinel"] == _RUNNING, host["name"])
        for gauge, labels in shown:
            if (gauge, labels) not in self._shown[cluster]:
                gauge.remove(*labels)
        self._count_failovers(cluster, document.get("failovers") or ())

    def forget(self, cluster: str) -> None:
        """Drop everything about a cluster that is gone."""
        self._beats.pop(cluster, None)
        self._failovers_seen.pop(cluster, None)
        for gauge, labels in self._shown.pop(cluster, []):
            gauge.remove(*labels)
        namespace, name = _label(cluster)
        for metric in (self._pass, self._last_pass, self._failovers):
            metric.remove_by_labels({"namespace": namespace, "name": name})

    def render(self) -> bytes:
        """Return everything in Prometheus' text form."""
        return generate_latest(self.registry)

    def _show_master(self, cluster: str, master: Mapping[str, Any]) -> None:
        if not master:
            return
        self._set(self._info, cluster, 1, master["host"], master["address"], str(master["port"]))
        self._set(self._epoch, cluster, master["configEpoch"])
        self._set(self._withdrawn, cluster, bool(master.get("withdrawnSince")))

    def _set(self, gauge: Gauge, cluster: str, value: float, *labels: str) -> None:
        every = (*_label(cluster), *labels)
        gauge.labels(*every).set(float(value))
        self._shown[cluster].append((gauge, every))

    def _count_failovers(self, cluster: str, entries: Sequence[Mapping[str, Any]]) -> None:
        """Count entries that ended since the last look; what the first look shows was counted by an earlier process."""
        ended = [(str(entry.get("at", "")), str(entry["result"])) for entry in entries if entry.get("result")]
        last = self._failovers_seen.get(cluster)
        for at, result in ended:
            if last is not None and at > last:
                self._failovers.labels(*_label(cluster), result).inc()
        self._failovers_seen[cluster] = max([last or "", *(at for at, _ in ended)])


def _label(cluster: str) -> tuple[str, str]:
    namespace, _, name = cluster.partition("/")
    return namespace, name
