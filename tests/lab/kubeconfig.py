"""Kubeconfigs of labs, and the refusal of any other: no test may ever speak to a cluster that matters to someone."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

from lab.certs import write_private
from lab.machine import LabError

MARKER = "redis-sentinel-operator.io/lab"
CLUSTER_PREFIX = "lab-"


class NotALab(LabError):
    """A kubeconfig that no lab made."""


def write_kubeconfig(path: Path, lab: str, server: str, authority: Path, *, user: str, token: str) -> Path:
    """Write a kubeconfig (0600) of the lab `lab` for `user`, who shows `token`. Returns `path`."""
    cluster_name = f"{CLUSTER_PREFIX}{lab}"
    cluster = {
        "server": server,
        "certificate-authority": str(authority),
        "extensions": [{"name": MARKER, "extension": {"lab": lab}}],
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster_name,
        "clusters": [{"name": cluster_name, "cluster": cluster}],
        "contexts": [{"name": cluster_name, "context": {"cluster": cluster_name, "user": user}}],
        "users": [{"name": user, "user": {"token": token}}],
    }
    return write_private(path, json.dumps(config, indent=1))


def assert_lab(kubeconfig: Path) -> str:
    """The name of the lab that made `kubeconfig`. Raises NotALab, with the reason, when none did."""
    try:
        config = yaml.safe_load(kubeconfig.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise NotALab(f"{kubeconfig} cannot be read as a kubeconfig: {type(error).__name__}") from error
    name, cluster = _current_cluster(config)
    reason = _foreign(name, cluster)
    if reason:
        raise NotALab(
            f"{kubeconfig} was not made by a lab: {reason}. The lab works on control planes of its own only; "
            "unset KUBECONFIG, or bring one up with `make lab-up`."
        )
    return name.removeprefix(CLUSTER_PREFIX)


def _current_cluster(config: Any) -> tuple[str, dict[str, Any]]:
    """Name and settings of the cluster that kubectl would take; an empty name where the file names none."""
    if not isinstance(config, dict):
        return "", {}
    contexts = {c.get("name"): c.get("context") or {} for c in config.get("contexts") or []}
    name = (contexts.get(config.get("current-context")) or {}).get("cluster") or ""
    clusters = {c.get("name"): c.get("cluster") or {} for c in config.get("clusters") or []}
    return name, clusters.get(name) or {}


def _foreign(name: str, cluster: dict[str, Any]) -> str:
    """Why this cluster is not a lab's; empty when it is."""
    if not name.startswith(CLUSTER_PREFIX):
        return f"its current cluster is called {name!r}, not {CLUSTER_PREFIX}..."
    marks = [e.get("extension") or {} for e in cluster.get("extensions") or [] if e.get("name") == MARKER]
    if {"lab": name.removeprefix(CLUSTER_PREFIX)} not in marks:
        return f"its cluster lacks the extension {MARKER}"
    host = str(cluster.get("server", "")).removeprefix("https://").rpartition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return f"its server {cluster.get('server')!r} is not an address of a lab"
    return "" if address.is_private or address.is_loopback else f"its server {host} is a public address"
