"""The example cluster of `deploy/examples/seed` for a lab: its two Secrets, and the resource on the lab's own hosts."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from lab.model import LabConfig

SEED = Path(__file__).parents[2] / "deploy" / "examples" / "seed"
NAMESPACE = "redis"


def seed_secrets(private_key: str, known_hosts: str, password: str) -> list[dict[str, Any]]:
    """The Secrets redis-ssh and redis-auth as documents for `ControlPlane.apply`, which uses a pipe, not argv."""
    return [
        _secret("redis-ssh", "kubernetes.io/ssh-auth", {"ssh-privatekey": private_key, "known_hosts": known_hosts}),
        _secret("redis-auth", "kubernetes.io/basic-auth", {"password": password}),
    ]


def seed_cluster(config: LabConfig) -> dict[str, Any]:
    """The resource with the hosts of `config`: as in the file where the lab has the file's addresses.

    The first host has redis and no sentinel, the others have both.
    """
    cluster = _document("cluster.yaml")
    first, *others = config.hosts
    cluster["spec"]["hosts"] = [
        {"name": first.name, "address": first.address, "sentinel": False},
        *({"name": host.name, "address": host.address} for host in others),
    ]
    return cluster


def seed_fits(config: LabConfig) -> bool:
    """Whether the files can be applied as they are: the lab has their hosts at their addresses."""
    return seed_cluster(config) == _document("cluster.yaml")


def _document(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((SEED / name).read_text())
    return document


def _secret(name: str, kind: str, values: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "type": kind,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }
