"""The observers see what they are for: each is shown the very thing it must catch."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lab.hosts import Host
from lab.labs import Lab
from lab.observe import canary, commands_seen, snapshot, untouched
from lab.packets import Stream, commands_in, mask
from lab.processes import wait_until
from lab.resp import Resp, encode
from lab.seedcluster import HandMade, make_by_hand

pytestmark = pytest.mark.timeout(240)
SECRET = "canary-2f81c6d1"


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    """One cluster; what a test changes it changes back."""
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


def ssh(lab: Lab, host: Host, *words: str) -> list[str]:
    """The command line of an SSH client to a host."""
    options = ["-F", "none", "-i", str(lab.private_key), "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR"]
    return ["ssh", *options, "-o", "UserKnownHostsFile=/dev/null", f"root@{host.address}", *words]


@contextmanager
def tunnel(lab: Lab, host: Host, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A connection to a port of the host through SSH (`direct-tcpip`): its standard input and output."""
    line = ssh(lab, host)
    line[1:1] = ["-W", f"127.0.0.1:{port}"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        yield client


def say(client: subprocess.Popen[bytes], *words: str) -> bytes:
    """Send a command through a tunnel; the first line of the reply."""
    assert client.stdin
    assert client.stdout
    client.stdin.write(encode(*words))
    client.stdin.flush()
    return client.stdout.readline()


def test_a_command_through_the_tunnel_is_seen_and_is_ours(cluster: HandMade, lab_hosts: Lab) -> None:
    host, master = cluster.replicas[0], cluster.master
    with commands_seen(lab_hosts) as seen:
        with tunnel(lab_hosts, host, 6379) as client:
            assert say(client, "AUTH", cluster.password) == b"+OK\r\n"
            assert say(client, "SLAVEOF", master.address, "6379").startswith(b"+OK")
            assert client.stdin
            # whose it is can be seen only while it stands
            wait_until(lambda: [one.owner for one in seen.role_commands()] == ["ssh"], 60, every=0.2)
            client.stdin.close()
        found = seen.role_commands()
        assert [(one.host, one.port, one.owner, one.words) for one in found] == [
            (host.name, 6379, "ssh", ("SLAVEOF", master.address, "6379"))
        ]
        assert ("AUTH", "***") in [one.words for one in seen.commands()]


def test_a_command_of_a_program_started_over_ssh_is_ours(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.sentinels[0]
    with commands_seen(lab_hosts) as seen:
        command = f"redis-cli -p 26379 SENTINEL SET {cluster.name} quorum {cluster.quorum}"
        subprocess.run(ssh(lab_hosts, host, command), check=True, capture_output=True)
        words = ("SENTINEL", "SET", cluster.name, "quorum", str(cluster.quorum))
        assert [(one.host, one.port, one.words) for one in seen.role_commands()] == [(host.name, 26379, words)]


def test_a_command_from_this_machine_is_the_operators_with_resp_direct(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.replicas[1]
    with commands_seen(lab_hosts) as seen:
        with socket.create_connection((host.address, 6379), timeout=5) as link:
            link.sendall(encode("AUTH", cluster.password) + encode("CONFIG", "REWRITE"))
            assert link.recv(64).startswith(b"+OK")
            assert wait_until(seen.role_commands, 60.0)
        assert [(one.owner, one.words) for one in seen.role_commands()] == [("operator", ("CONFIG", "REWRITE"))]


def test_the_tests_and_the_cluster_itself_are_not_taken_for_the_operator(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.sentinels[2]
    with commands_seen(lab_hosts) as seen:
        with Resp.to(host, 26379) as sentinel:
            sentinel.call("SENTINEL", "SET", cluster.name, "quorum", str(cluster.quorum))

        def talkers() -> set[str]:
            return {one.owner for one in seen.commands(ours=False)}

        assert wait_until(lambda: {"tester", "peer"} & talkers() and "redis-sentinel" in talkers(), 60.0), talkers()
        assert [one.words[:2] for one in seen.role_commands(ours=False)] == [("SENTINEL", "SET")]
        assert seen.role_commands() == []
        assert seen.commands() == []


def test_a_host_that_boots_is_followed(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.replicas[0]
    with commands_seen(lab_hosts) as seen:
        host.power_cut()
        host.boot()
        seen.follow()
        assert wait_until(lambda: _accepts(host, 26379), 60.0), _why_not(host)
        with tunnel(lab_hosts, host, 26379) as client:
            assert say(client, "SENTINEL", "FLUSHCONFIG") == b"+OK\r\n"
            assert client.stdin
            client.stdin.close()
        assert [one.words for one in seen.role_commands()] == [("SENTINEL", "FLUSHCONFIG")]


def _why_not(host: Host) -> str:
    said = "systemctl --no-pager -l status redis-sentinel; tail -n 20 /var/log/redis/sentinel.log"
    return host.run(said, check=False).stdout


def _accepts(host: Host, port: int) -> bool:
    try:
        socket.create_connection((host.address, port), timeout=1).close()
    except OSError:
        return False
    return True


def test_streams_are_put_in_order_once() -> None:
    raw = encode("CONFIG", "SET", "requirepass", "x") + b"PING\r\n" + encode("SLAVEOF", "NO", "ONE")
    first = 0xFFFFFFFF - 9  # the sequence numbers wrap inside
    cuts = [
        (first, 1.0, raw[:20]),
        ((first + 20) & 0xFFFFFFFF, 2.0, raw[20:50]),
        ((first + 50) & 0xFFFFFFFF, 3.0, raw[50:]),
    ]
    stream = Stream("10.0.0.1", 1, "10.0.0.2", 6379, [cuts[0], cuts[0], cuts[2], cuts[1], cuts[1]])
    assert [words for _, words in commands_in(stream)] == [
        ("CONFIG", "SET", "requirepass", "***"),
        ("PING",),
        ("SLAVEOF", "NO", "ONE"),
    ]


def test_passwords_are_masked() -> None:
    assert mask(("SENTINEL", "SET", "m", "auth-pass", "x")) == ("SENTINEL", "SET", "m", "auth-pass", "***")


@pytest.mark.parametrize(
    ("what", "undo", "tells"),
    [
        ("echo x >>/etc/motd", "sed -i '$d' /etc/motd", "files: .* /etc/motd"),
        ("chmod 600 /etc/motd", "chmod 644 /etc/motd", "files: /etc/motd f 600"),
        (
            "systemctl disable -q redis",
            "systemctl enable -q redis",
            r"files: .*multi-user\.target\.wants/redis\.service",
        ),
        (
            "systemctl mask -q --runtime redis-sentinel",
            "systemctl unmask -q --runtime redis-sentinel",
            "enabled until the next boot: /run/systemd/system/redis-sentinel.service /dev/null",
        ),
        (
            "firewall-cmd -q --add-port=1/tcp",
            "firewall-cmd -q --remove-port=1/tcp",
            r'firewall, runtime: public: .*"1" "tcp"',
        ),
        ("firewall-cmd -q --zone=home --add-port=1/tcp", "firewall-cmd -q --zone=home --remove-port=1/tcp", "home"),
        (
            "firewall-cmd -q --permanent --add-port=1/tcp",
            "firewall-cmd -q --permanent --remove-port=1/tcp; rm -f /etc/firewalld/zones/*.old",
            r"files: .* /etc/firewalld/zones/public\.xml",
        ),
        ("systemctl restart redis-sentinel", "true", "units: .*Id=redis-sentinel.service"),
        (
            "mkdir -p /var/lib/redis-sentinel-operator",
            "rmdir /var/lib/redis-sentinel-operator",
            "redis-sentinel-operator",
        ),
        ("yum -y -q update redis", "yum -y -q downgrade redis-3.2.6-2.el7", "packages: redis-0:3.2.6-3"),
    ],
)
def test_untouched_notices(cluster: HandMade, what: str, undo: str, tells: str) -> None:
    host = cluster.replicas[2]
    try:
        with pytest.raises(AssertionError, match=tells), untouched(host):
            host.run(what)
    finally:
        host.run(undo)


def test_untouched_notices_a_live_setting(cluster: HandMade) -> None:
    host = cluster.master
    told = r"\+ redis_master01: CONFIG GET \* on 6379: timeout 7"
    with Resp.to(host, password=cluster.password) as redis:
        with pytest.raises(AssertionError, match=told), untouched(host):
            redis.call("CONFIG", "SET", "timeout", "7")
        redis.call("CONFIG", "SET", "timeout", "0")


def test_looking_is_not_touching(cluster: HandMade, lab_hosts: Lab) -> None:
    with untouched(*lab_hosts.hosts[:2]):
        for host in lab_hosts.hosts[:2]:
            subprocess.run(ssh(lab_hosts, host, "rpm -q redis; firewall-cmd --state"), check=True, capture_output=True)
    assert cluster.password not in str(snapshot(cluster.master).sections)


def test_the_canary_sings(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.replicas[2]
    leak = (
        f"echo {SECRET} >/var/log/redis/other.log; logger {SECRET}; "
        f"echo {SECRET} >/etc/redis-sentinel.extra; chmod 600 /etc/redis-sentinel.extra; journalctl --sync"
    )
    texts = {"status": f"a {SECRET} b"}
    with pytest.raises(AssertionError) as caught, canary(SECRET, lab_hosts, texts=lambda: texts) as bird:
        host.run(["/bin/sh", "-s"], stdin=leak)
        with subprocess.Popen(["sleep", "60"], env={"PASSWORD": SECRET}) as shown:
            wait_until(lambda: bird.processes, 60.0)
            shown.kill()
    host.run("rm -f /var/log/redis/other.log /etc/redis-sentinel.extra")
    host.run("journalctl --rotate -q; journalctl -q --vacuum-time=1s")
    told = str(caught.value)
    assert "/var/log/redis/other.log (644" in told
    assert "/etc/redis-sentinel.extra (600" in told
    assert "1 lines of journal show it" in told
    assert "status shows it" in told
    assert "the environ of a process sleep shows it" in told
    assert SECRET not in told


def test_the_canary_is_silent_about_a_cluster_made_properly(cluster: HandMade, lab_hosts: Lab) -> None:
    with canary(cluster.password, lab_hosts):
        cluster.replicas[2].run("systemctl restart redis redis-sentinel")
    cluster.master.run("chmod 644 /etc/redis.conf")
    with (
        pytest.raises(AssertionError, match=r"redis_master01: /etc/redis.conf \(644"),
        canary(cluster.password, lab_hosts),
    ):
        pass
    cluster.master.run("chmod 640 /etc/redis.conf")
