"""The status writer on a real API server: whole documents, only into the object they belong to."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from lab.seed import seed_cluster
from redis_sentinel_operator.board_acts import keep
from redis_sentinel_operator.errors import KubeError, ObjectReplaced
from redis_sentinel_operator.kube.client import KubeClient, cluster_path
from redis_sentinel_operator.kube.status import FIELD_MANAGER, StatusWriter
from redis_sentinel_operator.model.desired import ClusterRef

pytestmark = pytest.mark.timeout(240)
NAME = "redis-cluster"
FULL = {
    "phase": "Healthy",
    "message": "all is as declared",
    "master": {
        "host": "redis_master01",
        "address": "192.168.3.41",
        "port": 6379,
        "configEpoch": 3,
        "since": "2026-11-22T10:00:00.123Z",
    },
    "hosts": [{"name": "redis_master01", "address": "192.168.3.41", "redis": "Running"}],
}

UNSEEN = {"observedGeneration": -1}  # filled in by the API server, until the operator has observed a generation


async def make(api: ControlPlane, admin: KubeClient, namespace: str) -> ClusterRef:
    body = seed_cluster(api.config)
    body["metadata"]["namespace"] = namespace
    made = await admin.request("POST", cluster_path(namespace, ""), body=body)
    return ClusterRef(namespace, NAME, made["metadata"]["uid"])


async def delete(admin: KubeClient, ref: ClusterRef) -> None:
    await admin.request("DELETE", cluster_path(ref.namespace, ref.name))


async def annotate(admin: KubeClient, ref: ClusterRef, value: str) -> None:
    body = {"metadata": {"annotations": {"somebody": value}}}
    path = cluster_path(ref.namespace, ref.name)
    await admin.request("PATCH", path, body=body, content_type="application/merge-patch+json")


async def stored(admin: KubeClient, ref: ClusterRef) -> dict[str, Any]:
    found = await admin.get_cluster(ref.namespace, ref.name)
    assert found is not None
    return found


async def test_a_status_is_stored_whole_and_read_back(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, ref)
    assert await writer.read() == UNSEEN
    version = await writer.write(FULL)
    found = await stored(admin, ref)
    assert found["status"] == FULL | UNSEEN
    assert found["metadata"]["resourceVersion"] == version
    assert [m["manager"] for m in found["metadata"]["managedFields"] if m.get("subresource")] == [FIELD_MANAGER]
    assert await StatusWriter(operator_client, ref).read() == FULL | UNSEEN


async def test_what_a_later_status_leaves_out_goes(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, ref)
    await writer.write(FULL)
    await writer.write({"phase": "Unavailable"})
    assert (await stored(admin, ref))["status"] == {"phase": "Unavailable"} | UNSEEN
    after_restart = StatusWriter(operator_client, ref)
    await after_restart.write({"message": "from another process"})
    assert (await stored(admin, ref))["status"] == {"message": "from another process"} | UNSEEN


async def test_an_equal_status_leaves_the_resource_version(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, ref)
    version = await writer.write(FULL)
    assert await writer.write(copy.deepcopy(FULL)) == version
    assert await StatusWriter(operator_client, ref).write(FULL) == version
    assert (await stored(admin, ref))["metadata"]["resourceVersion"] == version
    assert await writer.write({**FULL, "phase": "Degraded"}) != version


async def test_a_change_by_somebody_else_is_no_obstacle(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, ref)
    await writer.write(FULL)
    await annotate(admin, ref, "one")
    await writer.write({"phase": "Degraded"})
    found = await stored(admin, ref)
    assert found["status"] == {"phase": "Degraded"} | UNSEEN
    assert found["metadata"]["annotations"]["somebody"] == "one"


async def test_of_two_writers_neither_takes_back_what_the_other_answered(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    first, second = (StatusWriter(operator_client, ref, keep) for _ in range(2))
    answer = {"verb": "drill", "at": "2026-01-31T12:00:00Z", "result": "Done"}
    await second.write({"phase": "Healthy"})
    await first.write({"phase": "Degraded", "acts": [answer]})
    await second.write({"phase": "Unavailable"})
    version = await second.write({"phase": "Unavailable"})
    found = await stored(admin, ref)
    assert found["status"] == {"phase": "Unavailable", "acts": [answer]} | UNSEEN
    assert found["metadata"]["resourceVersion"] == version


async def test_nothing_of_the_old_status_gets_into_a_new_object(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    old = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, old)
    await writer.write(FULL)
    await delete(admin, old)
    new = await make(api, admin, namespace)
    assert new.uid != old.uid
    for writer_of_old in (writer, StatusWriter(operator_client, old)):
        with pytest.raises(ObjectReplaced, match=f"{namespace}/{NAME} was deleted and made again"):
            await writer_of_old.write({"phase": "Unavailable"})
    assert (await stored(admin, new))["status"] == UNSEEN


async def test_a_deleted_object_is_said_to_be_gone(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, ref)
    await writer.write(FULL)
    await delete(admin, ref)
    for writer_of_gone in (writer, StatusWriter(operator_client, ref)):
        with pytest.raises(ObjectReplaced, match=f"{namespace}/{NAME} is gone"):
            await writer_of_gone.write({"phase": "Unavailable"})
    assert await admin.get_cluster(namespace, NAME) is None


async def test_a_field_that_the_served_crd_lacks_fails_the_write_and_says_which(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    ref = await make(api, admin, namespace)
    writer = StatusWriter(operator_client, ref)
    await writer.write({"phase": "Healthy"})
    with pytest.raises(KubeError, match=r"status\.shards: field not declared in schema"):
        await writer.write({"phase": "Degraded", "shards": 3})
    assert (await stored(admin, ref))["status"] == {"phase": "Healthy"} | UNSEEN
