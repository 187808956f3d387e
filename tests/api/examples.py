"""Resources for tests: the seed's cluster, and a builder that changes it field by field."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]
GONE = object()
"""As a value of `changed`: the field is taken out."""

_SEED: Document = {
    "apiVersion": "redis-sentinel-operator.io/v1alpha1",
    "kind": "RedisSentinelCluster",
    "metadata": {"name": "redis-cluster", "namespace": "redis"},
    "spec": {
        "hosts": [
            {"name": "redis_master01", "address": "192.168.3.41", "sentinel": False},
            {"name": "redis_slave01", "address": "192.168.3.42"},
            {"name": "redis_slave02", "address": "192.168.3.43"},
            {"name": "redis_slave03", "address": "192.168.3.44"},
        ],
        "initialMaster": "redis_master01",
        "auth": {"passwordSecretRef": {"name": "redis-auth"}},
        "redis": {"config": {"bind": "0.0.0.0", "repl-ping-slave-period": 10, "repl-timeout": 60}},
        "sentinel": {
            "quorum": 2,
            "downAfterMilliseconds": 5000,
            "failoverTimeoutMilliseconds": 10000,
            "parallelSyncs": 1,
        },
    },
}


def seed() -> Document:
    """The seed's cluster: a master and three replicas with a sentinel beside each replica."""
    return copy.deepcopy(_SEED)


def stored(document: Document) -> Document:
    """The document as the API server hands it out."""
    result = copy.deepcopy(document)
    result["metadata"] |= {"uid": "5e0c4a0e-0000-4000-8000-000000000001", "generation": 3}
    return result


def changed(changes: Mapping[str, object], document: Document | None = None) -> Document:
    """The seed's cluster (or `document`) with fields set: `spec.hosts[1].address`, `spec.hosts[+]` to append."""
    result = copy.deepcopy(document) if document else seed()
    for path, value in changes.items():
        *way, last = path.replace("[", "\0[").replace(".", "\0").split("\0")
        node: Any = result
        for step in way:
            node = node[int(step[1:-1])] if step.startswith("[") else node.setdefault(step, {})
        if last == "[+]":
            node.append(value)
        elif value is GONE:
            del node[int(last[1:-1]) if last.startswith("[") else last]
        else:
            node[int(last[1:-1]) if last.startswith("[") else last] = value
    return result


def hosts(count: int, **fields: object) -> list[Document]:
    """That many hosts with redis and a sentinel."""
    return [{"name": f"host{n}", "address": f"10.0.{n // 250}.{n % 250 + 1}", **fields} for n in range(count)]


def largest() -> Document:
    """As much as the schema allows: 64 hosts, long names, full-length IPv6 addresses, full sets, 128 long values."""
    names = [f"{'h' * 50}-{n:02}" for n in range(64)]
    spec: Document = {
        "hosts": [
            {"name": name, "address": f"fd12:3456:789a:bcde:f012:3456:789a:{0xBC00 + n:x}", "sentinel": n != 0}
            for n, name in enumerate(names)
        ],
        "fencedHosts": names,
        "maintenanceHosts": names,
        "initialMaster": names[-1],
        "redis": {"config": {f"directive-{n}": "v" * 900 for n in range(128)}},
    }
    return seed() | {"spec": spec}
