"""What deploy/monitoring/ holds, as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy/monitoring"
RUNBOOKS = ROOT / "docs/runbooks"
Document = dict[str, Any]


def document(name: str) -> Document:
    """A manifest."""
    found: Document = yaml.safe_load((MONITORING / name).read_text())
    return found


def groups() -> Document:
    """The rules as a file of Prometheus has them: what the Prometheus Operator makes of the PrometheusRule."""
    return dict(document("prometheusrule.yaml")["spec"])


def rules() -> Iterator[Document]:
    """All rules, in their order; two may have one alert's name."""
    for group in groups()["groups"]:
        yield from group["rules"]


def dashboard() -> Document:
    """The dashboard as Grafana imports it."""
    found: Document = json.loads((MONITORING / "dashboard.json").read_text())
    return found
