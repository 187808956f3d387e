"""The Services: clients are led to the master, through a failover too; edits are mended, those of others left."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from e2e.rig import NAME, Rig, Status, condition, is_healthy, master
from e2e.test_failover import kill
from lab.model import FIRST_HOST
from lab.proxy import Proxy
from lab.seed import NAMESPACE

SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"


@dataclass
class Client:
    """An application that knows the Service's address only: it connects anew for each write, all the time.

    `answers` are the run_id and the role of who took the connection; `acknowledged` the keys whose write was.
    """

    proxy: Proxy
    address: str
    password: str
    answers: list[tuple[str, str]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def working(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: self.proxy.inside(self._work))
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _work(self) -> None:
        while not self._ended.is_set():
            try:
                self._write()
            except RedisError:
                self._ended.wait(0.02)

    def run_of(self, address: str) -> str:
        """The run_id of the redis at an address."""
        return self.proxy.inside(lambda: str(self._connected(address, 30).info("server")["run_id"]))

    def lacks(self, keys: list[str]) -> int:
        """How many of the keys the master does not have."""
        return len(keys) - self.proxy.inside(lambda: int(self._connected(self.address, 30).exists(*keys)))

    def led_to(self, replicas: str, sentinels: str) -> tuple[str, str, str, str]:
        """Role, link and master of one behind the replicas' Service, and the master by one behind the sentinels'."""
        try:
            link = self.proxy.inside(lambda: self._connected(replicas, 30).info("replication"))
            named = self.proxy.inside(lambda: self._sentinel(sentinels).sentinel_master(NAME))
        except RedisError as error:  # kube-proxy has not heard of it yet
            return "", "", "", str(error)
        assert isinstance(named, dict)
        follows = (str(link.get(key, "")) for key in ("role", "master_link_status", "master_host"))
        return (*follows, str(named["ip"]))  # type: ignore[return-value]

    def _sentinel(self, address: str) -> Redis:
        return Redis(address, 26379, protocol=2, socket_timeout=30, decode_responses=True)

    def _connected(self, address: str, seconds: float = 1) -> Redis:
        return Redis(address, password=self.password, protocol=2, socket_timeout=seconds, decode_responses=True)

    def _write(self) -> None:
        with self._connected(self.address) as connection:
            info = connection.info("server")
            self.answers.append((info["run_id"], connection.info("replication")["role"]))
            key = f"e2e:through:{len(self.acknowledged)}"
            if connection.set(key, "kept"):
                self.acknowledged.append(key)


def behind(rig: Rig, of: str = "") -> dict[str, bool]:
    """The addresses behind the master's Service (or another one), and whether each is ready."""
    stored = rig.cp.raw(f"{SLICES}/{NAME}{of}")
    return _readiness(json.loads(stored) if stored else {})


def behind_since(rig: Rig, began: Mapping[str, Any]) -> list[dict[str, bool]]:
    """What stood behind the master's Service, each time that it was written since the slice was as it `began`."""
    now = rig.cp.get("endpointslice", NAME, "-n", NAMESPACE)
    stood = [_readiness(each) for each in rig.cp.versions_since(SLICES, began, now)]
    return [each for before, each in pairwise(({}, *stood)) if each != before]


def _readiness(found: Mapping[str, Any]) -> dict[str, bool]:
    return {each["addresses"][0]: each["conditions"]["ready"] for each in found.get("endpoints") or ()}


@pytest.fixture
def proxy(seed: Rig) -> Iterator[Proxy]:
    """A network from which Services can be used."""
    with Proxy(seed.cp) as proxy:
        yield proxy


@pytest.mark.timeout(400)
def test_a_client_of_the_service_gets_to_the_new_master(seed: Rig, proxy: Proxy) -> None:
    led_to_the_new_master(seed, proxy)


@pytest.mark.timeout(500)
def test_hosts_of_ipv6_are_led_to_by_ipv6(bare: Rig) -> None:
    hosts = []
    for number, host in enumerate(bare.lab, FIRST_HOST):
        address = bare.lab.config.ipv6(number)
        host.run(f"ip -6 address add {address}/64 dev host0 nodad")
        hosts.append(
            {"name": host.name, "address": address, "sshAddress": host.address, "sentinel": number > FIRST_HOST}
        )
    bare.declare(hosts=hosts, redis={"config": {}})
    bare.operator.start()
    bare.wait_healthy()
    with Proxy(bare.cp) as proxy:
        assert service_address(bare).startswith("fd00:96:")
        led_to_the_new_master(bare, proxy)
    bare.forget()  # no other test's cluster


