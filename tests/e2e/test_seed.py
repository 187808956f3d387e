"""From four bare hosts to a cluster that is used, and then nothing more happens."""

from __future__ import annotations

import time

import pytest

from e2e.rig import Rig, master
from lab.observe import untouched

CONDITIONS = (
    "Ready", "MasterConfirmed", "QuorumHealthy", "ReplicationHealthy", "HostsReachable", "HostsClaimed", "ConfigInSync",
    "CredentialsInSync", "PreflightPassed", "EndpointsInSync",
)  # fmt: skip


@pytest.mark.timeout(300)
def test_four_bare_hosts_become_the_declared_cluster(bare: Rig) -> None:
    bare.declare()
    bare.operator.start()
    status = bare.wait_healthy()

    assert master(status) == "redis_master01"
    assert (status["ready"], status["replicas"], status["sentinels"]) == ("4/4", "3/3", "3/3")
    assert status["bootstrap"]["master"] == "redis_master01"
    assert status["bootstrap"]["completedAt"]
    settled = {c["type"]: c["status"] for c in status["conditions"]}
    assert settled == dict.fromkeys(CONDITIONS, "True")


@pytest.mark.timeout(120)
def test_what_is_written_on_the_master_is_read_on_the_replicas(seed: Rig) -> None:
    first = master(seed.status())
    with seed.redis(first) as client:
        client.set("e2e:read", "as written")
        assert client.wait(3, 5000) == 3
    for host in seed.lab:
        with seed.redis(host.name) as client:
            assert client.get("e2e:read") == "as written"


@pytest.mark.timeout(120)
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
        with seed.sentinel(host.name) as client:
            said = client.sentinel_master("redis-cluster")
        assert (said["quorum"], said["down-after-milliseconds"]) == (2, 5000)
        assert (said["failover-timeout"], said["parallel-syncs"]) == (10000, 1)
        assert (said["num-slaves"], said["num-other-sentinels"]) == (3, 2)
        assert host.run("stat -c '%a %U:%G' /etc/redis-sentinel.conf").stdout.strip() == "640 redis:root"


@pytest.mark.timeout(180)
def test_nothing_is_touched_while_nothing_happens(seed: Rig) -> None:
    """For 65 seconds: no write to the API server, no change on any host, no audit line."""
    before = seed.body()
    audited = len(seed.operator.audit())
    passes = _passes(seed)
    with untouched(*seed.lab.hosts):
        time.sleep(65)  # five resyncs
    assert _passes(seed) >= passes + 4, "hardly any pass came: the test proves nothing"
    assert not seed.writes_since(before), seed.operator.tail()
    assert seed.body() == before, "the whole object"
    assert len(seed.operator.audit()) == audited


def _passes(rig: Rig) -> int:
    return sum("all is as declared" in str(line.get("message")) for line in rig.operator.lines())
