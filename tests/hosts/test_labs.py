"""A lab stands beside another, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import labs
from lab.hosts import disk
from lab.labs import Lab, hosts_lab
from lab.machine import LabError
from lab.model import LabConfig, lab_config
from lab.processes import saved, wait_until
from lab.resp import Resp
from lab.ssh import ssh_banner

pytestmark = pytest.mark.timeout(240)
TESTS = Path(__file__).parents[1]
BESIDE = lab_config("beside", "192.168.35.0/24", replicas=1)


@pytest.fixture
def beside(lab_hosts: Lab) -> Iterator[Lab]:
    """A second lab next to the first."""
    with hosts_lab(BESIDE) as lab:
        yield lab


def traces(config: LabConfig) -> list[str]:
    """Whatever on this machine bears the lab's name."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run(["iptables", "-S"], capture_output=True, text=True, check=True).stdout
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    lines = links.splitlines() + rules.splitlines() + tables.splitlines()
    words = (f"rl-{config.name}:", f"vb-{config.name}-", f"lab-{config.name}", f"rl_{config.name}")
    found = [line for line in lines if any(word in line for word in words)]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if f"/labs/{config.name}/" in line]
    found += [str(path) for path in (disk(config), config.state) if path.exists()]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/redis-lab/{config.name}-*")]
    found += [line for line in processes() if f"--machine={config.name}-" in line]
    return found


def processes() -> list[str]:
    """The command lines of this machine's processes."""
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_two_labs_do_not_meet(lab_hosts: Lab, beside: Lab) -> None:
    one, two = lab_hosts.master01, beside.master01
    assert ssh_banner(one.address, timeout=30.0)
    assert ssh_banner(two.address, timeout=30.0)
    assert one.known_hosts().split()[2] != two.known_hosts().split()[2]
    reach = f"timeout 2 bash -c 'exec 3<>/dev/tcp/{two.address}/22'"
    assert one.run(reach, check=False).returncode != 0
    beside.reset()
    assert one.run("hostname").stdout == two.run("hostname").stdout == "redis-master01\n"
    assert {lab_hosts.config.name, "beside"} <= set(labs.names())


def test_stopping_a_service_leaves_the_other_hosts_alone(lab_hosts: Lab) -> None:
    lab_hosts.reset("redis_master01", "redis_slave01")
    hosts = lab_hosts.hosts[:2]
    for host in hosts:
        host.run("yum -y -q install redis-3.2.6-2.el7 && systemctl start redis")
        host.run("until redis-cli ping; do sleep 0.1; done")
    hosts[0].run("timeout 50 systemctl stop redis")
    assert hosts[0].run("systemctl is-active redis", check=False).stdout == "inactive\n"
    with Resp.to(hosts[1]) as redis:
        assert redis.call("PING") == "PONG"


def test_a_reset_host_is_bare_and_keeps_its_ssh_identity(lab_hosts: Lab) -> None:
    host = lab_hosts.replicas[1]
    host.reset()  # whatever tests before it left, such as a line in yum.conf that excludes redis
    known = lab_hosts.known_hosts()
    host.run("yum -y -q install redis && echo x >/etc/motd && mkdir /etc/new")
    host.reset()
    assert host.run("rpm -q redis", check=False).stdout == "package redis is not installed\n"
    assert host.run("ls /etc/new", check=False).returncode != 0
    assert lab_hosts.known_hosts() == known
    command = ["ssh", "-F", "none", "-i", str(lab_hosts.private_key), "-o", "LogLevel=ERROR"]
    known_file = lab_hosts.config.state / "known_hosts"
    known_file.write_text(known)
    command += ["-o", f"UserKnownHostsFile={known_file}", "-o", "StrictHostKeyChecking=yes"]
    done = subprocess.run(
        [*command, f"admin@{host.address}", "sudo -n id -un"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "root\n"


def test_a_host_is_what_the_operator_expects_of_el7(lab_hosts: Lab) -> None:
    host = lab_hosts.replicas[2]
    host.reset()
    told = host.run(
        ". /etc/os-release; echo $ID $VERSION_ID; firewall-cmd --state; rpm -q centos-release; yum --version"
    )
    assert told.stdout.splitlines()[:3] == ["centos 7", "running", "centos-release-7-9.2009.1.el7.centos.noarch"]
    listed = host.run("yum -q list --showduplicates redis | awk '/redis/ {print $2}' | sort -u").stdout.split()
    assert listed == ["3.2.6-2.el7", "3.2.6-3.el7"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_lab_whose_maker_is_killed_goes_away(how: signal.Signals) -> None:
    config = lab_config("doomed", "192.168.37.0/24", replicas=1)
    script = (
        "import sys; from lab.labs import up; from lab.faults import partition; from lab.model import lab_config\n"
        "lab = up(lab_config('doomed', '192.168.37.0/24', replicas=1))\n"
        "with partition(*lab.hosts): print('up', flush=True); sys.stdin.read()\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(TESTS)}, start_new_session=True,
    )  # fmt: skip
    with maker:
        assert maker.stdout
        assert maker.stdout.readline() == "up\n"
        assert len(traces(config)) > 8
        os.killpg(maker.pid, how)
    assert wait_until(lambda: not traces(config), 60.0, 0.2), traces(config)


def test_a_host_whose_nspawn_was_killed_is_ended_all_the_same() -> None:
    with hosts_lab(BESIDE) as lab:
        host = lab.master01
        leader, supervisor = host.leader, saved(BESIDE.state / "redis-master01.process")
        assert leader
        assert supervisor
        supervisor.kill()
        assert leader.alive
        host.reset()
        assert not leader.alive
        assert host.run("hostname").stdout == "redis-master01\n"
    assert not traces(BESIDE)


def test_a_lab_taken_down_leaves_nothing() -> None:
    with hosts_lab(BESIDE):
        assert traces(BESIDE)
    assert not traces(BESIDE)


def test_a_subnet_in_use_is_refused(lab_hosts: Lab) -> None:
    same = lab_config("other", str(lab_hosts.config.subnet))
    with pytest.raises(LabError, match=rf"is in use by rl-{lab_hosts.config.name}: give the lab another LAB_SUBNET"):
        labs.up(same)
    labs.down(same)
    assert not traces(same)
    assert ssh_banner(lab_hosts.master01.address, timeout=30.0)


def test_a_lab_that_lives_is_not_taken_over(lab_hosts: Lab) -> None:
    with pytest.raises(LabError, match="belongs to a process that runs"):
        labs.up(lab_hosts.config)
    assert ssh_banner(lab_hosts.master01.address, timeout=30.0)


def test_another_process_may_look_and_enter(lab_hosts: Lab) -> None:
    command = [sys.executable, "-m", "lab", "--name", lab_hosts.config.name]
    env = os.environ | {"PYTHONPATH": str(TESTS), "COLUMNS": "120"}
    inside = subprocess.run(
        [*command, "shell", "redis_slave01", "hostname"], env=env, capture_output=True, text=True, check=True
    )
    assert inside.stdout == "redis-slave01\n"
    status = subprocess.run([*command, "status"], env=env, capture_output=True, text=True, check=True).stdout
    assert lab_hosts["redis_slave03"].address in status
    assert f"lab {lab_hosts.config.name}, {lab_hosts.config.subnet}" in status
    refused = subprocess.run([*command, "shell", "nobody"], env=env, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"lab {lab_hosts.config.name} has no host 'nobody'" in refused.stderr
