"""The seed's cluster on each EL family: installed, failed over, healed; and one whose hosts are of two families."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from e2e.rig import Rig, condition, is_healthy, master, raised
from lab.hosts import Host
from lab.processes import wait_until
from lab.workers import worker_lab
from redis_sentinel_operator.conf.family import FAMILIES, Family

LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()


@contextmanager
def cluster_of(*families: str) -> Iterator[Rig]:
    """The seed's cluster, installed by the operator on hosts of the families and healthy, in a lab of its own."""
    with raised(worker_lab(*LAB, families=families)) as rig:
        rig.declare()
        rig.operator.start()
        rig.wait_healthy(180)
        yield rig


def row(host: Host) -> Family:
    """What the operator knows of the host's family."""
    return FAMILIES[str(host.family.major)]


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", ["el8", "el9", "el10"])
def test_the_seed_is_installed_failed_over_and_healed(family: str) -> None:
    with cluster_of(family) as rig:
        _is_as_declared(rig)
        old, successor = _fails_over(rig)
        assert successor != old
        _drift_is_mended(rig)
        _was_followed_all_along(rig)


def _was_followed_all_along(rig: Rig) -> None:
    """The keepalive is answered by sentinels of the family: none was taken for away while it was there."""
    assert [host["name"] for host in rig.status()["hosts"] if host.get("followed")] == [
        f"redis_slave0{number}" for number in (1, 2, 3)
    ]
    told = [line["message"] for line in rig.operator.lines() if str(line.get("logger", "")).endswith("follow.follower")]
    assert any(message.endswith(": following") for message in told)
    assert [message for message in told if "was lost" in message or "did not answer in time" in message] == []


def _is_as_declared(rig: Rig) -> None:
    status = rig.status()
    assert (master(status), status["ready"], status["replicas"]) == ("redis_master01", "4/4", "3/3")
    for host in rig.lab:
        kind = row(host)
        assert host.run(f"systemctl is-enabled {kind.redis_unit}").stdout == "enabled\n"
        mode = 640 if host.family.major < 9 else 600  # as its servers rewrite it: in its place, or anew under our umask
        assert host.run(f"stat -c '%a %U' {kind.redis_conf}").stdout == f"{mode} {kind.user}\n"
        with rig.redis(host.name) as client:
            assert client.config_get("masterauth") == {"masterauth": rig.password}
            assert client.config_get("dir") == {"dir": kind.data_dir}
            assert client.info("server")["config_file"] == kind.redis_conf


def _fails_over(rig: Rig) -> tuple[str, str]:
    """Kill the master; return the old and the new one, all replicas linked and nothing lost."""
    old = master(rig.status())
    with rig.redis(old) as client:
        client.mset({f"family:{number}": number for number in range(100)})
        assert client.wait(3, 10000) == 3
    rig.lab[old].run(f"systemctl kill -s KILL {row(rig.lab[old]).redis_unit}")
    rig.wait(lambda s: master(s) not in ("", old), "a successor in status", 40)
    status = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
    assert rig.master_by_role() == [master(status)]
    for host in rig.lab:
        with rig.redis(host.name) as client:
            assert client.dbsize() == 100
    return old, master(status)


def _drift_is_mended(rig: Rig) -> None:
    """A replica that stops comes back, and another value in the file goes."""
    replica = next(host for host in rig.lab.replicas if host.name != master(rig.status()))
    replica.run(f"sed -i 's/^repl-timeout .*/repl-timeout 33/' {row(replica).redis_conf}")
    replica.run(f"systemctl stop {row(replica).redis_unit}")
    rig.wait(lambda s: s["replicas"] == "2/3", "the replica missed", 40)
    rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the replica back", 90)
    found = replica.run(f"grep '^repl-timeout' {row(replica).redis_conf}").stdout
    assert found.split() == ["repl-timeout", "60"]


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_cluster_of_two_families_keeps_to_the_older_servers() -> None:
    """Two hosts of EL7 and two of EL9: the newer are promoted last, and one that was all the same is told."""
    with cluster_of("el7", "el7", "el9", "el9") as rig:
        _newer_are_promoted_last(rig)
        old, successor = _fails_over(rig)
        assert {old, successor} == {"redis_master01", "redis_slave01"}
        _a_newer_master_is_told(rig, older=(old, successor))


def _newer_are_promoted_last(rig: Rig) -> None:
    assert {host.name: _priority(rig, host.name) for host in rig.lab} == {
        "redis_master01": 100,
        "redis_slave01": 100,
        "redis_slave02": 1100,
        "redis_slave03": 1100,
    }
    with rig.sentinel("redis_slave01") as client:
        found = {row["ip"]: row["slave-priority"] for row in client.sentinel_slaves("redis-cluster")}
    assert found == {rig.lab[f"redis_slave0{n}"].address: 100 if n == 1 else 1100 for n in (1, 2, 3)}


def _a_newer_master_is_told(rig: Rig, older: tuple[str, str]) -> None:
    """Without the operator a person stops the older replica and asks for a failover: a newer one is all there is."""
    replica, chief = older
    rig.operator.kill()
    rig.lab[replica].run("systemctl stop redis")
    with rig.sentinel("redis_slave03") as client:
        wait_until(lambda: any(row["is_sdown"] for row in client.sentinel_slaves("redis-cluster")), 30.0, 0.2)
        client.execute_command("SENTINEL", "FAILOVER", "redis-cluster")
        assert wait_until(
            lambda: client.sentinel_get_master_addr_by_name("redis-cluster")[0] != rig.lab[chief].address, 30.0
        )
    rig.operator.start()
    status = rig.wait(lambda s: condition(s, "ReplicationHealthy").get("reason") == "OlderThanMaster", "it told", 60)
    first = master(status)
    assert first in ("redis_slave02", "redis_slave03")
    status = rig.wait(
        lambda s: f"{chief} has redis 3.2" in condition(s, "ReplicationHealthy")["message"], "it told", 60
    )
    told = condition(status, "ReplicationHealthy")
    assert told["status"] == "False"
    assert f"{first} has redis 6.2, but " in told["message"]
    assert "Update the package of the older hosts to the master's version." in told["message"]


def _priority(rig: Rig, host: str) -> int:
    with rig.redis(host) as client:
        return int(client.config_get("slave-priority")["slave-priority"])
