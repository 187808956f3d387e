"""The lab's faults do what they say, and are mended afterwards."""

from __future__ import annotations

import re
import subprocess

import pytest

from lab.faults import cut_off, fill_disk, freeze, hang_redis, hang_sentinel, hang_ssh, partition, power_cut
from lab.hosts import Host
from lab.labs import Lab
from lab.processes import wait_until
from lab.resp import Resp, RespError
from lab.seedcluster import HandMade, make_by_hand
from lab.ssh import ssh_banner

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    """One cluster for all faults: each is mended before the next."""
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


def reaches(source: Host, target: Host, seconds: int = 30) -> bool:
    """Whether a packet goes there and back; a busy machine has time for it."""
    script = f"timeout {seconds} bash -c 'exec 3<>/dev/tcp/{target.address}/22; read -t {seconds} line <&3'"
    return source.run(script, check=False).returncode == 0


def reaches_not(source: Host, target: Host) -> bool:
    """Whether none does."""
    return not reaches(source, target, 1)


def greets(host: Host) -> bool:
    """Whether its sshd says who it is."""
    return bool(ssh_banner(host.address, timeout=30.0))


def ping(host: Host, port: int = 6379, timeout: float = 30.0) -> str:
    """What the server says to PING, from inside the host."""
    try:
        with Resp.to(host, port, timeout=timeout) as link:
            return str(link.call("PING"))
    except RespError as refused:
        return str(refused)


def gets_nothing(host: Host, cluster: HandMade) -> bool:
    """Whether it has what its master has, or is the master: an earlier fault may have lasted for a failover."""
    with Resp.to(host, password=cluster.password) as redis:
        told = str(redis.call("INFO", "replication"))
    return "role:master" in told or "master_link_status:up" in told


def test_a_host_that_is_cut_off_is_alone(cluster: HandMade) -> None:
    master, other = cluster.master, cluster.replicas[0]
    with cut_off(master):
        assert not ssh_banner(master.address)
        assert reaches_not(other, master)
        assert reaches_not(master, other)
        assert ping(master).startswith("NOAUTH")
    assert wait_until(lambda: reaches(other, master), 60.0)  # neighbours are looked for anew
    assert greets(master)


def test_a_partition_divides_the_pair_and_nobody_else(cluster: HandMade) -> None:
    one, two, three = cluster.replicas
    with partition(one, two):
        assert reaches_not(one, two)
        assert reaches_not(two, one)
        assert reaches(one, three)
        assert reaches(two, three)
        assert greets(one)
        assert greets(two)
    assert reaches(one, two)
    assert reaches(two, one)


def test_partitions_may_overlap(cluster: HandMade) -> None:
    one, two, three = cluster.replicas
    with partition(one, (two, three)):
        with partition(two, three):
            assert reaches_not(two, three)
            assert reaches_not(three, one)
        assert reaches(two, three)
        assert reaches_not(one, three)
    assert reaches(one, three)


def test_a_hanging_ssh_accepts_and_says_nothing_and_open_sessions_stand(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.replicas[0]
    session = subprocess.Popen(
        ["ssh", "-F", "none", "-i", str(lab_hosts.private_key), "-o", "StrictHostKeyChecking=no",
         "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", f"root@{host.address}", "cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert session.stdin
    assert session.stdout
    with session:
        session.stdin.write("before\n")
        assert session.stdout.readline() == "before\n"
        with hang_ssh(host):
            session.stdin.write("inside\n")
            assert not ssh_banner(host.address, timeout=1.0)
            assert _silent(session.stdout.fileno())
        assert session.stdout.readline() == "inside\n"
        session.stdin.close()
    assert greets(host)


def _silent(descriptor: int) -> bool:
    import select

    return select.select([descriptor], [], [], 1.0)[0] == []


@pytest.mark.parametrize(("fault", "port"), [(hang_redis, 6379), (hang_sentinel, 26379)])
def test_a_hanging_server_answers_nothing(cluster: HandMade, fault: object, port: int) -> None:
    host = cluster.replicas[1]
    assert callable(fault)
    with fault(host), pytest.raises(TimeoutError):
        ping(host, port, timeout=1.0)
    assert ping(host, port)
    assert greets(host)


def test_a_frozen_host_stands_still_and_goes_on(cluster: HandMade) -> None:
    host = cluster.replicas[2]
    with freeze(host):
        assert not ssh_banner(host.address, timeout=1.0)
        with pytest.raises(TimeoutError):
            ping(host, timeout=1.0)
    assert ping(host).startswith("NOAUTH")


def test_a_power_cut_ends_every_process_and_keeps_the_disk(cluster: HandMade) -> None:
    host = cluster.replicas[2]
    host.run("echo kept >/var/lib/kept")
    boot_time = host.run("stat -c %Z /proc/1").stdout
    with power_cut(host):
        assert not host.on
        assert not ssh_banner(host.address)
    assert host.run("cat /var/lib/kept").stdout == "kept\n"
    assert host.run("stat -c %Z /proc/1").stdout != boot_time
    assert host.run("systemctl is-active redis redis-sentinel").stdout == "active\nactive\n"


def test_a_full_disk_refuses_the_dump_and_keeps_what_was_there(cluster: HandMade) -> None:
    host = cluster.replicas[2]
    assert wait_until(lambda: gets_nothing(host, cluster), 120.0)  # it was off: what it gets is a file as well
    before = host.run("ls -A /var/lib/redis").stdout
    with fill_disk(host) as small:
        with Resp.to(host, password=cluster.password) as redis, pytest.raises(RespError):
            redis.call("SAVE")
        small.empty()
        with Resp.to(host, password=cluster.password) as redis:
            assert redis.call("SAVE") == "OK"
    assert set(before.split()) <= set(host.run("ls -A /var/lib/redis").stdout.split())
    assert re.match(r"750 redis:redis", host.run("stat -c '%a %U:%G' /var/lib/redis").stdout)
    assert ping(host).startswith("NOAUTH")
