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


@pytest.mark.timeout(400)
def test_nothing_is_touched_while_nothing_happens(seed: Rig) -> None:
    """For 65 seconds: no write to the API server, no change on any host, no decision in the log.

    A machine that stands still for two seconds puts sentinels into tilt mode, and status must tell that: then something
    did happen. Their own logs say so, and the silence begins anew when they are out of it. What else they say counts.
    """
    audited = len(seed.operator.audit())
    while True:
        before, passes, heard = seed.wait_quiet(), seed.operator.passes(), _sentinel_logs(seed)
        logged = len(seed.operator.lines())
        with untouched(*seed.lab.hosts):
            time.sleep(65)  # five resyncs
        assert len(seed.operator.audit()) == audited
        if not (said := _said_since(heard, _sentinel_logs(seed))):
            break
        assert said <= STANDSTILL, said
    assert seed.operator.passes() >= passes + 4, "hardly any pass came: the test proves nothing"
    decided = [line for line in seed.operator.lines()[logged:] if "woken_by" in line]
    assert decided == [], "a pass that decides nothing new is no line of the log"
    assert not seed.writes_since(before), seed.operator.tail()
    assert seed.body() == before, "the whole object"


STANDSTILL = {"+tilt", "-tilt", "+sdown", "-sdown"}


def _sentinel_logs(rig: Rig) -> dict[str, list[str]]:
    return {host.name: host.run("cat /var/log/redis/sentinel.log").stdout.splitlines() for host in rig.lab.replicas}


def _said_since(before: dict[str, list[str]], now: dict[str, list[str]]) -> set[str]:
    """The events that the sentinels logged in between; a line is `3412:X 29 Nov 11:35:07.089 # +tilt #tilt mode on`."""
    return {line.split()[5] for host, lines in now.items() for line in lines[len(before[host]) :]}
