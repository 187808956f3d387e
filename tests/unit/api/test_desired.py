"""From a stored resource to effective values, and the refusals beyond what the API server checks."""

from __future__ import annotations

from typing import Any

import pytest

from api.examples import GONE, changed, hosts, seed, stored
from redis_sentinel_operator.api.desired import password_ref, resolve, ssh_secret_name
from redis_sentinel_operator.api.spec import parse
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.desired import (
    ClusterRef,
    Desired,
    DesiredHost,
    PackageWish,
    SentinelSettings,
    SshAccess,
)
from redis_sentinel_operator.model.secret import Secret


def desired(changes: dict[str, object], status: dict[str, Any] | None = None) -> Desired:
    return resolve(stored(changed(changes)) | {"status": status or {}}, None)


def test_the_seed_resolves_to_what_it_says_and_the_defaults() -> None:
    password = Secret("hello123")
    addresses = {
        "redis_master01": "192.168.3.41",
        "redis_slave01": "192.168.3.42",
        "redis_slave02": "192.168.3.43",
        "redis_slave03": "192.168.3.44",
    }
    assert resolve(stored(seed()), password) == Desired(
        ref=ClusterRef("redis", "redis-cluster", "5e0c4a0e-0000-4000-8000-000000000001"),
        generation=3,
        master_name="redis-cluster",
        management="Full",
        hosts=tuple(
            DesiredHost(
                name=name,
                address=address,
                ssh=SshAccess(address=address, port=22, user="root", sudo=False, resp="Tunnel"),
                redis=True,
                sentinel=name != "redis_master01",
                replica_priority=100,
                failure_domain="",
                package=PackageWish(manage="Install", name=None, version=None),
            )
            for name, address in addresses.items()
        ),
        initial_master="redis_master01",
        sentinel=SentinelSettings(quorum=2, down_after=5000, failover_timeout=10000, parallel_syncs=1),
        redis_port=6379,
        sentinel_port=26379,
        redis_config={"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"},
        password=password,
        firewall="Auto",
        deletion_policy="Retain",
    )


def test_hosts_alone_are_enough() -> None:
    body = stored(seed()) | {"spec": {"hosts": hosts(5)}}
    resolved = resolve(body, None)
    assert resolved.sentinel == SentinelSettings(quorum=3, down_after=5000, failover_timeout=10000, parallel_syncs=1)
    assert (resolved.master_name, resolved.initial_master, resolved.redis_config) == ("redis-cluster", "host0", {})
    assert ssh_secret_name(parse(body)) == "redis-ssh"
    assert password_ref(parse(body)) is None


@pytest.mark.parametrize(("voters", "quorum"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (63, 32)])
def test_quorum_is_the_majority_of_the_sentinels_when_unset(voters: int, quorum: int) -> None:
    body = stored(seed()) | {
        "spec": {"hosts": [*hosts(voters), {"name": "x", "address": "10.9.9.9", "sentinel": False}]}
    }
    assert resolve(body, None).sentinel.quorum == quorum


def test_the_first_host_with_redis_is_the_initial_master_when_unset() -> None:
    assert desired({"spec.initialMaster": GONE, "spec.hosts[0].redis": False}).initial_master == "redis_slave01"


def test_a_host_that_is_named_is_aside_and_a_fence_holds_through_maintenance() -> None:
    named = {"spec.maintenanceHosts": ["redis_slave01", "redis_slave02"], "spec.fencedHosts": ["redis_slave02"]}
    assert [(host.name, host.aside) for host in desired({**named}).hosts_aside] == [
        ("redis_slave01", "Maintenance"),
        ("redis_slave02", "Fenced"),
    ]


def test_a_host_overrides_ssh_and_package_field_by_field() -> None:
    resolved = desired(
        {
            "spec.ssh": {"user": "admin", "sudo": True, "port": 2222, "secretRef": {"name": "keys"}},
            "spec.package": {"version": "3.2.12"},
            "spec.hosts[2].ssh": {"user": "root", "sudo": False},
            "spec.hosts[2].sshAddress": "mgmt-02.example.net",
            "spec.hosts[3].package": {"version": "5.0.3"},
        }
    )
    common = SshAccess(address="192.168.3.42", port=2222, user="admin", sudo=True, resp="Tunnel")
    own = SshAccess(address="mgmt-02.example.net", port=2222, user="root", sudo=False, resp="Tunnel")
    assert [host.ssh for host in resolved.hosts[1:3]] == [common, own]
    assert [host.package.version for host in resolved.hosts] == ["3.2.12", "3.2.12", "3.2.12", "5.0.3"]


def test_all_that_the_operator_knows_is_passed_on() -> None:
    resolved = desired(
        {
            "spec.masterName": "My.Master_1",
            "spec.management": "Observe",
            "spec.firewall.manage": "None",
            "spec.redis.port": 7000,
            "spec.sentinel": {
                "port": 27000,
                "quorum": 3,
                "downAfterMilliseconds": 1500,
                "failoverTimeoutMilliseconds": 180000,
                "parallelSyncs": 2,
            },
            "spec.deletionPolicy": "Stop",
            "spec.hosts[1].failureDomain": "rack-a",
            "spec.hosts[1].replicaPriority": 0,
            "spec.unsafe": {"sharedFailureDomain": True},
        }
    )
    assert resolved.master_name == "My.Master_1"
    assert (resolved.management, resolved.firewall, resolved.deletion_policy) == ("Observe", "None", "Stop")
    assert (resolved.redis_port, resolved.sentinel_port) == (7000, 27000)
    assert resolved.sentinel == SentinelSettings(3, 1500, 180000, 2)
    assert (resolved.hosts[1].failure_domain, resolved.hosts[1].replica_priority) == ("rack-a", 0)
    assert [host.own_priority for host in resolved.hosts[:2]] == [False, True]
    assert resolved.shared_failure_domain


