"""Reading real hosts: bare, installed, running, and with all that can be wrong while they are read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import pytest

from hosts.passes import Passes, passes
from lab.faults import cut_off, hang_redis, hang_sentinel, hang_ssh
from lab.hosts import Host
from lab.labs import Lab
from lab.observe import untouched
from lab.processes import wait_until
from lab.resp import Resp
from lab.seedcluster import MASTER_NAME, PASSWORD, HandMade, make_by_hand
from redis_sentinel_operator.model.desired import DesiredHost
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    DataFile,
    Denied,
    Fact,
    FirewallFacts,
    HostFacts,
    Known,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.observe.gather import gather, read_claim, read_redis, read_sentinels
from redis_sentinel_operator.observe.late import Late

pytestmark = pytest.mark.timeout(240)
T = TypeVar("T")
PARTS = ("os", "packages", "files", "units", "firewall", "data", "processes", "listeners", "claim")


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


@pytest.fixture
async def at_work(cluster: HandMade, lab_hosts: Lab) -> AsyncIterator[Passes]:
    async with passes(lab_hosts) as work:
        yield work


async def read(work: Passes) -> ClusterFacts:
    return await gather(work.desired, work.links, work.settings)


def value(fact: Fact[T]) -> T:
    assert isinstance(fact, Known), fact
    return fact.value


def redis_of(facts: ClusterFacts, host: Host) -> RedisFacts:
    found = value(facts.hosts[host.name].redis)
    assert isinstance(found, RedisFacts)
    return found


def sentinel_of(facts: ClusterFacts, host: Host) -> SentinelFacts:
    found = value(facts.hosts[host.name].sentinel)
    assert isinstance(found, SentinelFacts)
    return found


def unknown_parts(facts: HostFacts) -> list[str]:
    return [part for part in (*PARTS, "redis", "sentinel") if isinstance(getattr(facts, part), Unknown)]


async def test_bare_hosts_and_an_installed_package_are_read_completely(bare_lab: Lab) -> None:
    async with passes(bare_lab) as work:
        await read(work)
        with untouched(*bare_lab.hosts):
            facts = await read(work)
    for host in facts.hosts.values():
        assert unknown_parts(host) == []
        assert value(host.os).id == "centos"
        assert (host.packages, host.data, host.processes, host.listeners) == (
            Known({}),
            Known(()),
            Known(()),
            Known(()),
        )
        assert (host.claim, host.redis, host.sentinel) == (Known(None), Known(None), Known(None))
        assert {path for path, file in value(host.files).items() if file} == {"/etc/yum.conf", "/etc/dnf/dnf.conf"}
        assert {unit.load for unit in value(host.units).values()} == {"not-found"}
        assert value(host.firewall) == FirewallFacts("firewalld", "public")

    await installed(bare_lab)


async def installed(lab: Lab) -> None:
    """The package and nothing more; part of the test before, which has bare hosts at hand."""
    host = lab.replicas[0]
    host.run("yum -y -q install redis-3.2.6-2.el7")
    async with passes(lab) as work:
        facts = (await read(work)).hosts[host.name]
    assert facts.packages == Known({"redis": "3.2.6-2.el7"})
    conf = value(facts.files)["/etc/redis.conf"]
    assert conf is not None
    assert (oct(conf.mode), conf.owner, conf.group) == ("0o640", "redis", "root")
    assert conf.text == (host.root / "etc/redis.conf").read_text()
    unit = value(facts.units)["redis.service"]
    assert (unit.load, unit.active, unit.enabled, unit.main_pid) == ("loaded", "inactive", "disabled", 0)
    assert (facts.redis, facts.sentinel) == (Known(None), Known(None))


async def test_a_running_cluster(at_work: Passes, cluster: HandMade) -> None:
    await read(at_work)
    everything = (cluster.master, *cluster.replicas)
    with untouched(*everything):
        facts = await read(at_work)
    assert {name: unknown_parts(host) for name, host in facts.hosts.items()} == {host.name: [] for host in everything}
    master = redis_of(facts, cluster.master)
    assert (master.role, master.version) == ("master", "3.2.6")
    assert {link.address for link in master.replicas} == {host.address for host in cluster.replicas}
    assert facts.hosts[cluster.master.name].sentinel == Known(None)
    for host in cluster.replicas:
        replica, seen, read_of = redis_of(facts, host), sentinel_of(facts, host), facts.hosts[host.name]
        assert (replica.role, replica.master_address, replica.link) == ("slave", cluster.master.address, "up")
        assert replica.config["requirepass"] == PASSWORD
        assert seen.view is not None
        assert (seen.view.address, seen.view.port, seen.masters) == (cluster.master.address, 6379, (MASTER_NAME,))
        assert seen.view.quorum_ok is True
        conf = value(read_of.files)["/etc/redis-sentinel.conf"]
        assert conf is not None
        assert f"sentinel myid {seen.my_id}\n" in conf.text
        units = value(read_of.units)
        pids = {(unit.name, unit.main_pid) for unit in units.values() if unit.installed}
        processes = {(process.unit, process.pid) for process in value(read_of.processes)}
        assert pids == processes
        assert {pid for _, pid in pids} == {replica.process_id, seen.process_id}
        listeners = {(each.port, each.process) for each in value(read_of.listeners)}
        assert listeners == {(6379, "redis-server"), (26379, "redis-sentinel")}
        assert PASSWORD not in repr(read_of)


async def test_data_in_the_directory_that_the_file_names(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[0]
    script = (
        "mkdir -p '/srv/re dis/appendonlydir' && cd '/srv/re dis' && printf 12345 >my.rdb && printf 1 >temp-7.rdb "
        "&& printf 123 >appendonlydir/a.1.base.rdb "
        "&& printf 'DIR \"/srv/re dis\"\\ndbfilename my.rdb\\n' >>/etc/redis.conf"
    )
    host.run(f"cp -a /etc/redis.conf /run/kept && {script}")
    try:
        data = value((await read(at_work)).hosts[host.name].data)
    finally:
        host.run("cp -a /run/kept /etc/redis.conf && rm -rf '/srv/re dis'")
    assert set(data) >= {
        DataFile("/srv/re dis/my.rdb", 5),
        DataFile("/srv/re dis/appendonlydir/a.1.base.rdb", 3),
    }
    assert not any("temp-" in file.path for file in data)


async def test_ports_that_are_open_for_now_or_for_good_only(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[0]
    host.run("firewall-cmd -q --add-port=7001/tcp && firewall-cmd -q --permanent --add-port=7002/tcp")
    try:
        firewall = value((await read(at_work)).hosts[host.name].firewall)
    finally:
        host.run("firewall-cmd -q --remove-port=7001/tcp && firewall-cmd -q --permanent --remove-port=7002/tcp")
    ours = {"6379/tcp", "26379/tcp"}
    assert firewall == FirewallFacts(
        "firewalld", "public", frozenset(ours | {"7001/tcp"}), frozenset(ours | {"7002/tcp"})
    )


@contextmanager
def without(host: Host, program: str) -> Iterator[None]:
    """The host has not this program."""
    path = host.run(f"command -v {program}").stdout.strip()
    host.run(f"mv {path} {path}.away")
    try:
        yield
    finally:
        host.run(f"mv {path}.away {path}")


async def test_tools_that_a_host_may_lack(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[1]
    whole = (await read(at_work)).hosts[host.name]
    with without(host, "dbus-send"), without(host, "busctl"):  # firewall-cmd answers instead
        assert (await read(at_work)).hosts[host.name].firewall == whole.firewall
    with without(host, "ss"):  # /proc tells the ports
        listeners = value((await read(at_work)).hosts[host.name].listeners)
        assert {each.port for each in listeners} == {6379, 26379}
    with without(host, "rpm"):
        facts = (await read(at_work)).hosts[host.name]
        assert unknown_parts(facts) == ["packages"]
        assert isinstance(facts.packages, Unknown) and facts.packages.reason == "ProbeFailed"


async def test_a_redis_that_somebody_started_by_hand_on_another_port(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.master
    start = "cd /tmp && setsid redis-server --port 7005 --daemonize yes --save '' >/dev/null"
    await at_work.links[host.name].run(start, timeout=5)
    try:
        facts = (await read(at_work)).hosts[host.name]
        by_hand = [process for process in value(facts.processes) if not process.unit]
        assert [process.name for process in by_hand] == ["redis-server"]
        assert redis_of(await read(at_work), host).role == "master"
        host.run("systemctl stop redis-sentinel")
        assert (await read(at_work)).hosts[host.name].sentinel == Known(None)
    finally:
        host.run("redis-cli -p 7005 shutdown nosave", check=False)


async def test_a_stranger_on_the_port_is_told_and_is_no_sentinel(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.master  # it has no sentinel
    host.run("systemd-run -q --unit=stranger systemd-socket-activate -l 26379 sleep 60")
    try:
        assert wait_until(lambda: ":26379" in host.run("ss -ltn").stdout, 60.0)
        facts = (await read(at_work)).hosts[host.name]
    finally:
        host.run("systemctl stop stranger")
    assert facts.sentinel == Known(None)
    (listener,) = [each for each in value(facts.listeners) if each.port == 26379]
    assert listener.process.startswith(("systemd-socket", "sleep"))


async def test_a_host_that_is_cut_off_costs_its_own_deadline(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[0]
    await read(at_work)
    with cut_off(host):
        started = time.monotonic()
        facts = await read(at_work)
        assert time.monotonic() - started < 2 * at_work.settings.probe_timeout, "more than one deadline"
        assert set(facts.unreadable()) == {host.name}
        assert set(unknown_parts(facts.hosts[host.name])) == {*PARTS, "redis", "sentinel"}
        for other in (cluster.master, *cluster.replicas[1:]):
            assert unknown_parts(facts.hosts[other.name]) == []
        started = time.monotonic()
        facts = await read(at_work)  # and again over a new connection, which cannot be made: one attempt for all parts
        assert time.monotonic() - started < 2 * at_work.settings.connect_timeout, "more than one attempt"
        assert facts.unreadable()[host.name].reason == "HostUnreachable"
    assert not (await read(at_work)).unreadable()


async def test_an_ssh_that_hangs(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[0]
    await read(at_work)
    with hang_ssh(host):
        started = time.monotonic()
        facts = await read(at_work)
        assert time.monotonic() - started < 2 * at_work.settings.probe_timeout, "more than one deadline"
    assert facts.unreadable()[host.name].reason in {"CommandTimedOut", "HostUnreachable"}
    assert set(facts.unreadable()) == {host.name}


@pytest.mark.parametrize("fresh", [False, True], ids=["open connection", "new connection"])
async def test_a_redis_that_hangs_is_not_known_in_time(
    at_work: Passes, cluster: HandMade, lab_hosts: Lab, fresh: bool
) -> None:
    host = cluster.replicas[2]
    if not fresh:
        await read(at_work)
    with hang_redis(host):
        started = time.monotonic()
        facts = await read(at_work)
        assert time.monotonic() - started < 2 * at_work.settings.resp_timeout, "more than one deadline"
    assert unknown_parts(facts.hosts[host.name]) == ["redis"]
    found = facts.hosts[host.name].redis
    assert isinstance(found, Unknown) and found.reason == "NoAnswer"
    assert isinstance(value((await read(at_work)).hosts[host.name].redis), RedisFacts)


async def test_only_a_sentinel_that_hangs_is_unknown_when_time_is_up(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[1]
    await read(at_work)
    late = Late(5.0, lambda name: None)  # what the others may differ by on a busy machine
    settings = replace(at_work.settings, resp_timeout=30.0)
    with hang_sentinel(host):
        found = await gather(at_work.desired, at_work.links, settings, late)
    assert [unknown_parts(found.hosts[each.name]) for each in cluster.replicas] == [[], ["sentinel"], []]
    fact = found.hosts[host.name].sentinel
    assert isinstance(fact, Unknown) and f"the sentinel on {host.name} runs (redis-sentinel, pid " in fact.message


async def test_a_hanging_sentinel_does_not_hold_up_the_votes(at_work: Passes, cluster: HandMade) -> None:
    hanging = cluster.replicas[0]
    await read(at_work)
    patient = replace(at_work.settings, resp_timeout=30.0)
    with hang_sentinel(hanging):
        started = time.monotonic()
        votes = await read_sentinels(at_work.desired, at_work.links, patient)
        assert time.monotonic() - started < patient.resp_timeout, "it was waited for"
    assert [name for name, fact in votes.items() if isinstance(fact, Unknown)] == [hanging.name]
    votes = await read_sentinels(at_work.desired, at_work.links, at_work.settings)
    assert all(isinstance(value(fact), SentinelFacts) for fact in votes.values())


async def test_a_stopped_redis_is_proved_to_be_stopped(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[1]
    host.run("systemctl stop redis")
    try:
        facts = (await read(at_work)).hosts[host.name]
        alone = await read_redis(at_work.desired, at_work.links[host.name], at_work.settings)
    finally:
        host.run("systemctl start redis")
    assert facts.redis == Known(None)
    assert isinstance(alone, Unknown) and alone.reason == "NoAnswer"  # the port alone proves nothing


async def test_a_sentinel_in_protected_mode_refuses_all_but_its_own_host(cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.master  # it has no sentinel; one without `bind` is in protected mode up to 5.0
    async with passes(lab_hosts) as work:
        start = "umask 022; echo 'port 26379' >/tmp/bare.conf; setsid redis-sentinel /tmp/bare.conf >/dev/null 2>&1 &"
        await work.links[host.name].run(start, timeout=5)
        hosts = tuple(with_access(each, resp="Direct") for each in work.desired.hosts)
        try:
            assert wait_until(lambda: ":26379" in host.run("ss -ltn").stdout, 60.0)
            through_ssh = value((await read(work)).hosts[host.name].sentinel)
            async with passes(lab_hosts, hosts=hosts) as direct:
                from_outside = value((await read(direct)).hosts[host.name].sentinel)
        finally:
            host.run("redis-cli -p 26379 shutdown", check=False)
    assert isinstance(through_ssh, SentinelFacts) and through_ssh.view is None
    assert isinstance(from_outside, Denied) and from_outside.message.startswith("DENIED ")


async def test_a_redis_that_lost_its_password_is_still_read(at_work: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[0]
    with Resp.to(host, 6379, password=PASSWORD) as own:
        own.call("CONFIG", "SET", "requirepass", "")
        try:
            facts = redis_of(await read(at_work), host)
        finally:
            own.call("CONFIG", "SET", "requirepass", PASSWORD)
    assert (facts.role, facts.config["requirepass"]) == ("slave", "")
    assert redis_of(await read(at_work), host).config["requirepass"] == PASSWORD


def with_access(host: DesiredHost, **changes: object) -> DesiredHost:
    return replace(host, ssh=replace(host.ssh, **changes))  # type: ignore[arg-type]


async def test_without_forwarding_redis_is_asked_directly(cluster: HandMade, lab_hosts: Lab) -> None:
    async with passes(lab_hosts) as work:
        whole = await read(work)
        hosts = tuple(with_access(host, resp="Direct") for host in work.desired.hosts)
    async with passes(lab_hosts, hosts=hosts) as work:
        facts = await read(work)
    for name, host in facts.hosts.items():
        assert unknown_parts(host) == []
        assert type(value(host.sentinel)) is type(value(whole.hosts[name].sentinel))
        assert isinstance(value(host.redis), RedisFacts)


async def test_sudo_reads_as_root_does_and_without_it_nothing_is_known(cluster: HandMade, lab_hosts: Lab) -> None:
    async with passes(lab_hosts) as work:
        hosts = work.desired.hosts
    async with passes(lab_hosts, hosts=tuple(with_access(host, user="admin", sudo=True) for host in hosts)) as work:
        facts = await read(work)
        assert {name for name, host in facts.hosts.items() if unknown_parts(host)} == set()
    async with passes(lab_hosts, hosts=tuple(with_access(host, user="admin") for host in hosts)) as work:
        facts = await read(work)
    for host in facts.hosts.values():
        assert set(PARTS) <= set(unknown_parts(host))
        assert isinstance(host.os, Unknown)
        assert (
            host.os.message == "the probe could not read its part os: the login user is not root and sudo is not used"
        )


async def test_the_claim_is_read_by_itself(at_work: Passes, cluster: HandMade) -> None:
    host, link = cluster.master, at_work.links[cluster.master.name]
    assert await read_claim(link) == Known(None)
    path = "/var/lib/redis-sentinel-operator"
    host.run(f'mkdir -p {path} && printf \'{{"owner": "u/n/c", "leaseEpoch": 5}}\' >{path}/state.json')
    try:
        claim = value(await read_claim(link))
    finally:
        host.run(f"rm -rf {path}")
    assert claim is not None
    assert (claim.owner, claim.lease_epoch) == ("u/n/c", 5)


async def test_a_link_that_is_not_there_is_unknown(at_work: Passes, cluster: HandMade) -> None:
    facts = await gather(at_work.desired, {}, at_work.settings)
    assert set(facts.unreadable()) == {host.name for host in at_work.desired.hosts}
