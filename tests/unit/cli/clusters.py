"""A cluster as the API server hands it out, for what the program shows of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from api.examples import seed, stored

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
SWITCH = {
    "from": "redis_master01",
    "to": "redis_slave02",
    "cause": "Failure",
    "at": "2026-01-31T11:00:00.000Z",
    "detected": "2026-01-31T11:00:00.400Z",
    "elected": "2026-01-31T11:00:00.500Z",
    "promoted": "2026-01-31T11:00:01.900Z",
    "switched": "2026-01-31T11:00:02.000Z",
    "published": "2026-01-31T11:00:02.009Z",
    "configEpoch": 2,
    "result": "Succeeded",
}


def _host(name: str, number: int, **fields: Any) -> dict[str, Any]:
    host = {"name": name, "address": f"192.168.3.{number}", "state": "Member", "role": "Replica", "redis": "Running"}
    return {**host, "link": "Up", "sentinel": "Running", "followed": True, **fields}


def _condition(kind: str, status: str = "True", reason: str = "Fine", message: str = "") -> dict[str, Any]:
    when = {"lastTransitionTime": "2026-01-31T11:58:00Z"}
    return {"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": 3, **when}


def healthy() -> dict[str, Any]:
    """The seed's cluster after a failover; all is well."""
    body = stored(seed())
    body["status"] = {
        "observedGeneration": 3,
        "phase": "Healthy",
        "message": "all is as declared",
        "master": {
            "host": "redis_slave02",
            "address": "192.168.3.43",
            "port": 6379,
            "configEpoch": 2,
            "since": "2026-01-31T11:00:02Z",
        },
        "ready": "4/4",
        "replicas": "3/3",
        "sentinels": "3/3",
        "hosts": [
            _host("redis_master01", 41, sentinel=None, followed=None),
            _host("redis_slave01", 42),
            _host("redis_slave02", 43, role="Master", link=None),
            _host("redis_slave03", 44),
        ],
        "conditions": [_condition("Ready"), _condition("MasterConfirmed"), _condition("QuorumHealthy")],
        "failovers": [SWITCH],
    }
    return body


def troubled() -> dict[str, Any]:
    """A replica is lost, a switchover goes on, a newer spec is not true yet, a host is aside."""
    body = healthy()
    body["metadata"]["generation"] = 4
    body["spec"] |= {"management": "Paused", "maintenanceHosts": ["redis_slave03"]}
    status = body["status"]
    status |= {"phase": "Degraded", "message": "one replica is not in touch", "ready": "3/4", "replicas": "2/3"}
    status["master"]["withdrawnSince"] = "2026-01-31T11:59:50Z"
    status["hosts"][1] |= {"redis": "Stopped", "link": "Down", "role": None, "followed": False}
    status["hosts"][1] |= {"message": "its redis does not run"}
    status["hosts"][3] |= {"state": "Maintenance"}
    status["hosts"][0]["config"] = [{"key": "databases", "want": "32", "have": "16", "pendingRestart": True}]
    status["conditions"] += [
        _condition("Reconciling", "True", "Switching", "a switchover goes on"),
        _condition("ReplicationHealthy", "False", "ReplicaDown", "redis_slave01: its redis does not run; start it."),
        _condition("HostsReachable", "Unknown", "NotReadYet", "not all hosts were read yet"),
    ]
    status["operation"] = {
        "id": "1", "type": "switchover", "step": "fence", "arg": "redis_slave03", "message": "to redis_slave03",
        "startedAt": "2026-01-31T11:59:48Z", "since": "2026-01-31T11:59:57Z",
    }  # fmt: skip
    status["acts"] = [
        {"verb": "drill", "at": "2026-01-31T10:00:00Z", "result": "Refused", "message": "a replica is down"},
        {"verb": "switchover", "arg": "redis_slave03", "at": "2026-01-31T11:59:48Z", "result": "Running"},
    ]
    return body