def test_fields_of_a_later_version_are_ignored() -> None:
    later = changed({"spec.later": 1, "spec.hosts[0].later": {"a": 1}, "spec.ssh": {"later": True}})
    assert resolve(stored(later), None) == resolve(stored(seed()), None)


def test_the_name_and_key_of_the_password() -> None:
    spec = parse(changed({"spec.auth.passwordSecretRef.key": "redis.pw"}))
    assert password_ref(spec) == ("redis-auth", "redis.pw")
    assert password_ref(parse(seed())) == ("redis-auth", "password")


@pytest.mark.parametrize(
    "status",
    [
        {"bootstrap": {"id": "b", "master": "h", "startedAt": "t", "completedAt": "t"}},
        {"master": {"host": "redis_slave01", "address": "192.168.3.42", "port": 6379, "configEpoch": 1}},
    ],
)
def test_an_initial_master_that_left_is_harmless_in_a_cluster_that_lives(status: dict[str, Any]) -> None:
    assert desired({"spec.initialMaster": "gone"}, status).initial_master == "redis_master01"


@pytest.mark.parametrize("value", ["0.0.0.0", "*", "0.0.0.0 127.0.0.1", "* -::*", "0.0.0.0 ::", "0.0.0.0 -::1"])
def test_a_bind_that_every_host_can_have(value: str) -> None:
    assert desired({"spec.redis.config.bind": value}).redis_config["bind"] == value


@pytest.mark.parametrize(
    ("clients", "networks"),
    [([], ()), (["10.1.2.3", "10.1.2.3/32", "10.2.0.0/16"], ("10.1.2.3/32", "10.2.0.0/16")), (GONE, None)],
)
def test_clients_are_networks_each_once(clients: object, networks: tuple[str, ...] | None) -> None:
    assert desired({"spec.firewall.clients": clients} if clients is not GONE else {}).clients == networks


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no redis": (
        {f"spec.hosts[{n}].redis": False for n in range(1, 4)} | {"spec.hosts[0]": GONE},
        "spec.hosts: no host runs redis; let redis be true on at least one",
    ),
    "initial master gone before the bootstrap": (
        {"spec.initialMaster": "gone"},
        "spec.initialMaster: gone is no host that runs redis; name one of redis_master01, redis_slave01, "
        "redis_slave02, redis_slave03, or remove the field",
    ),
    "quorum above the sentinels": (
        {"spec.sentinel.quorum": 4},
        "spec.sentinel.quorum: 4 is more than the 3 sentinels there are; set it to 2, or remove the field",
    ),
    "quorum below the majority": (
        {"spec.sentinel.quorum": 1},
        "spec.sentinel.quorum: 1 is less than the majority of 3 sentinels; set it to 2 or more, or remove the field",
    ),
    "wrong type": (
        {"spec.sentinel.parallelSyncs": "1"},
        "spec.sentinel.parallelSyncs: Input should be a valid integer",
    ),
    "boolean as a value of redis.conf": (
        {"spec.redis.config": {"appendonly": True}},
        "spec.redis.config.appendonly.str: Input should be a valid string. "
        "spec.redis.config.appendonly.int: Input should be a valid integer",
    ),
    "a network with bits of a host": (
        {"spec.firewall.clients": ["10.1.2.3/16"]},
        "spec.firewall.clients: 10.1.2.3/16 has bits of a host in it; write 10.1.0.0/16",
    ),
    "no network": (
        {"spec.firewall.clients": ["10.1.0.0/16", "1.2.3"]},
        "spec.firewall.clients: 1.2.3 is no address and no network; write it like 10.1.0.0/16 or 10.1.2.3",
    ),
    "everybody": (
        {"spec.firewall.clients": ["0.0.0.0/0"]},
        "spec.firewall.clients: 0.0.0.0/0 is everybody; remove the field to let anybody connect",
    ),
    "another family": (
        {"spec.firewall.clients": ["fd00::/64"]},
        "spec.firewall.clients: fd00::/64 is of another family than the hosts' addresses (192.168.3.41); remove it",
    ),
    "no hosts": ({"spec.hosts": GONE}, "spec.hosts: Field required"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_meant_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecRefused) as refused:
        desired(changes)
    assert (refused.value.reason, str(refused.value)) == ("InvalidSpec", message)


def test_a_quorum_below_the_majority_can_be_asked_for() -> None:
    assert desired({"spec.sentinel.quorum": 1, "spec.unsafe.quorumBelowMajority": True}).sentinel.quorum == 1


@pytest.mark.parametrize(("annotation", "goes"), [("redis-cluster", True), ("another", False), ("true", False)])
def test_data_may_go_only_where_the_annotation_names_the_resource(annotation: str, goes: bool) -> None:
    body = stored(seed())
    body["metadata"]["annotations"] = {"redis-sentinel-operator.io/delete-data": annotation}
    assert body["metadata"]["name"] == "redis-cluster"
    assert resolve(body, None).delete_data is goes
    assert not resolve(stored(seed()), None).delete_data
