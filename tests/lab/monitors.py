"""The definitions of PodMonitor and PrometheusRule, as the Prometheus Operator's own Go module has them."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.cache import artefact
from lab.console import Console, default_console
from lab.golang import go_command, go_module

_MODULE, _VERSION = "github.com/prometheus-operator/prometheus-operator", "v0.85.0"
_SUM = "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s="


def monitor_definitions(console: Console | None = None) -> Path:
    """A directory with both, for `kubectl apply`. Fetched and cached. Raises LabError."""
    console = console or default_console()

    def build(directory: Path) -> None:
        files = go_module(go_command(console), _MODULE, _VERSION, _SUM) / "example/prometheus-operator-crd"
        for kind in ("podmonitors", "prometheusrules"):
            shutil.copy(files / f"monitoring.coreos.com_{kind}.yaml", directory)

    return artefact(f"monitors-{_VERSION}", build, console, "fetching the Prometheus Operator's definitions")
