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
    contexts = _by_name(config.get("contexts"), "context")
    name = str(contexts.get(str(config.get("current-context")), {}).get("cluster") or "")
    return name, _by_name(config.get("clusters"), "cluster").get(name, {})


def _by_name(entries: Any, key: str) -> dict[str, dict[str, Any]]:
    """The `key` of each entry that has one, by the entry's name; what has another form is left out."""
    found = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("name")): entry[key] for entry in found if isinstance(entry.get(key), dict)}


def _foreign(name: str, cluster: dict[str, Any]) -> str:
    """Why this cluster is not a lab's; empty when it is."""
    if not name.startswith(CLUSTER_PREFIX):
        return f"its current cluster is called {name!r}, not {CLUSTER_PREFIX}..."
    marks = _by_name(cluster.get("extensions"), "extension")
    if marks.get(MARKER) != {"lab": name.removeprefix(CLUSTER_PREFIX)}:
        return f"its cluster lacks the extension {MARKER}"
    host = str(cluster.get("server", "")).removeprefix("https://").rpartition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return f"its server {cluster.get('server')!r} is not an address of a lab"
    return "" if address.is_private or address.is_loopback else f"its server {host} is a public address"
