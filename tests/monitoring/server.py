"""A real Prometheus on this machine's loopback, for as long as a test runs; it is configured as the PodMonitor says."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from lab.machine import LabError
from lab.ports import number_of, reserve_port
from lab.processes import wait_until
from lab.prometheus import prometheus_programs
from monitoring.manifests import document, groups

Result = list[dict[str, Any]]
INTERVAL = "1s"  # instead of 15 s: a lab run is over in minutes


class Prometheus:
    """Scrapes `target` (address:port) into `directory`, and evaluates the rules. Ends with its context, by its pid."""

    def __init__(self, directory: Path, target: str) -> None:
        self._directory = directory
        self._reserved = reserve_port()
        self._port = number_of(self._reserved)
        (directory / "rules.yaml").write_text(yaml.safe_dump(groups()))
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(configuration(target)))
        self._log = directory / "prometheus.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command: list[str | Path] = [
            prometheus_programs() / "prometheus",
            f"--config.file={self._directory / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
            "--scrape.discovery-reload-interval=1s",  # else nothing is scraped for five
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if not wait_until(self._scrapes, 90, 0.1):
            self.__exit__()
            raise LabError(f"Prometheus scrapes nothing:\n{self._log.read_text()[-3000:]}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reserved.close()

    def ask(self, expression: str, at: float | None = None) -> Result:
        """An instant query. Raises LabError with what Prometheus says of a bad one."""
        return self._get("query", query=expression, time=at or time.time())

    def ask_range(self, expression: str, begin: float, end: float, step: float) -> Result:
        """A query over a time, in seconds since the epoch."""
        return self._get("query_range", query=expression, start=begin, end=end, step=step)

    def _get(self, path: str, **words: object) -> Result:
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                found: Result = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            raise LabError(f"{words['query']}: {error.read().decode()}") from None

    def _scrapes(self) -> bool:
        try:
            return bool(self.ask("up == 1"))
        except (OSError, LabError):  # it does not listen yet, or is not ready
            return False


def configuration(target: str) -> dict[str, Any]:
    """What the Prometheus Operator makes of the PodMonitor for one Pod: its labels meet those of the metrics."""
    monitor = document("podmonitor.yaml")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    namespace, name = monitor["metadata"]["namespace"], monitor["metadata"]["name"]
    of_pod = {"namespace": namespace, "pod": f"{name}-0", "container": "operator", "endpoint": endpoint["port"]}
    scrape = {
        "job_name": f"{namespace}/{name}",
        "honor_labels": endpoint.get("honorLabels", False),
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": [target], "labels": of_pod}],
    }
    return {
        "global": {"scrape_interval": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [scrape],
    }


def queries(panel: dict[str, Any]) -> Sequence[tuple[str, str, bool]]:
    """Expression, legend and whether it is asked for now only: of each query of a panel, as Grafana sends it."""
    variables = {"$namespace": "redis", "$name": "redis-cluster", "$__rate_interval": "1m"}
    found = []
    for target in panel["targets"]:
        expression = target["expr"]
        for name, value in variables.items():
            expression = expression.replace(name, value)
        found.append((expression, target["legendFormat"], bool(target.get("instant"))))
    return found
