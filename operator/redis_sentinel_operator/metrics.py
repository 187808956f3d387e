"""What /metrics tells, in a registry of its own, and the heartbeats that /healthz asks for.

May be read from any thread. Gauges of a cluster are taken from its status as it is stored, so that they never say
anything else than `kubectl get` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import product
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from redis_sentinel_operator.judge.measured import Measured
from redis_sentinel_operator.judge.messages import QUORUM
from redis_sentinel_operator.model.event import Cause
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.times import seconds

_CLUSTER = ("namespace", "name")
_CONDITION = {"True": 1.0, "False": 0.0}
_RUNNING = "Running"
_RESULTS = ("Succeeded", "Aborted")
_PASS_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
_PUBLISH_BUCKETS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_PHASE_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)
# The phases of a failover, each by the time in its entry at which it ends; the first one begins at `at`.
_PHASES = {
    "detect": "detected",
    "elect": "elected",
    "promote": "promoted",
    "switch": "switched",
    "publish": "published",
}


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
        self._followed = make("rso_sentinel_followed", "1 while what the host's sentinel publishes is heard", "host")
        self._quorum = make("rso_quorum", "1 while a failover can be authorised, 0 while not, -1 where it is unknown")
        self._needed = make("rso_sentinels_needed", "How many sentinels must work for a failover")
        self._reachable = make("rso_host_reachable", "1 while the host can be read over SSH", "host")
        self._lag = make("rso_replica_lag_bytes", "Bytes of replication that the replica has not acknowledged", "host")
        self._silence = make("rso_replica_lag_seconds", "Seconds since the replica acknowledged anything", "host")
        self._pass = Histogram(
            "rso_pass_seconds", "How long passes took", _CLUSTER, buckets=_PASS_BUCKETS, registry=self.registry
        )
        self._last_pass = make("rso_last_pass_timestamp_seconds", "When the last pass ended")
        self._failovers = Counter(
            "rso_failovers", "Failovers that came to an end", (*_CLUSTER, "result", "cause"), registry=self.registry
        )
        self._phases = Histogram(
            "rso_failover_phase_seconds",
            "How long the phases of failovers took",
            (*_CLUSTER, "phase"),
            buckets=_PHASE_BUCKETS,
            registry=self.registry,
        )
        self._published = Histogram(
            "rso_publish_seconds",
            "From the evidence of a switch to the API server's answer",
            (*_CLUSTER, "where"),
            buckets=_PUBLISH_BUCKETS,
            registry=self.registry,
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

    def passed(self, cluster: str, took: float, measured: Measured | None) -> None:
        """Note a pass that ended now, how many seconds it took, and what it measured."""
        self._pass.labels(*_label(cluster)).observe(took)
        self._last_pass.labels(*_label(cluster)).set_to_current_time()
        of_hosts = (self._lag, self._silence, self._reachable)
        for gauge in of_hosts:
            gauge.remove_by_labels(_names(cluster))
        if measured is None:
            return
        self._needed.labels(*_label(cluster)).set(measured.sentinels_needed)
        for host, reachable in measured.reachable.items():
            self._reachable.labels(*_label(cluster), host).set(reachable)
        for host, lag in measured.lags.items():
            self._lag.labels(*_label(cluster), host).set(lag.bytes)
            self._silence.labels(*_label(cluster), host).set(lag.seconds)

    def published(self, cluster: str, where: str, took: float) -> None:
        """Note that a switch is in status, or behind the Service, so many seconds after it was seen."""
        self._published.labels(*_label(cluster), where).observe(took)

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
            if condition["type"] == QUORUM:
                self._set(self._quorum, cluster, value)
        for host in document.get("hosts") or ():
            if "redis" in host:
                self._set(self._redis, cluster, host["redis"] == _RUNNING, host["name"])
            if "sentinel" in host:
                self._set(self._sentinel, cluster, host["sentinel"] == _RUNNING, host["name"])
            if "followed" in host:
                self._set(self._followed, cluster, host["followed"], host["name"])
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
        of_failovers = (self._failovers, self._phases, self._published)
        of_passes = (self._pass, self._last_pass, self._needed, self._reachable, self._lag, self._silence)
        for metric in (*of_passes, *of_failovers):
            metric.remove_by_labels(_names(cluster))

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
        ended = [entry for at, entry in enumerate(entries, 1) if _is_over(entry, last=at == len(entries))]
        seen = self._failovers_seen.get(cluster)
        if seen is None:  # a counter that began with its first failover would show Prometheus no increase
            for result, cause in product(_RESULTS, get_args(Cause)):
                self._failovers.labels(*_label(cluster), result, cause)
        for entry in ended:
            if seen is not None and str(entry.get("at", "")) > seen:
                self._failovers.labels(*_label(cluster), entry["result"], entry.get("cause", "")).inc()
                for phase, seconds in _phases(entry).items():
                    self._phases.labels(*_label(cluster), phase).observe(seconds)
        self._failovers_seen[cluster] = max([seen or "", *(str(entry.get("at", "")) for entry in ended)])


def _is_over(entry: Mapping[str, Any], *, last: bool) -> bool:
    """Whether nothing more comes: the new master is published a moment after the sentinels told of the switch."""
    result = entry.get("result")
    return bool(result) and (result != "Succeeded" or bool(entry.get("published")) or not last)


def _phases(entry: Mapping[str, Any]) -> Mapping[str, float]:
    """Return the seconds of each phase that was heard of, from the end of the one before; a phase may be overtaken.

    A switch that was found by reading says nothing of how long it took to publish it.
    """
    found: dict[str, float] = {}
    before = seconds(entry.get("at"))
    for phase, end in _PHASES.items():
        at = seconds(entry.get(end)) if phase != "publish" or entry.get("switched") else 0.0
        if at and before:
            found[phase] = max(0.0, at - before)
            before = max(before, at)
    return found


def _names(cluster: str) -> dict[str, str]:
    return dict(zip(_CLUSTER, _label(cluster), strict=True))


def _label(cluster: str) -> tuple[str, str]:
    namespace, _, name = cluster.partition("/")
    return namespace, name
