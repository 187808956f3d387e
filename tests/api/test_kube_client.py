"""The client on a real API server, with the operator's own rights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from lab.seed import seed_cluster
from redis_sentinel_operator.api.crd import document
from redis_sentinel_operator.errors import ApiUnavailable, KubeError
from redis_sentinel_operator.kube.access import own_namespace
from redis_sentinel_operator.kube.client import KubeClient, cluster_path, path_of

pytestmark = pytest.mark.timeout(240)


def our_schema() -> dict[str, Any]:
    schema: dict[str, Any] = document()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


async def test_a_cluster_is_read_and_an_absent_one_is_none(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    body = seed_cluster(api.config)
    body["metadata"]["namespace"] = namespace
    await admin.request("POST", cluster_path(namespace, ""), body=body)
    found = await operator_client.get_cluster(namespace, "redis-cluster")
    assert found is not None
    assert found["spec"]["masterName"] == "redis-cluster"
    assert await operator_client.get_cluster(namespace, "another") is None


async def test_the_identity_is_the_uid_of_kube_system(admin: KubeClient, operator_client: KubeClient) -> None:
    found = await admin.request("GET", path_of("", "v1", "namespaces", "", "kube-system"))
    assert await operator_client.kube_system_uid() == found["metadata"]["uid"]


async def test_the_operator_may_not_do_more_than_it_needs(operator_client: KubeClient, namespace: str) -> None:
    for method, path in (
        ("GET", path_of("", "v1", "secrets", namespace)),
        ("PUT", cluster_path(namespace, "redis-cluster")),
        ("GET", path_of("", "v1", "namespaces", "", "default")),
        ("GET", path_of("coordination.k8s.io", "v1", "leases", namespace, "any")),
    ):
        with pytest.raises(KubeError) as caught:
            await operator_client.request(method, path)
        assert (caught.value.status, caught.value.reason) == (403, "Forbidden")
        assert path in str(caught.value)


async def test_the_served_crd_has_every_field_we_write(operator_client: KubeClient) -> None:
    assert await operator_client.served_schema_problems(our_schema()) == []


async def test_a_crd_that_is_too_old_is_seen_field_by_field(operator_client: KubeClient) -> None:
    newer = copy.deepcopy(our_schema())
    fields = newer["properties"]["status"]["properties"]
    fields["shards"] = {"type": "integer"}
    fields["hosts"]["items"]["properties"]["colour"] = {"type": "string"}
    problems = await operator_client.served_schema_problems(newer)
    assert sorted(problems) == [
        "the served redissentinelclusters.redis-sentinel-operator.io has no field status.hosts[].colour",
        "the served redissentinelclusters.redis-sentinel-operator.io has no field status.shards",
    ]


async def test_an_expired_token_is_read_again(api: ControlPlane, admin: KubeClient, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    good = api.admin_kubeconfig.read_text()
    client_text = good.replace('"token": "', '"token": "expired-')
    assert client_text != good
    kubeconfig.write_text(client_text)
    client = await KubeClient.connect({"KUBECONFIG": str(kubeconfig)})
    with pytest.raises(KubeError) as caught:
        await client.kube_system_uid()
    assert caught.value.status == 401
    kubeconfig.write_text(good)
    assert await client.kube_system_uid() == await admin.kube_system_uid()
    await client.close()


async def test_an_api_server_that_is_away_is_no_refusal(api: ControlPlane, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(api.admin_kubeconfig.read_text().replace(api.url, "https://127.0.0.1:9"))
    client = await KubeClient.connect({"KUBECONFIG": str(kubeconfig)})
    with pytest.raises(ApiUnavailable, match="the API server does not answer GET /api/v1/namespaces/kube-system"):
        await client.kube_system_uid()
    await client.close()


async def test_a_kubeconfig_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "kubeconfig"
    for text in ("", "{}", "clusters: 3"):
        broken.write_text(text)
        with pytest.raises(ApiUnavailable, match=f"the kubeconfig {broken} cannot be used"):
            await KubeClient.connect({"KUBECONFIG": str(broken)})
    with pytest.raises(ApiUnavailable, match="cannot be used"):
        await KubeClient.connect({"KUBECONFIG": str(tmp_path / "none")})
    with pytest.raises(ApiUnavailable, match="the Pod's ServiceAccount cannot be used"):
        await KubeClient.connect({"HOME": str(tmp_path)})


def test_the_namespace_of_the_lease(api: ControlPlane, tmp_path: Path) -> None:
    assert own_namespace({"POD_NAMESPACE": "here"}) == "here"
    kubeconfig = {"KUBECONFIG": str(api.admin_kubeconfig)}
    assert own_namespace(kubeconfig) == "redis-sentinel-operator"
    named = tmp_path / "kubeconfig"
    named.write_text(api.admin_kubeconfig.read_text().replace('"user": "admin"', '"user": "admin", "namespace": "ops"'))
    assert own_namespace({"KUBECONFIG": str(named)}) == "ops"
    assert own_namespace({"HOME": str(tmp_path)}) == "redis-sentinel-operator"
