"""What others have made of the names of a cluster's Services, on a real API server: left as it is, and told."""

from __future__ import annotations

import pytest

from api.published import ALL, NAME, REPLICAS, Document, Published, owner, publish
from lab.controlplane import ControlPlane
from lab.seed import seed_cluster
from redis_sentinel_operator.kube.client import KubeClient, cluster_path
from unit.boarding import NEW, SWITCHED
from unit.judge.clusters import S1, S2, S3, M

pytestmark = pytest.mark.timeout(240)


def foreign_service(name: str = NAME) -> Document:
    """Without a selector, so that nobody makes slices for it."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}


def foreign_slice(name: str, service: str = NAME) -> Document:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": service}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}],
    }


async def test_a_service_of_somebody_else_is_left_as_it_is(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    async with publish(api, admin, operator_client, namespace) as published:
        theirs = await published.make(published.service_path(), foreign_service())
        published.declare()
        await published.until(lambda: published.said()[1] == "ServiceNotOurs")
        assert published.said() == (
            "False",
            "ServiceNotOurs",
            f"The Service {namespace}/redis-cluster was not made by this resource. The operator leaves it as it is, "
            "and the Services of these names do not follow the cluster. Remove or rename what is there, and the "
            "operator makes its own within a minute; or set spec.endpoints.enabled to false.",
        )
        published.confirm(NEW, SWITCHED)
        await published.until_behind({M: False, S2: False, S3: False}, REPLICAS)
        await published.looked()
        assert (await published.get(published.service_path())) == theirs
        services, slices = await published.names()
        assert services == ALL
        assert NAME not in slices, "behind a Service of others nothing of ours may be"

        published.declare(endpoints=False)
        await published.until(lambda: published.said()[1] == "EndpointsDisabled")
        assert (await published.get(published.service_path())) == theirs

        published.declare(endpoints=True)
        await published.until(lambda: published.said()[1] == "ServiceNotOurs")
        await published.delete(published.service_path())
        published.confirm(NEW, SWITCHED)
        published.publishing.recheck()
        await published.until(lambda: published.said()[1] == "ServicesFollow")
        await published.until_behind({S1: True})


async def test_what_a_deleted_resource_of_this_name_left_is_removed_at_the_first_look(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    """Kubernetes would remove it some time later, and until then its Service would lead where nobody looks any more."""
    async with publish(api, admin, operator_client, namespace) as published:
        former = {"ownerReferences": [owner(published) | {"uid": "00000000-0000-0000-0000-000000000000"}]}
        service, behind = foreign_service(), foreign_slice(NAME)
        for document in (service, behind):
            document["metadata"] |= former
        old = await published.make(published.service_path(), service)
        await published.make(published.slice_path(), behind)
        published.declare()
        await published.until(lambda: published.said()[1] == "ServicesFollow")
        await published.until_behind({M: True})
        new = await published.get(published.service_path())
        assert new["metadata"]["ownerReferences"] == [owner(published)]
        assert new["metadata"]["uid"] != old["metadata"]["uid"]


async def test_a_process_of_a_deleted_resource_removes_nothing_of_the_next_one(
    published: Published, api: ControlPlane
) -> None:
    """It has not heard yet that its resource is gone: what it takes for a former one's is the present one's."""
    await published.delete(cluster_path(published.ref.namespace, NAME))
    body = seed_cluster(api.config)
    body["metadata"]["namespace"] = published.ref.namespace
    made = await published.make(cluster_path(published.ref.namespace, NAME), body)

    async def gone() -> bool:
        return await published.names() == ([], [])

    await published.until(gone)
    service = foreign_service()
    service["metadata"] |= {"ownerReferences": [owner(published) | {"uid": made["metadata"]["uid"]}]}
    theirs = await published.make(published.service_path(), service)
    published.publishing.recheck()
    await published.until(lambda: published.said()[1] == "ServiceNotOurs")
    assert await published.get(published.service_path()) == theirs


async def test_a_service_that_becomes_another_s_gets_nothing_of_ours(published: Published) -> None:
    await published.delete(published.service_path())
    await published.make(published.service_path(), foreign_service())
    published.publishing.recheck()
    await published.until(lambda: published.said()[1] == "ServiceNotOurs")
    assert NAME not in (await published.names())[1]


async def test_a_slice_of_our_name_that_is_another_s_is_left_as_it_is(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    async with publish(api, admin, operator_client, namespace) as published:
        theirs = await published.make(published.slice_path(), foreign_slice(NAME, "another"))
        published.declare()
        await published.until_behind({S1: True, S2: True, S3: True}, REPLICAS)
        published.publishing.recheck()
        await published.until(lambda: published.said()[1] == "EndpointsRefused")
        assert published.said()[2] == (
            f"The Services do not follow the cluster: the EndpointSlice {namespace}/redis-cluster was not made by this "
            "resource. The operator tries again with each pass. Check its rights (kubectl apply -k deploy/) and what "
            "the message names."
        )
        assert await published.get(published.slice_path()) == theirs


async def test_slices_of_others_behind_a_service_of_ours_are_told(published: Published) -> None:
    theirs = await published.make(published.slice_path("redis-cluster-x7k2p"), foreign_slice("redis-cluster-x7k2p"))
    published.publishing.recheck()
    await published.until(lambda: published.said()[1] == "SliceNotOurs")
    assert published.said()[::2] == (
        "False",
        "EndpointSlices of others belong to the Services redis-cluster, redis-cluster-replicas, "
        "redis-cluster-sentinels: redis-cluster-x7k2p. Clients may be led to what they list. The operator leaves them "
        f"as they are. Remove them: `kubectl -n {published.ref.namespace} delete endpointslice redis-cluster-x7k2p`.",
    )
    assert await published.get(published.slice_path("redis-cluster-x7k2p")) == theirs
    await published.delete(published.slice_path("redis-cluster-x7k2p"))
    published.publishing.recheck()
    await published.until(lambda: published.said()[1] == "ServicesFollow")


async def test_without_endpoints_ours_are_removed_and_only_ours(published: Published) -> None:
    await published.make(published.service_path("other"), foreign_service("other"))
    await published.make(published.slice_path("other"), foreign_slice("other", "other"))
    published.declare(endpoints=False)
    await published.until(lambda: published.said()[1] == "EndpointsDisabled")
    assert published.said()[::2] == ("True", "No Services are kept: spec.endpoints.enabled is false.")
    published.confirm(NEW, SWITCHED)
    published.publishing.recheck()

    async def gone() -> bool:
        return await published.names() == (["other"], ["other"])

    await published.until(gone)
    published.declare(endpoints=True)
    await published.until(lambda: published.said()[1] == "ServicesFollow")
    await published.until_behind({M: True})
