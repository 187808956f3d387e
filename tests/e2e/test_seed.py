"""From four bare hosts to a cluster that is used, and then nothing more happens."""

from __future__ import annotations

import time

import pytest

from e2e.rig import Rig, Status, is_healthy, master
from e2e.watching import of_the_machine, said_since, sentinel_logs
from lab.observe import untouched

CONDITIONS = (
    "Ready", "MasterConfirmed", "QuorumHealthy", "ReplicationHealthy", "HostsReachable", "HostsClaimed", "ConfigInSync",
    "CredentialsInSync", "PreflightPassed", "EndpointsInSync",
)  # fmt: skip


@pytest.mark.timeout(400)
def test_four_bare_hosts_become_the_declared_cluster(bare: Rig) -> None:
    bare.declare()
    bare.operator.start()
    bare.wait_quiet()  # it is healthy a moment before the Services were looked at
    status = bare.wait(lambda s: is_healthy(s) and _conditions(s) == dict.fromkeys(CONDITIONS, "True"), "all True", 90)

    assert master(status) == "redis_master01"
    assert (status["ready"], status["replicas"], status["sentinels"]) == ("4/4", "3/3", "3/3")
    assert status["bootstrap"]["master"] == "redis_master01"
    assert status["bootstrap"]["completedAt"]


def _conditions(status: Status) -> dict[str, str]:
    return {each["type"]: each["status"] for each in status["conditions"]}


@pytest.mark.timeout(300)
def test_what_is_written_on_the_master_is_read_on_the_replicas(seed: Rig) -> None:
    first = master(seed.status())
    with seed.redis(first) as client:
        client.set("e2e:read", "as written")
        assert client.wait(3, 10000) == 3
    for host in seed.lab:
        with seed.redis(host.name) as client:
            assert client.get("e2e:read") == "as written"


@pytest.mark.timeout(300)
def test_redis_and_sentinel_run_as_declared(seed: Rig) -> None:
    for host in seed.lab:
        with seed.redis(host.name) as client:
            config = client.config_get("*")
        assert (config["bind"], config["repl-ping-slave-period"], config["repl-timeout"]) == ("0.0.0.0", "10", "60")
        assert config["requirepass"] == config["masterauth"] == seed.password
        assert host.run("systemctl is-enabled redis").stdout.strip() == "enabled"
        assert host.run("stat -c '%a %U:%G' /etc/redis.conf").stdout.strip() == "640 redis:root"
        for options in ("", "--permanent "):
            ports = host.run(f"firewall-cmd {options}--list-ports").stdout.split()
            assert "6379/tcp" in ports
    for host in seed.lab.replicas:
        seed.wait(lambda _, host=host: _knows_all(seed, host.name), "a sentinel that knows all others")  # type: ignore[misc]
        with seed.sentinel(host.name) as client:
            said = client.sentinel_master("redis-cluster")
        assert (said["quorum"], said["down-after-milliseconds"]) == (2, 5000)
        assert (said["failover-timeout"], said["parallel-syncs"]) == (10000, 1)
        assert host.run("stat -c '%a %U:%G' /etc/redis-sentinel.conf").stdout.strip() == "640 redis:root"


def _knows_all(rig: Rig, host: str) -> bool:
    """Sentinels find each other by what they publish every two seconds."""
    with rig.sentinel(host) as client:
        said = client.sentinel_master("redis-cluster")
    return bool((said["num-slaves"], said["num-other-sentinels"]) == (3, 2))


@pytest.mark.timeout(600)
def test_nothing_is_touched_while_nothing_happens(seed: Rig) -> None:
    """For 65 seconds: no write to the API server, no change on any host, no decision in the log.

    What happens to the machine under all labs is told, and then the silence begins anew: see `of_the_machine`.
    """
    audited = len(seed.operator.audit())
    while True:
        before, passes, heard = seed.wait_quiet(), seed.operator.passes(), sentinel_logs(seed)
        logged = len(seed.operator.lines())
        with untouched(*seed.lab.hosts):
            time.sleep(65)  # five resyncs
        assert len(seed.operator.audit()) == audited
        stored, writes = seed.versions_since(before), seed.writes_since(before)
        if not of_the_machine(said_since(heard, sentinel_logs(seed)), writes):
            break
    assert seed.operator.passes() >= passes + 4, "hardly any pass came: the test proves nothing"
    decided = [line for line in seed.operator.lines()[logged:] if "woken_by" in line]
    assert decided == [], "a pass that decides nothing new is no line of the log"
    assert not writes, seed.operator.tail()
    assert stored == [before], "the whole object"
