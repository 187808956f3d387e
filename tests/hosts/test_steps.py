"""Every kind of step on real hosts: once it is done nothing is left to plan, and nobody else's host is touched."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from hosts.command_lines import watching_command_lines
from hosts.passes import EPOCH, OWNER, Passes, passes, seed
from hosts.stepping import BREAKS, OF_THE_MACHINE, conf, has, patient, redis, sentinel, stat, step, until
from lab.hosts import Host
from lab.labs import Lab
from lab.observe import untouched
from lab.seedcluster import MASTER_NAME, PASSWORD
from redis_sentinel_operator.apply.executor import Guard
from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.kernel import SOMAXCONN, SYSCTL_FILE
from redis_sentinel_operator.connect.command import sudo_mend
from redis_sentinel_operator.errors import NotOurHost
from redis_sentinel_operator.model.desired import BastionAccess
from redis_sentinel_operator.model.fact import FirewalldRule, Known
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import (
    Action,
    AllowPorts,
    ConfigSet,
    DisableUnits,
    EditConf,
    EditFirewalld,
    EnableUnits,
    FillChain,
    LabelFile,
    ProveRewrite,
    ReleaseClaim,
    RememberKeys,
    SentinelReset,
    SentinelSet,
    SetKernel,
    StartUnit,
    TakeClaim,
    WriteDropIn,
    WriteSentinelConf,
)
from redis_sentinel_operator.model.verdict import Confirmed

pytestmark = pytest.mark.timeout(240)


# -- the set-up


async def test_after_the_set_up_nothing_is_left_to_plan(loop: Passes, whole: Lab) -> None:
    with untouched(whole.master01, whole.replicas[0], but=OF_THE_MACHINE):
        reading = await loop.read()
        assert (reading.todo.steps, reading.todo.waiting, reading.todo.drift) == ((), (), {})
        assert await loop.until_settled() == []


async def test_what_is_written_on_the_master_is_on_every_replica(whole: Lab) -> None:
    redis(whole.master01, "SET", "key", "value")
    for host in whole.replicas:
        await until(partial(has, host, "key", "value"))


async def test_the_files_are_for_redis_only(whole: Lab) -> None:
    for host in whole.hosts:
        assert stat(host, "/etc/redis.conf") == "640 redis:root"
        assert stat(host, "/var/lib/redis-sentinel-operator") == "700 root:root"
        assert stat(host, "/var/lib/redis-sentinel-operator/state.json") == "600 root:root"
        assert "save 900 1" in conf(host)
    for host in whole.replicas:
        assert stat(host, "/etc/redis-sentinel.conf") == "640 redis:root"


async def test_a_stop_shows_no_password_and_saves(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    redis(whole.master01, "SET", "kept", "yes")
    await until(lambda: redis(host, "GET", "kept") == "yes")
    with watching_command_lines(PASSWORD, host) as seen:
        host.run("systemctl stop redis")
    assert seen == set()
    assert "yes" in host.run("strings /var/lib/redis/dump.rdb || cat -v /var/lib/redis/dump.rdb").stdout
    await loop.until_settled()


# -- drift, of every kind: broken by hand, planned, done, nothing left


@pytest.mark.parametrize("name", BREAKS)
async def test_drift_is_planned_mended_and_gone(loop: Passes, whole: Lab, name: str) -> None:
    break_it, expected = BREAKS[name]
    host = whole.replicas[1]
    role = redis_conf.parse(conf(host)).get("slaveof")
    await asyncio.to_thread(break_it, host)
    reading = await loop.read()
    assert [(each.host, each.what) for each in reading.todo.steps] == [(host.name, what) for what in expected]
    await loop.until_settled()
    assert (await loop.read()).todo.settled
    assert redis_conf.parse(conf(host)).get("slaveof") == role


async def test_a_user_with_sudo_does_it_too(whole: Lab) -> None:
    """With the sudoers lines that its message and the README name, and no more."""
    host = whole.replicas[1]
    mend = [part for at, part in enumerate(sudo_mend("admin").split("`")) if at % 2]
    own = [replace(each, ssh=replace(each.ssh, user="admin", sudo=True)) for each in seed(whole).hosts]
    host.run("cat >/etc/sudoers.d/admin && visudo -c", stdin="\n".join(mend) + "\n")
    try:
        async with passes(whole, hosts=tuple(own)) as loop:
            host.run("sed -i 's/^repl-timeout .*/repl-timeout 59/' /etc/redis.conf; systemctl stop redis")
            done = await loop.until_settled()
    finally:
        host.run("cat >/etc/sudoers.d/admin", stdin="admin ALL=(ALL) NOPASSWD: ALL\n")
    assert [each.step.what for each in done] == [
        "set repl-timeout in /etc/redis.conf",
        "start redis (redis.service)",
    ]
    assert stat(host, "/etc/redis.conf") == "640 redis:root"


async def test_it_is_done_behind_a_bastion_too(whole: Lab) -> None:
    host, jump = whole.replicas[1], BastionAccess(whole.master01.address)
    behind = [
        each if each.address == jump.address else replace(each, ssh=replace(each.ssh, bastion=jump))
        for each in seed(whole).hosts
    ]
    async with passes(whole, hosts=tuple(behind)) as loop:
        host.run("sed -i 's/^repl-timeout .*/repl-timeout 59/' /etc/redis.conf; systemctl stop redis")
        await loop.until_settled()
        connected = host.run("ss -Htn state established '( sport = :22 )'").stdout
    assert jump.address in connected
    assert whole.config.bridge_address not in connected, "somebody connects past the bastion"
    assert host.run("systemctl is-active redis").stdout.strip() == "active"


async def test_what_a_killed_replacement_left_behind_goes_with_the_next(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    host.run("umask 077 && echo secret > /etc/redis.conf.rso-Ab12Cd34")
    host.run("sed -i 's/^repl-timeout .*/repl-timeout 44/' /etc/redis.conf")
    await loop.until_settled()
    assert host.run("ls /etc/redis.conf*").stdout.split() == ["/etc/redis.conf"]


# -- whose host it is


def actions(host: Host) -> list[Action]:
    text = conf(host)
    edited = redis_conf.parse(text).edit({"repl-timeout": "61"})
    fresh = "port 26379\n"
    in_use = sha256(host.run("cat /etc/redis-sentinel.conf").stdout)
    return [
        TakeClaim(OWNER, "b1"),
        ReleaseClaim(),
        InstallPackage("no-such-package", None),
        EditConf(EL7.redis_conf, {"repl-timeout": "61"}, text=Secret(edited), base_sha256=sha256(text)),
        WriteSentinelConf(EL7.sentinel_conf, Secret(fresh), base_sha256=in_use),
        WriteDropIn(EL7.redis_drop_in, "[Service]\nRestart=always\n"),
        SetKernel(SYSCTL_FILE, "vm.overcommit_memory = 2\n", {SOMAXCONN: "600"}),
        LabelFile(EL7.redis_conf, "redis_conf_t"),
        AllowPorts((6380,)),
        StartUnit("systemd-timesyncd.service", 6379, sentinel=False),
        EnableUnits(("rsync.service",)),
        DisableUnits(("redis.service",)),
        EditFirewalld(add=(FirewalldRule("runtime", "public", "7777/tcp"),)),
        FillChain("iptables", "*filter\n:REDIS-SENTINEL-OPERATOR - [0:0]\nCOMMIT\n"),
        RememberKeys({}),
        ConfigSet({"repl-timeout": "61"}, 6379),
        SentinelSet(MASTER_NAME, {"parallel-syncs": "3"}, 26379),
        SentinelReset(MASTER_NAME, 26379),
    ]


@pytest.mark.parametrize(
    ("guard", "said"),
    [
        (Guard("11111111-0000-4000-8000-000000000001/other/redis", EPOCH), f"this host belongs to {OWNER}"),
        (Guard(OWNER, EPOCH - 1), f"its lease epoch is {EPOCH}, ours {EPOCH - 1}"),
    ],
    ids=["another owner", "an earlier lease"],
)
async def test_no_step_touches_a_host_that_is_not_ours(loop: Passes, whole: Lab, guard: Guard, said: str) -> None:
    host = whole.replicas[0]
    loop.guard = guard
    with untouched(host, but=OF_THE_MACHINE):
        for action in actions(host):
            with pytest.raises(NotOurHost) as refused:
                await loop.do(step(host, action))
            assert host.name in str(refused.value)
            assert said in str(refused.value)
    shown = sentinel(host, "SENTINEL", "MASTER", MASTER_NAME)
    assert isinstance(shown, list)
    assert shown[shown.index("parallel-syncs") + 1] == "1"


async def test_a_later_lease_is_noted_and_shuts_the_earlier_one_out(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    later = Guard(OWNER, EPOCH + 5)
    earlier, loop.guard = loop.guard, later
    assert (await loop.do(step(host, EnableUnits(("redis.service",))))).ok
    reading = await loop.read()
    claim = reading.facts.hosts[host.name].claim
    assert isinstance(claim, Known)
    assert claim.value is not None
    assert (claim.value.owner, claim.value.bootstrap_id, claim.value.lease_epoch) == (OWNER, "b1", EPOCH + 5)
    loop.guard = earlier
    with pytest.raises(NotOurHost):
        await loop.do(step(host, EnableUnits(("redis.service",))))
    host.run(f"sed -i 's/{EPOCH + 5}/{EPOCH}/' /var/lib/redis-sentinel-operator/state.json")


async def test_a_host_changes_hands_only_by_force(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    other = Guard("11111111-0000-4000-8000-000000000001/other/redis", EPOCH)
    ours, loop.guard = loop.guard, other
    with pytest.raises(NotOurHost):
        await loop.do(step(host, TakeClaim(other.owner, "")))
    assert (await loop.do(step(host, TakeClaim(other.owner, "", force=True)))).ok
    assert (await loop.do(step(host, ReleaseClaim()))).ok
    loop.guard = ours
    with pytest.raises(NotOurHost, match="nobody"):
        await loop.do(step(host, EnableUnits(("redis.service",))))
    done = await loop.until_settled()
    assert done[0].step.action == TakeClaim(OWNER, "b1", loop.desired.hosts[0].address)
    assert [type(each.step.action) for each in done[1:]] == [RememberKeys, ProveRewrite]


async def test_a_change_waits_for_the_one_that_is_going_on(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    lock = "/var/lib/redis-sentinel-operator/lock"
    host.run(f"systemd-run -q --unit=change flock {lock} sleep 600; while flock -n {lock} true; do sleep 0.05; done")
    change = asyncio.create_task(loop.do(step(host, EnableUnits(("redis.service",)))))
    try:
        await until(lambda: "flock -w" in host.run("pgrep -a flock", check=False).stdout)
        assert not change.done()
    finally:
        host.run("systemctl stop change")
    assert (await change).ok


# -- what others wrote meanwhile


async def test_a_file_that_was_changed_after_it_was_read_is_left(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    host.run("sed -i 's/^repl-timeout .*/repl-timeout 59/' /etc/redis.conf")
    (edit,) = (await loop.read()).todo.steps
    host.run("echo '# by hand' >>/etc/redis.conf")
    before = conf(host)
    result = await loop.do(edit)
    assert not result.ok
    assert result.message == "/etc/redis.conf was changed meanwhile; it is read again and nothing is lost"
    assert conf(host) == before
    await loop.until_settled()
    assert conf(host).endswith("# by hand\n")
    assert host.run("ls /etc/redis.conf*").stdout.split() == ["/etc/redis.conf"]


# -- what does not work


async def test_a_package_that_no_repository_has(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    result = await loop.do(step(host, InstallPackage("no-such-package", "1.0-1")))
    assert (result.ok, result.reason) == (False, "PackageNotFound")
    assert result.message == ("no enabled repository has no-such-package-1.0-1")


async def test_a_package_that_is_there_is_left_in_its_version(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    result = await loop.do(step(host, InstallPackage("redis", None)))
    assert (result.ok, result.message) == (True, "redis 3.2.6-2.el7 is installed")
    other = await loop.do(step(host, InstallPackage("redis", "3.2.6-3.el7")))
    assert not other.ok
    assert "installed is redis-3.2.6-2.el7" in other.message


async def test_a_port_that_somebody_has_taken(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    host.run("systemctl stop redis")
    taken = "import socket, time; s = socket.create_server(('0.0.0.0', 6379)); time.sleep(600)"
    host.run(f'systemd-run -q --unit=taker python3 -c "{taken}"')
    await until(lambda: ":6379 " in host.run("ss -ltn").stdout)
    result = await loop.do(step(host, StartUnit("redis.service", 6379, sentinel=False, log=EL7.redis_log)))
    host.run("systemctl stop taker")
    assert (result.ok, result.reason) == (False, "PortTaken")
    assert result.message == (
        f"redis.service on {host.name} did not start: port 6379 is taken by another program (Address already in use)"
    )
    await loop.until_settled()


async def test_why_a_redis_does_not_come_up_is_told_without_its_password(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    host.run("systemctl stop redis; cat >>/etc/redis.conf", stdin=f"requirepass {PASSWORD} {PASSWORD}\n")
    result = await loop.do(step(host, StartUnit("redis.service", 6379, sentinel=False, log=EL7.redis_log)))
    host.run("sed -i '$d' /etc/redis.conf")
    assert not result.ok
    assert "redis.service" in result.message
    assert "FATAL CONFIG FILE ERROR" in result.message
    assert PASSWORD not in result.message
    await loop.until_settled()


# -- the sentinels decide


async def test_an_old_master_comes_back_as_a_replica(loop: Passes, whole: Lab) -> None:
    master = whole.master01
    with patient(*whole.replicas):
        master.run("systemctl stop redis")
        reading = await loop.read()
    assert [each for each in reading.todo.steps if isinstance(each.action, StartUnit)] == []
    assert reading.todo.waiting != ()
    await loop.until_settled(200)
    confirmed = (await loop.read()).verdict.master
    assert isinstance(confirmed, Confirmed)
    assert confirmed.host != master.name
    assert redis_conf.parse(conf(master)).get("slaveof") == f"{confirmed.address} 6379"
    await until(lambda: "master_link_status:up" in str(redis(master, "INFO", "replication")))


async def test_drift_mended_after_a_failover_leaves_the_roles(loop: Passes, whole: Lab) -> None:
    roles = {host.name: redis_conf.parse(conf(host)).get("slaveof") for host in whole.hosts}
    for host in whole.hosts:
        host.run("sed -i 's/^repl-timeout .*/repl-timeout 59/' /etc/redis.conf")
    await loop.until_settled()
    assert {host.name: redis_conf.parse(conf(host)).get("slaveof") for host in whole.hosts} == roles


async def test_a_cluster_that_is_stopped_is_started_with_what_it_has(loop: Passes, whole: Lab) -> None:
    before = (await loop.read()).verdict.master
    assert isinstance(before, Confirmed)
    redis(whole[before.host], "SET", "cold", "start")
    whole.at_once(lambda host: host.run("systemctl stop redis-sentinel"))  # before one can miss the master
    whole.at_once(lambda host: host.run("systemctl stop redis"))
    texts = {host.name: conf(host) for host in whole.hosts}
    reading = await loop.read()
    assert {type(each.action) for each in reading.todo.steps} == {StartUnit}
    await loop.until_settled(200)
    after = (await loop.read()).verdict.master
    assert after == before
    assert {host.name: conf(host) for host in whole.hosts} == texts
    assert redis(whole[before.host], "GET", "cold") == "start"


async def test_nothing_of_ours_is_left_behind_on_the_hosts(whole: Lab) -> None:
    for host in whole.hosts:
        assert host.run("find /etc /var/lib /tmp -name '*.rso-*'").stdout == ""
