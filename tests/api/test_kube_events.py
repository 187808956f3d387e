"""Events on a real API server, with the operator's own rights."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from redis_sentinel_operator.api import GROUP
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.kube.events import Aspect, Events
from redis_sentinel_operator.model.desired import ClusterRef

pytestmark = pytest.mark.timeout(240)


async def posted(admin: KubeClient, namespace: str, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 90
    while True:
        found: list[dict[str, Any]] = (await admin.request("GET", path_of("", "v1", "events", namespace)))["items"]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.05)


async def test_a_transition_becomes_one_event_of_the_object(
    admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    events = Events(operator_client, "this-process")
    task = asyncio.create_task(events.run())
    ref = ClusterRef(namespace, "redis-cluster", "11111111-2222-3333-4444-555555555555")
    assert events.transition(ref, Aspect("Ready", "NoMaster", "x" * 2000, "bad"))
    assert not events.transition(ref, Aspect("Ready", "NoMaster", "the same, in other words", "bad"))
    assert events.transition(ref, Aspect("Ready", "AllAsDeclared", "all is as declared", "good"))
    found = sorted(await posted(admin, namespace, 2), key=lambda event: str(event["type"]))
    task.cancel()
    assert [(event["type"], event["reason"]) for event in found] == [
        ("Normal", "AllAsDeclared"),
        ("Warning", "NoMaster"),
    ]
    assert len(found[1]["message"]) == 1024
    assert found[0]["involvedObject"] == {
        "apiVersion": f"{GROUP}/v1alpha1",
        "kind": "RedisSentinelCluster",
        "namespace": namespace,
        "name": "redis-cluster",
        "uid": ref.uid,
    }
    assert found[0]["reportingComponent"] == "redis-sentinel-operator"


async def test_an_event_that_cannot_be_posted_disturbs_nobody(
    admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    events = Events(operator_client, "this-process")
    task = asyncio.create_task(events.run())
    nowhere = ClusterRef("no-such-namespace", "redis-cluster", "uid-one")
    assert events.transition(nowhere, Aspect("Ready", "NoMaster", "refused by the API server", "bad"))
    somewhere = ClusterRef(namespace, "redis-cluster", "uid-two")
    assert events.transition(somewhere, Aspect("Ready", "NoMaster", "posted after it", "bad"))
    assert len(await posted(admin, namespace, 1)) == 1
    assert not task.done()
    task.cancel()
