"""One control plane for all tests that need no more than the resource."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from api.published import NAME, REPLICAS, SENTINELS, Published, publish
from lab.controlplane import ControlPlane, KubectlError
from lab.workers import worker_lab
from redis_sentinel_operator.kube.client import KubeClient, path_of
from unit.judge.clusters import S1, S2, S3, M

ROOT = Path(__file__).parents[2]
OPERATOR = "redis-sentinel-operator"  # the ServiceAccount of deploy/, and its namespace
API = worker_lab(*os.environ.get("API_LAB", "api 192.168.120.0/24").split())  # another for two runs side by side


@pytest.fixture(scope="session")
def api() -> Iterator[ControlPlane]:
    """A control plane that knows the resource and has the namespace `redis`."""
    with ControlPlane(API) as plane:
        plane.apply(ROOT / "crds")
        plane.wait_until(lambda: explained(plane), "the resource to be known")
        plane.kubectl("create", "namespace", "redis")
        yield plane


def explained(plane: ControlPlane) -> bool:
    """Whether the API server serves the resource and publishes its schema, which takes a second."""
    try:
        return "hosts" in plane.kubectl("explain", "rsc.spec") and "[]" in plane.kubectl(
            "get", "rsc", "-A", "-o", "json"
        )
    except KubectlError:
        return False


@pytest.fixture(scope="session")
def operator_environment(api: ControlPlane) -> dict[str, str]:
    """The environment of an operator that shows the token of its ServiceAccount, with the rights of deploy/."""
    api.apply(ROOT / "deploy")
    environment = api.operator_environment(OPERATOR, OPERATOR)
    api.wait_until_allowed(Path(environment["KUBECONFIG"]), "list", "rsc", "-A")
    return environment


@pytest_asyncio.fixture
async def operator_client(operator_environment: dict[str, str]) -> AsyncIterator[KubeClient]:
    """The operator's own client."""
    client = await KubeClient.connect(operator_environment)
    yield client
    await client.close()


@pytest_asyncio.fixture
async def admin(api: ControlPlane) -> AsyncIterator[KubeClient]:
    """A client with all rights: what other people do."""
    client = await KubeClient.connect({"KUBECONFIG": str(api.admin_kubeconfig)})
    yield client
    await client.close()


@pytest_asyncio.fixture
async def namespace(admin: KubeClient) -> AsyncIterator[str]:
    """A namespace for one test."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await admin.request("POST", path_of("", "v1", "namespaces", ""), body=body)
    yield name
    await admin.request("DELETE", path_of("", "v1", "namespaces", "", name))


@pytest_asyncio.fixture
async def published(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> AsyncIterator[Published]:
    """A resource all of whose Services are there and lead where they should."""
    async with publish(api, admin, operator_client, namespace) as published:
        published.declare()
        await published.until(lambda: published.said()[1] == "ServicesFollow")
        for name, hosts in ((NAME, [M]), (REPLICAS, [S1, S2, S3]), (SENTINELS, [S1, S2, S3])):
            await published.until_behind(dict.fromkeys(hosts, True), name)
        await published.publishing.settled()  # a look that goes on would repair what a test edits
        yield published