def led_to_the_new_master(rig: Rig, proxy: Proxy) -> None:
    """The master is killed while a client works through the Service, and comes back as a replica."""
    before = rig.wait(lambda s: reason(s) == "ServicesFollow", "the Services", 60)
    client = Client(proxy, service_address(rig), rig.password)
    old_run = client.run_of(before["master"]["address"])
    began = rig.cp.get("endpointslice", NAME, "-n", NAMESPACE)
    with client.working():
        rig.wait(lambda _: len(client.acknowledged) > 20, "writes through the Service", 60)
        kill(rig.lab[master(before)])
        rig.wait(lambda s: master(s) not in ("", master(before)), "a successor in status", 120)
        switched = len(client.acknowledged)
        rig.wait(lambda _: len(client.acknowledged) > switched + 20, "writes after the switch", 60)
        after = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
    old, new = before["master"]["address"], after["master"]["address"]
    assert behind_since(rig, began) == [{old: True}, {old: False}, {new: True}]
    assert {role for _, role in client.answers} == {"master"}, "a replica was offered as the master"
    new_run = client.run_of(new)
    runs = [run for run, _ in client.answers]
    assert runs == [old_run] * runs.count(old_run) + [new_run] * runs.count(new_run), "there and back"
    assert client.lacks(client.acknowledged[switched:]) == 0
    others = {each["address"]: True for each in after["hosts"] if each["address"] != new}
    rig.wait(lambda _: behind(rig, "-replicas") == others, "the replicas behind their Service")
    services = service_address(rig, "-replicas"), service_address(rig, "-sentinels")
    rig.wait(lambda _: client.led_to(*services) == ("slave", "up", new, new), "connections led there by kube-proxy")


def service_address(rig: Rig, of: str = "") -> str:
    return str(rig.cp.get("service", f"{NAME}{of}", "-n", NAMESPACE)["spec"]["clusterIP"])


def reason(status: Status) -> str:
    return str(condition(status, "EndpointsInSync").get("reason"))


def services(rig: Rig) -> list[str]:
    found = rig.cp.get("services", "-n", NAMESPACE)["items"] + rig.cp.get("endpointslices", "-n", NAMESPACE)["items"]
    return [each["metadata"]["name"] for each in found]


@pytest.mark.timeout(400)
def test_edits_by_others_are_mended_within_a_resync(seed: Rig) -> None:
    seed.wait(lambda s: reason(s) == "ServicesFollow", "the Services", 60)
    edit = ("-n", NAMESPACE, "--type=merge", "-p")
    seed.cp.kubectl("patch", "service", NAME, *edit, '{"spec": {"publishNotReadyAddresses": true}}')
    seed.cp.kubectl("patch", "endpointslice", NAME, *edit, '{"endpoints": []}')
    address = seed.lab[master(seed.status())].address
    seed.wait(lambda _: behind(seed) == {address: True}, "the slice mended", 60)
    seed.wait(
        lambda _: not seed.cp.get("service", NAME, "-n", NAMESPACE)["spec"].get("publishNotReadyAddresses"),
        "the Service mended",
        60,
    )


@pytest.mark.timeout(400)
def test_services_of_others_are_left_and_there_need_be_none(seed: Rig) -> None:
    seed.restart()  # Events are a trickle for each process, which other tests may have used up
    seed.declare(endpoints={"enabled": False})
    seed.wait(lambda s: reason(s) == "EndpointsDisabled", "that there are none", 60)
    seed.wait(lambda _: services(seed) == [], "the Services removed", 60)
    theirs = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE}}
    seed.cp.apply([theirs | {"spec": {"ports": [{"port": 80}]}}])
    before = seed.cp.get("service", NAME, "-n", NAMESPACE)

    seed.declare()
    seed.wait(lambda s: reason(s) == "ServiceNotOurs", "that it is another's", 60)
    status = seed.wait_healthy()
    assert condition(status, "EndpointsInSync")["message"] == (
        "The Service redis/redis-cluster was not made by this resource. The operator leaves it as it is, and the "
        "Services of these names do not follow the cluster. Remove or rename what is there, and the operator makes its "
        "own within a minute; or set spec.endpoints.enabled to false."
    )
    assert seed.cp.get("service", NAME, "-n", NAMESPACE) == before
    seed.operator.wait_until(lambda: "ServiceNotOurs" in _events(seed), "an Event of it", 60)

    seed.cp.kubectl("delete", "service", NAME, "-n", NAMESPACE)
    seed.wait(lambda s: reason(s) == "ServicesFollow", "a Service of its own", 60)
    seed.wait(lambda _: behind(seed) == {seed.lab[master(seed.status())].address: True}, "the master behind it", 60)


def _events(rig: Rig) -> set[str]:
    return {each["reason"] for each in rig.cp.get("events", "-n", NAMESPACE)["items"]}
