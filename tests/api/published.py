"""A board and the publishing that follows it, for a resource on a real API server that nobody else works on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from lab.controlplane import ControlPlane
from lab.seed import seed_cluster
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.kube.client import KubeClient, cluster_path, path_of
from redis_sentinel_operator.kube.endpoints import slice_path
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.verdict import Confirmed, Uncertain
from redis_sentinel_operator.publishing import Publishing
from unit.boarding import CALM, OLD, report
from unit.judge.clusters import ADDRESS, desired, running

NAME = "redis-cluster"
REPLICAS = f"{NAME}-replicas"
SENTINELS = f"{NAME}-sentinels"
ALL = [NAME, REPLICAS, SENTINELS]
MERGE = "application/merge-patch+json"
Document = dict[str, Any]


@dataclass
class Published:
    """What a test says to the board, and what is then stored."""

    ref: ClusterRef
    admin: KubeClient
    board: Board
    publishing: Publishing
    whole: Desired

    def confirm(self, found: Confirmed | Uncertain = OLD, sentinels: Mapping[str, Any] = CALM) -> None:
        """As the fast path does."""
        self.board.confirm(found, sentinels, self.whole)

    def declare(self, found: Confirmed = OLD, **changes: Any) -> None:
        """As a pass does that read the resource: with changes of what is desired."""
        self.whole = replace(self.whole, **changes)
        self.confirm(found)
        self.board.report(report(running(), desired=self.whole), self.whole)
        self.publishing.recheck()

    def service_path(self, name: str = NAME) -> str:
        """Where a Service is."""
        return path_of("", "v1", "services", self.ref.namespace, name)

    def slice_path(self, name: str = NAME) -> str:
        """Where the EndpointSlice of a Service is."""
        return slice_path(self.ref.namespace, name)

    async def get(self, path: str) -> Document:
        """What is stored there."""
        found: Document = await self.admin.request("GET", path)
        return found

    async def edit(self, path: str, **fields: Any) -> None:
        """An edit by somebody else."""
        await self.admin.request("PATCH", path, body=fields, content_type=MERGE)

    async def make(self, path: str, document: Mapping[str, Any]) -> Document:
        """An object of somebody else's."""
        made: Document = await self.admin.request("POST", path.rpartition("/")[0], body=document)
        return made

    async def delete(self, path: str) -> None:
        """Somebody else removes it."""
        await self.admin.request("DELETE", path)

    async def names(self) -> tuple[list[str], list[str]]:
        """The names of all Services and of all EndpointSlices there."""
        paths = (path_of("", "v1", "services", self.ref.namespace), slice_path(self.ref.namespace))
        services, slices = [(await self.get(path))["items"] for path in paths]
        return _names(services), _names(slices)

    async def behind(self, name: str = NAME) -> dict[str, bool]:
        """The addresses behind a Service, and whether each is ready."""
        found = await self.admin.get_or_none(self.slice_path(name)) or {}
        return {each["addresses"][0]: each["conditions"]["ready"] for each in found.get("endpoints") or ()}

    def said(self) -> tuple[str, str, str]:
        """The condition EndpointsInSync."""
        found = next(each for each in self.board.document()["conditions"] if each["type"] == "EndpointsInSync")
        return found["status"], found["reason"], found["message"]

    async def until(self, what: Callable[[], Any], seconds: float = 90) -> None:
        """Wait until it is true; `what` may be a coroutine function."""
        deadline = time.monotonic() + seconds
        while True:
            found = what()
            if await found if asyncio.iscoroutine(found) else found:
                return
            assert time.monotonic() < deadline, f"it did not come: {self.said()}"
            await asyncio.sleep(0.02)

    async def until_behind(self, wanted: Mapping[str, bool], name: str = NAME) -> None:
        """Wait until these hosts are behind a Service, each ready or not."""
        addresses = {ADDRESS[host]: ready for host, ready in wanted.items()}

        async def there() -> bool:
            return await self.behind(name) == addresses

        await self.until(there)

    async def looked(self) -> None:
        """Have all Services looked at, and wait until that was done: the last one was missing and is there again."""
        old = (await self.get(self.service_path(SENTINELS)))["metadata"]["uid"]
        await self.delete(self.service_path(SENTINELS))
        self.publishing.recheck()

        async def made() -> bool:
            found = await self.admin.get_or_none(self.service_path(SENTINELS))
            return found is not None and found["metadata"]["uid"] != old

        await self.until(made)


def owner(published: Published) -> Document:
    """What says that an object is this resource's."""
    return {
        "apiVersion": "redis-sentinel-operator.io/v1alpha1",
        "kind": "RedisSentinelCluster",
        "name": NAME,
        "uid": published.ref.uid,
        "controller": True,
    }


def _names(items: list[Document]) -> list[str]:
    return sorted(str(each["metadata"]["name"]) for each in items)


@asynccontextmanager
async def publish(
    api: ControlPlane,
    admin: KubeClient,
    client: KubeClient,
    namespace: str,
    fresh: Callable[[], bool] = lambda: True,
    **changes: Any,
) -> AsyncIterator[Published]:
    """Store a resource and publish for it, as `client`."""
    body = seed_cluster(api.config)
    body["metadata"]["namespace"] = namespace
    made = await admin.request("POST", cluster_path(namespace, ""), body=body)
    ref = ClusterRef(namespace, NAME, made["metadata"]["uid"])
    board = Board(ref, {}, nowhere, lambda: datetime.now(UTC))
    publishing = Publishing(board, client, fresh, stored=lambda _: None)
    task = asyncio.create_task(publishing.run())
    try:
        yield Published(ref, admin, board, publishing, desired(ref=ref, **changes))
        assert not task.done(), "the publishing ended by itself"
        await publishing.settled()  # a request that is cancelled leaves its connection open
    finally:
        task.cancel()
        await asyncio.wait({task})


async def nowhere(_: Mapping[str, Any]) -> None:
    """Status is not what these tests are about."""
