"""The Services of a cluster on a real API server, with the operator's own rights."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from api.published import ALL, NAME, REPLICAS, SENTINELS, Document, Published, nowhere, owner, publish
from lab.controlplane import ControlPlane
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.kube.client import KubeClient, cluster_path
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.publishing import Publishing
from unit.boarding import CALM, DOWN, NEW, NO_MASTER, OLD, SWITCHED, report
from unit.judge.clusters import S1, S2, S3, M, desired, running

pytestmark = pytest.mark.timeout(240)


async def test_what_is_made(published: Published) -> None:
    service = await published.get(published.service_path())
    assert service["metadata"]["ownerReferences"] == [owner(published)]
    assert service["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "redis-sentinel-operator",
        "redis-sentinel-operator.io/cluster": NAME,
    }
    assert "selector" not in service["spec"]
    assert service["spec"]["ipFamilies"] == ["IPv4"]
    assert service["spec"]["clusterIP"].startswith("10.")
    assert service["spec"]["ports"] == [{"name": "redis", "port": 6379, "targetPort": 6379, "protocol": "TCP"}]
    found = await published.get(published.slice_path(SENTINELS))
    assert found["metadata"]["ownerReferences"] == [owner(published)]
    assert found["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "redis-sentinel-operator",
        "endpointslice.kubernetes.io/managed-by": "redis-sentinel-operator.io",
        "kubernetes.io/service-name": SENTINELS,
        "redis-sentinel-operator.io/cluster": NAME,
    }
    assert (found["addressType"], found["ports"]) == ("IPv4", [{"name": "sentinel", "port": 26379, "protocol": "TCP"}])
    assert [each["manager"] for each in found["metadata"]["managedFields"]] == ["redis-sentinel-operator"]
    assert await published.names() == (ALL, ALL)
    assert published.said() == (
        "True",
        "ServicesFollow",
        "The Services redis-cluster, redis-cluster-replicas, redis-cluster-sentinels lead to the master, the replicas "
        "and the sentinels.",
    )


async def test_a_switch_is_one_write_and_a_withdrawal_another(published: Published) -> None:
    """The API server counts the changes of what a slice says."""
    before = (await published.get(published.slice_path()))["metadata"]["generation"]
    published.confirm(NO_MASTER, DOWN)
    await published.until_behind({M: False})
    published.confirm(NEW, SWITCHED)
    await published.until_behind({S1: True})
    assert (await published.get(published.slice_path()))["metadata"]["generation"] == before + 2
    await published.until_behind({M: False, S2: False, S3: False}, REPLICAS)


async def test_what_is_as_it_should_be_is_not_written(published: Published) -> None:
    paths = [path(name) for path in (published.service_path, published.slice_path) for name in (NAME, REPLICAS)]
    before = [(await published.get(path))["metadata"]["resourceVersion"] for path in paths]
    for _ in range(3):
        published.declare()
        await published.looked()
    assert [(await published.get(path))["metadata"]["resourceVersion"] for path in paths] == before


class Counting(KubeClient):
    """The operator's client, and what it was asked to change."""

    changes: list[str]

    async def request(self, method: str, path: str, **more: Any) -> Any:
        if method != "GET":
            self.changes.append(f"{method} {path}")
        return await super().request(method, path, **more)


async def test_a_new_process_changes_nothing_where_all_is_as_it_should_be(
    published: Published, operator_environment: dict[str, str]
) -> None:
    client = await Counting.connect(operator_environment)
    assert isinstance(client, Counting)
    client.changes = []
    board = Board(published.ref, published.board.document(), nowhere, lambda: datetime.now(UTC))
    publishing = Publishing(board, client, lambda: True, lambda _: None)
    task = asyncio.create_task(publishing.run())
    try:
        for _ in range(2):
            board.confirm(OLD, CALM, published.whole)
            board.report(report(running(), desired=published.whole), published.whole)
            publishing.recheck()
            await publishing.settled()
        assert client.changes == []
        board.confirm(NEW, SWITCHED, published.whole)
        await published.until_behind({S1: True})
        await publishing.settled()
        assert [each for each in client.changes if each.endswith(f"/{NAME}")] == [f"PATCH {published.slice_path()}"]
    finally:
        task.cancel()
        await asyncio.wait({task})
        await client.close()


EDITS: dict[str, tuple[str, Document]] = {
    "a selector": ("service", {"spec": {"selector": {"app": "something-else"}}}),
    "another port": ("service", {"spec": {"ports": [{"name": "redis", "port": 6380, "targetPort": 6380}]}}),
    "an address of its own": ("service", {"spec": {"externalIPs": ["192.0.2.1"]}}),
    "also those that are not ready": ("service", {"spec": {"publishNotReadyAddresses": True}}),
    "another type": ("service", {"spec": {"type": "NodePort"}}),
    "no label": ("service", {"metadata": {"labels": None}}),
    "another master": ("slice", {"endpoints": [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}]}),
    "no endpoint": ("slice", {"endpoints": []}),
    "another port behind it": ("slice", {"ports": [{"name": "redis", "port": 6380, "protocol": "TCP"}]}),
    "of another Service": ("slice", {"metadata": {"labels": {"kubernetes.io/service-name": "other"}}}),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS.keys())
