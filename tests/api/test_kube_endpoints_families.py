"""The Services of hosts with IPv6 addresses, on API servers with and without service addresses of that family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.conftest import OPERATOR, ROOT, explained
from api.published import publish
from lab.controlplane import ControlPlane
from lab.workers import worker_lab
from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.model.desired import Desired, DesiredHost, SshAccess
from redis_sentinel_operator.model.verdict import Confirmed
from unit.judge.clusters import S1, M, desired

pytestmark = pytest.mark.timeout(240)


def of_ipv6(whole: Desired) -> tuple[DesiredHost, ...]:
    return tuple(
        DesiredHost(host.name, f"fd00:3::{number:x}", SshAccess(f"fd00:3::{number:x}"), sentinel=host.sentinel)
        for number, host in enumerate(whole.hosts, 0x41)
    )


IPV6 = of_ipv6(desired())
V6_MASTER, V6_NEXT = Confirmed(M, "fd00:3::41", 6379, 0), Confirmed(S1, "fd00:3::42", 6379, 1)


async def test_hosts_of_ipv6_are_led_to_by_ipv6(
    api: ControlPlane, admin: KubeClient, operator_client: KubeClient, namespace: str
) -> None:
    async with publish(api, admin, operator_client, namespace, hosts=IPV6) as published:
        published.declare(V6_MASTER)
        await published.until(lambda: published.said()[1] == "ServicesFollow")
        service = await published.get(published.service_path())
        assert (service["spec"]["ipFamilies"], service["spec"]["ipFamilyPolicy"]) == (["IPv6"], "SingleStack")
        assert service["spec"]["clusterIP"].startswith("fd00:96:")

        async def moved() -> bool:
            return await published.behind() == {"fd00:3::42": True}

        published.confirm(V6_NEXT)
        await published.until(moved)
        assert (await published.get(published.slice_path()))["addressType"] == "IPv6"


@pytest.fixture(scope="module")
def ipv4_only() -> Iterator[ControlPlane]:
    """An API server that gives out no IPv6 service addresses."""
    with ControlPlane(worker_lab("v4only", "192.168.200.0/24"), families=("IPv4",)) as plane:
        plane.apply(ROOT / "crds")
        plane.wait_until(lambda: explained(plane), "the resource to be known")
        plane.apply(ROOT / "deploy")
        plane.kubectl("create", "namespace", "redis")
        yield plane


async def test_where_there_is_no_service_address_of_the_family_it_is_headless(ipv4_only: ControlPlane) -> None:
    environment = ipv4_only.operator_environment(OPERATOR, OPERATOR)
    ipv4_only.wait_until_allowed(Path(environment["KUBECONFIG"]), "list", "rsc", "-A")
    client = await KubeClient.connect(environment)
    admin = await KubeClient.connect({"KUBECONFIG": str(ipv4_only.admin_kubeconfig)})
    try:
        async with publish(ipv4_only, admin, client, "redis", hosts=IPV6) as published:
            published.declare(V6_MASTER)
            await published.until(lambda: published.said()[1] == "ServicesHeadless")
            assert published.said()[::2] == (
                "True",
                "The Services redis-cluster, redis-cluster-replicas, redis-cluster-sentinels lead to the master, the "
                "replicas and the sentinels. They are headless, because this Kubernetes gives out no IPv6 service "
                "addresses: their names resolve to the hosts' own addresses.",
            )
            service = await published.get(published.service_path())
            assert (service["spec"]["clusterIP"], service["spec"]["ipFamilies"]) == ("None", ["IPv6"])

            async def moved() -> bool:
                return await published.behind() == {"fd00:3::42": True}

            published.confirm(V6_NEXT)
            await published.until(moved)
            await published.edit(published.service_path(), spec={"publishNotReadyAddresses": True})
            published.publishing.recheck()

            async def repaired() -> bool:
                return not (await published.get(published.service_path()))["spec"].get("publishNotReadyAddresses")

            await published.until(repaired)
    finally:
        await client.close()
        await admin.close()
