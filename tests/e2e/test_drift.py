"""What is changed on a host by hand is put back, and each repair is one audit line."""

from __future__ import annotations

import pytest

from e2e.rig import Rig, master
from lab.hosts import Host


@pytest.mark.timeout(300)
def test_a_directive_in_the_file(seed: Rig) -> None:
    drift = "sed -i 's/^repl-ping-slave-period .*/repl-ping-slave-period 77/' /etc/redis.conf"
    mended = "grep -q '^repl-ping-slave-period 10$' /etc/redis.conf"
    _mended(seed, seed.lab.replicas[0], drift, mended, "set repl-ping-slave-period in /etc/redis.conf")


@pytest.mark.timeout(300)
def test_a_value_set_on_the_running_redis(seed: Rig) -> None:
    host = seed.lab[master(seed.status())]
    audited = len(seed.operator.audit())
    with seed.redis(host.name) as client:
        client.config_set("repl-timeout", 99)
        seed.wait(lambda _: client.config_get("repl-timeout")["repl-timeout"] == "60", "repl-timeout back at 60", 90)
    _wait_audited(seed, audited, host, "set repl-timeout on the running redis")


@pytest.mark.timeout(300)
def test_a_stopped_and_disabled_replica(seed: Rig) -> None:
    first = master(seed.status())
    host = next(host for host in seed.lab.replicas if host.name != first)
    drift, mended = (
        "systemctl disable --now redis 2>&1",
        "systemctl is-active -q redis && systemctl is-enabled -q redis",
    )
    _mended(seed, host, drift, mended, "start redis (redis.service)", "enable redis.service")
    seed.wait(lambda s: s.get("replicas") == "3/3", "the replica's link up again")


@pytest.mark.timeout(300)
def test_a_stopped_and_disabled_sentinel(seed: Rig) -> None:
    host = seed.lab.replicas[-1]
    drift = "systemctl disable --now redis-sentinel 2>&1"
    mended = "systemctl is-active -q redis-sentinel && systemctl is-enabled -q redis-sentinel"
    told = ("start sentinel (redis-sentinel.service)", "enable redis-sentinel.service")
    _mended(seed, host, drift, mended, *told)
    seed.wait(lambda s: s.get("sentinels") == "3/3", "the sentinel back")


@pytest.mark.timeout(300)
def test_a_closed_port(seed: Rig) -> None:
    drift = "firewall-cmd -q --remove-port=26379/tcp; firewall-cmd -q --permanent --remove-port=26379/tcp"
    mended = "firewall-cmd -q --query-port=26379/tcp && firewall-cmd -q --permanent --query-port=26379/tcp"
    _mended(seed, seed.lab.replicas[1], drift, mended, "open 26379/tcp in firewalld")


def _mended(rig: Rig, host: Host, drift: str, mended: str, *told: str) -> None:
    """Make the drift, and wait until it is mended and each of `told` begins an audit line that came since then."""
    audited = len(rig.operator.audit())
    host.run(drift)
    rig.wait(lambda _: host.run(mended, check=False).returncode == 0, f"{mended} on {host.name}", 100)
    _wait_audited(rig, audited, host, *told)


def _wait_audited(rig: Rig, since: int, host: Host, *told: str) -> None:
    """Wait for the lines: what is on a host is seen a moment before the line of who did it."""
    rig.operator.wait_until(lambda: all(_audited(rig, since, host, each) for each in told), f"lines of {told}", 60)


def _audited(rig: Rig, since: int, host: Host, told: str) -> bool:
    """Whether audit lines since the `since`-th begin so, all of that host; two where a drift was seen half made."""
    found = [line for line in rig.operator.audit()[since:] if line["what"].startswith(told)]
    return {(line["host"], line["result"]) for line in found} == {(host.name, "done")}