async def test_an_edit_by_somebody_else_is_repaired_at_the_next_look(
    published: Published, edit: tuple[str, Document]
) -> None:
    kind, fields = edit
    path = published.service_path() if kind == "service" else published.slice_path()
    before = await published.get(path)
    await published.edit(path, **fields)
    assert seen(await published.get(path)) != seen(before)
    published.publishing.recheck()

    async def repaired() -> bool:
        return seen(await published.get(path)) == seen(before)

    await published.until(repaired)
    published.publishing.recheck()
    await published.publishing.settled()
    assert published.said()[1] == "ServicesFollow"


async def test_what_a_selector_had_made_behind_a_service_of_ours_goes_with_it(published: Published) -> None:
    """The endpointslice controller makes a slice of Pods for it, and forgets that slice with the selector."""
    await published.edit(published.service_path(), spec={"selector": {"app": "something-else"}})

    async def made() -> bool:
        return len((await published.names())[1]) == 4

    await published.until(made)
    published.publishing.recheck()

    async def gone() -> bool:
        return await published.names() == (ALL, ALL)

    await published.until(gone)
    published.publishing.recheck()
    await published.until(lambda: published.said()[1] == "ServicesFollow")


def seen(document: Document) -> dict[str, Any]:
    """What an edit can change of it."""
    kept = {key: value for key, value in document.items() if key not in ("metadata", "status")}
    return kept | {"labels": document["metadata"].get("labels"), "owners": document["metadata"]["ownerReferences"]}


async def test_an_edit_does_not_keep_a_switch_from_being_written(published: Published) -> None:
    await published.edit(published.slice_path(), endpoints=[])
    published.confirm(NEW, SWITCHED)
    await published.until_behind({S1: True})


async def test_what_is_removed_comes_back(published: Published) -> None:
    for path in (published.service_path(), published.slice_path(), published.slice_path(REPLICAS)):
        await published.delete(path)
    published.publishing.recheck()
    await published.until_behind({M: True})
    await published.until_behind({S1: True, S2: True, S3: True}, REPLICAS)
    assert await published.names() == (ALL, ALL)


async def test_observe_makes_none_and_goes_on_with_those_that_are_there(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    async with publish(api, admin, operator_client, namespace) as published:
        published.declare(management="Observe")
        await published.until(lambda: published.said()[1] == "ServicesNotMade")
        assert published.said()[::2] == (
            "Unknown",
            "Not there: the Services redis-cluster, redis-cluster-replicas, redis-cluster-sentinels. With management "
            "Observe none is made; set it to Full or Paused to have them.",
        )
        assert await published.names() == ([], [])
        published.declare(management="Paused")
        await published.until(lambda: published.said()[1] == "ServicesFollow")
        published.declare(management="Observe")
        published.confirm(NEW, SWITCHED)
        await published.until_behind({S1: True})


async def test_they_go_with_the_resource(published: Published) -> None:
    await published.delete(cluster_path(published.ref.namespace, NAME))

    async def gone() -> bool:
        return await published.names() == ([], [])

    await published.until(gone)


async def test_a_process_that_may_not_write_changes_nothing(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    """It was frozen, another took its place: what it knows may be old."""
    may = [True]
    async with publish(api, admin, operator_client, namespace, lambda: may[0]) as published:
        published.declare()
        await published.until_behind({M: True})
        may[0] = False
        published.confirm(NEW, SWITCHED)
        published.publishing.recheck()
        await published.until(lambda: published.board.document()["master"]["host"] == S1)
        await published.edit(published.service_path(), spec={"publishNotReadyAddresses": True})
        assert await published.behind() == {"192.168.3.41": True}
        may[0] = True
        await published.until_behind({S1: True})


async def test_an_api_server_that_hangs_holds_nothing_up_and_gets_the_latest_only(
    api: ControlPlane, published: Published
) -> None:
    before = (await published.get(published.slice_path()))["metadata"]["generation"]
    server = api.daemons.pid("kube-apiserver")
    assert server is not None
    os.kill(server, signal.SIGSTOP)
    try:
        for epoch in range(1, 30):
            published.confirm(replace(NEW if epoch % 2 else OLD, config_epoch=epoch), SWITCHED)
            await asyncio.sleep(0)  # the writers get their turn
        assert published.board.document()["master"]["configEpoch"] == 29, "and the API server has not answered anything"
    finally:
        os.kill(server, signal.SIGCONT)
    await published.until_behind({S1: True})
    assert (await published.get(published.slice_path()))["metadata"]["generation"] <= before + 2


async def test_an_address_that_the_api_server_does_not_take_is_told(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    whole = desired()
    odd = replace(whole.hosts[0], address="169.254.7.7")
    hosts = (odd, *whole.hosts[1:])
    async with publish(api, admin, operator_client, namespace, hosts=hosts) as published:
        published.declare(Confirmed(M, "169.254.7.7", 6379, 0))
        await published.until(lambda: published.said()[1] == "ServicesFollow")  # the Service is there, now the slice
        published.publishing.recheck()
        await published.until(lambda: published.said()[1] == "EndpointsRefused")
        assert published.said()[2].startswith(
            "The Services do not follow the cluster: the API server refuses PATCH /apis/discovery.k8s.io/v1/namespaces/"
            f"{namespace}/endpointslices/redis-cluster (422): "
        )
        assert "169.254.7.7" in published.said()[2]
        published.confirm(NEW, SWITCHED)
        await published.until_behind({S1: True})
