"""What is changed on a host by hand is put back, and each repair is one audit line."""

from __future__ import annotations

import pytest

from e2e.rig import Rig, master
from lab.hosts import Host


@pytest.mark.timeout(120)
def test_a_directive_in_the_file(seed: Rig) -> None:
    host = seed.lab.replicas[0]
    host.run("sed -i 's/^repl-ping-slave-period .*/repl-ping-slave-period 77/' /etc/redis.conf")
    _mended(seed, host, "grep -q '^repl-ping-slave-period 10$' /etc/redis.conf", "redis.conf")


@pytest.mark.timeout(120)
def test_a_value_set_on_the_running_redis(seed: Rig) -> None:
    host = seed.lab[master(seed.status())]
    with seed.redis(host.name) as client:
        client.config_set("repl-timeout", 99)
        seed.wait(lambda _: client.config_get("repl-timeout")["repl-timeout"] == "60", "repl-timeout back at 60", 90)
    assert _audited(seed, host, "repl-timeout")


@pytest.mark.timeout(180)
def test_a_stopped_and_disabled_replica(seed: Rig) -> None:
    first = master(seed.status())
    host = next(host for host in seed.lab.replicas if host.name != first)
    host.run("systemctl disable --now redis 2>&1")
    _mended(seed, host, "systemctl is-active -q redis && systemctl is-enabled -q redis", "redis")
    seed.wait(lambda s: s.get("replicas") == "3/3", "the replica's link up again")


@pytest.mark.timeout(180)
def test_a_stopped_and_disabled_sentinel(seed: Rig) -> None:
    host = seed.lab.replicas[-1]
    host.run("systemctl disable --now redis-sentinel 2>&1")
    _mended(
        seed, host, "systemctl is-active -q redis-sentinel && systemctl is-enabled -q redis-sentinel", "redis-sentinel"
    )
    seed.wait(lambda s: s.get("sentinels") == "3/3", "the sentinel back")


@pytest.mark.timeout(120)
def test_a_closed_port(seed: Rig) -> None:
    host = seed.lab.replicas[1]
    host.run("firewall-cmd -q --remove-port=26379/tcp; firewall-cmd -q --permanent --remove-port=26379/tcp")
    _mended(
        seed,
        host,
        "firewall-cmd -q --query-port=26379/tcp && firewall-cmd -q --permanent --query-port=26379/tcp",
        "26379",
    )


def _mended(rig: Rig, host: Host, check: str, told: str) -> None:
    rig.wait(lambda _: host.run(check, check=False).returncode == 0, f"{check} on {host.name}", 100)
    rig.operator.wait_until(lambda: _audited(rig, host, told), f"an audit line about {told}", 10)


def _audited(rig: Rig, host: Host, told: str) -> bool:
    return any(
        line["host"] == host.name and told in line["what"] and line["result"] == "done" for line in rig.operator.audit()
    )
