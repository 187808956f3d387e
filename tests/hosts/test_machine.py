"""The machine under redis on real hosts: their kernel takes somaxconn, and refuses what all machines of it share."""

from __future__ import annotations

from functools import partial

import pytest

from hosts.cutting import cut_short
from hosts.passes import Passes, settled_passes
from hosts.stepping import OF_THE_MACHINE, redis, stat, step, until
from lab.hosts import Host
from lab.kernel import at_next_boot, refuses
from lab.labs import Lab
from lab.observe import untouched
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.kernel import (
    HUGE_PAGES,
    HUGE_PAGES_FILE,
    HUGE_PAGES_TEXT,
    HUGE_PAGES_UNIT,
    OVERCOMMIT,
    SYSCTL_FILE,
    sysctl_text,
)
from redis_sentinel_operator.errors import SessionLost
from redis_sentinel_operator.judge.risks import risks
from redis_sentinel_operator.model.fact import Known, SentinelFacts, Unreached
from redis_sentinel_operator.model.step import AllowPorts, SetKernel
from redis_sentinel_operator.model.verdict import Finding

pytestmark = pytest.mark.timeout(240)
REFUSED = "/var/lib/redis-sentinel-operator/refused"
CUT = "table inet cut {{\n chain in {{\n  type filter hook input priority -5\n  {rule}\n }}\n}}\n"


def somaxconn(host: Host) -> str:
    return host.run("sysctl -n net.core.somaxconn").stdout.strip()


def linked(host: Host) -> bool:
    """Whether its redis is up and follows the master; right after a start nobody listens yet."""
    try:
        return "master_link_status:up" in str(redis(host, "INFO", "replication"))
    except ConnectionError:
        return False


def pid(host: Host) -> str:
    return host.run("systemctl show -p MainPID redis").stdout.strip()


async def test_what_the_kernel_refuses_is_written_noted_and_not_planned_again(loop: Passes, whole: Lab) -> None:
    for host in whole.hosts:
        assert host.run(f"cat {SYSCTL_FILE}").stdout == sysctl_text(None)
        boot = host.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()
        noted = host.run(f"cat {REFUSED}", check=False).stdout
        assert noted == f"{boot} {OVERCOMMIT}\n" or not refuses()
    reading = await loop.read()
    assert reading.todo.settled
    told = risks(loop.desired, reading.facts)
    assert told == (Finding(True, "AtNextBoot", at_next_boot()) if refuses() else None)


async def test_a_note_of_an_earlier_boot_counts_for_nothing(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    boot = "00000000-0000-4000-8000-000000000000"
    host.run(f"cat >{REFUSED}", stdin=f"{boot} {OVERCOMMIT}\n{boot} {HUGE_PAGES}\n")
    reading = await loop.read()
    assert [each.host for each in reading.todo.steps] == ([host.name] if refuses() else [])
    await loop.until_settled()
    assert not refuses() or boot not in host.run(f"cat {REFUSED}").stdout


async def test_a_short_queue_is_made_longer_now_and_for_the_next_boot(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    host.run("sysctl -q -w net.core.somaxconn=128")
    (done,) = await loop.until_settled()
    assert done.step.action == SetKernel(SYSCTL_FILE, sysctl_text(511), {"/proc/sys/net/core/somaxconn": "511"})
    assert somaxconn(host) == "511"
    host.run("sysctl -q -w net.core.somaxconn=128; systemctl restart systemd-sysctl", check=False)
    assert somaxconn(host) == "511", "what reads the file at boot did not take it"
    assert (await loop.read()).todo.settled


async def test_cut_off_after_the_file_the_next_pass_sets_the_kernel(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[1]
    host.run("sysctl -q -w net.core.somaxconn=128")
    assert (await loop.do(step(host, SetKernel(SYSCTL_FILE, sysctl_text(511), {})))).ok
    assert somaxconn(host) == "128"
    (done,) = await loop.until_settled()
    assert (done.step.host, done.step.why) == (host.name, "net.core.somaxconn is 128")
    assert somaxconn(host) == "511"


async def test_a_unit_that_the_kernel_refuses_does_not_keep_redis_from_starting(loop: Passes, whole: Lab) -> None:
    """EL7's way with huge pages; the lab's own are on `madvise`, and cannot be set."""
    host = whole.replicas[2]
    result = await loop.do(step(host, SetKernel(HUGE_PAGES_FILE, HUGE_PAGES_TEXT, {HUGE_PAGES: "never"})))
    assert (result.ok, result.message) == (
        True,
        f"{HUGE_PAGES_FILE} written; the kernel refuses transparent huge pages now, so it comes with the next boot",
    )
    before = pid(host)
    done = await loop.until_settled()
    assert [each.step.what for each in done] == [f"write {EL7.redis_drop_in}"]
    assert pid(host) == before
    assert HUGE_PAGES_UNIT in host.run("systemctl show -p Wants redis").stdout
    host.run("systemctl restart redis")
    told = f"journalctl --no-pager -u {HUGE_PAGES_UNIT}"  # it is wanted, and not waited for
    await until(lambda: "Read-only file system" in host.run(told).stdout)
    await until(partial(linked, host))
    assert (await loop.read()).todo.settled


async def test_limits_are_for_the_next_start_and_restart_nothing(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    text = host.run(f"cat {EL7.redis_drop_in}").stdout
    before = pid(host)
    host.run(f"cat >{EL7.redis_drop_in}", stdin=text.replace("0077", "0022").replace("10240", "4096"))
    host.run("systemctl daemon-reload; systemctl restart redis")
    restarted = pid(host)
    assert restarted != before
    (done,) = await loop.until_settled()
    assert done.step.what == f"write {EL7.redis_drop_in}"
    assert pid(host) == restarted
    told = host.run("systemctl show -p LimitNOFILE -p UMask redis").stdout.splitlines()
    assert sorted(told) == ["LimitNOFILE=10240", "UMask=0077"]
    host.run("systemctl restart redis; rm -f /var/lib/redis/dump.rdb")
    await until(partial(linked, host))
    assert redis(host, "SAVE") == "OK"
    assert stat(host, "/var/lib/redis/dump.rdb") == "600 redis:redis"


# -- SELinux, which no host of the lab has: the script alone, with a semanage that only writes its file

STORE = "/var/lib/selinux/targeted/active"
SEMANAGE = f"""\
#!/bin/sh
echo "$*" >>/run/semanage
case $2 in
-a) if [ "$7" = 26380 ]; then echo "ValueError: Port tcp/26380 already defined" >&2; exit 1; fi ;;
esac
mkdir -p {STORE} && echo "portcon $6 $7 system_u:object_r:$4:s0" >>{STORE}/ports.local
"""


async def test_ports_are_given_to_redis_by_semanage(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    host.run("cat >/usr/sbin/semanage; chmod 755 /usr/sbin/semanage", stdin=SEMANAGE)
    try:
        result = await loop.do(step(host, AllowPorts((6380, 26380))))
        assert (result.ok, result.message) == (True, "SELinux lets redis use 6380, 26380")
        asked = host.run("cat /run/semanage").stdout.splitlines()
        host.run(f"rm -r {STORE}")
        for after in (24, 26, 29, 31):
            with cut_short(loop.links[host.name], after), pytest.raises(SessionLost):
                await loop.do(step(host, AllowPorts((6380, 26380))))
        cut_off = host.run(f"cat {STORE}/ports.local", check=False).stdout
        again = await loop.do(step(host, AllowPorts((6380, 26380))))
        given = host.run(f"cat {STORE}/ports.local").stdout
        host.run(f"rm -r {STORE}; printf '#!/bin/sh\\necho ValueError: no policy >&2\\n' >/usr/sbin/semanage")
        refused = await loop.do(step(host, AllowPorts((6380,))))
    finally:
        host.run("rm -rf /usr/sbin/semanage /run/semanage /var/lib/selinux")
    assert asked == [
        "port -a -t redis_port_t -p tcp 6380",
        "port -a -t redis_port_t -p tcp 26380",
        "port -m -t redis_port_t -p tcp 26380",
    ]
    assert "26380" not in cut_off, "no cut left the second port undone"
    assert again.ok
    assert "tcp 6380 " in given and "tcp 26380 " in given
    assert (refused.ok, refused.message) == (
        False,
        "SELinux does not let redis use port 6380: ValueError: no policy",
    )


# -- asked at length


async def test_hosts_that_reach_each_other_say_so_and_are_not_touched(loop: Passes, whole: Lab) -> None:
    reading = await loop.read()
    with untouched(*whole.hosts, but=OF_THE_MACHINE):
        found = await loop.survey()
    ids = set()
    for host in whole.hosts:
        told, seen = found[host.name], reading.facts.hosts[host.name].sentinel
        assert isinstance(told, Known) and isinstance(seen, Known)
        assert (told.value.unreached, told.value.restart, told.value.ports) == ((), "no", None)
        assert told.value.listens >= ({6379} if host == whole.master01 else {6379, 26379})
        assert told.value.free is not None and told.value.free > 2**20
        assert told.value.ahead[0] < 0.1 and told.value.ahead[1] > -0.1, "it is the same clock"
        ids |= {(seen.value.my_id[:8], host.address)} if isinstance(seen.value, SentinelFacts) else set()
        assert told.value.sentinels == frozenset() or host == whole.master01
    master = found[whole.master01.name]
    assert isinstance(master, Known)
    assert master.value.sentinels == ids


@pytest.mark.parametrize(
    ("port", "verdict", "why"),
    [
        (26379, "drop", "no answer within 2 s"),
        (26379, "reject with icmpx type admin-prohibited", "No route to host"),
        (6379, "reject with icmpx type admin-prohibited", "No route to host"),
    ],
)
async def test_a_port_that_is_closed_to_a_peer_is_found_by_it(
    loop: Passes, whole: Lab, port: int, verdict: str, why: str
) -> None:
    """Only new connections: those of the sentinels go on."""
    host, peer = whole.replicas[0], whole.replicas[1]
    rule = f"ip saddr {peer.address} tcp dport {port} ct state new {verdict}"
    host.run("nft -f -", stdin=CUT.format(rule=rule))
    try:
        found = await loop.survey()
    finally:
        host.run("nft delete table inet cut")
    unreached = {name: fact.value.unreached for name, fact in found.items() if isinstance(fact, Known)}
    nobody: tuple[Unreached, ...] = ()
    assert unreached == {each.name: nobody for each in whole.hosts} | {peer.name: (Unreached(host.address, port, why),)}


async def test_a_unit_that_restarts_by_itself_is_told(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    folder = "/etc/systemd/system/redis.service.d"
    host.run(f"printf '[Service]\\nRestart=always\\n' >{folder}/by-hand.conf; systemctl daemon-reload")
    try:
        found = await loop.survey()
    finally:
        host.run(f"rm {folder}/by-hand.conf; systemctl daemon-reload")
    told = {name: fact.value.restart for name, fact in found.items() if isinstance(fact, Known)}
    assert told == {each.name: "no" for each in whole.hosts} | {host.name: "always"}


async def test_a_unit_of_another_name_that_restarts_its_redis_is_told(loop: Passes, whole: Lab) -> None:
    """A sentinel that is restarted costs no data: it is none of those, though it is a redis-server too."""
    hand_made, sentinel = whole.replicas[0], whole.replicas[1]
    conf = f"sentinel monitor other {sentinel.address} 7000 1"
    start = "systemd-run -q --collect -p Restart=on-failure --unit by-hand"
    hand_made.run(f"{start} redis-server --port 7000 --save ''")
    sentinel.run(f"echo '{conf}' >/tmp/by-hand.conf; {start} redis-server /tmp/by-hand.conf --sentinel --port 7001")
    try:
        await until(lambda: all(":700" in host.run("ss -ltn").stdout for host in (hand_made, sentinel)))
        found = await loop.survey()
        assert all("redis-server" in host.run("pgrep -a redis-server").stdout for host in (hand_made, sentinel))
    finally:
        for host in (hand_made, sentinel):
            host.run("systemctl stop by-hand; rm -f /tmp/by-hand.conf")
    told = {name: fact.value.restart for name, fact in found.items() if isinstance(fact, Known)}
    assert told == {each.name: "no" for each in whole.hosts} | {hand_made.name: "on-failure"}


@pytest.mark.long
async def test_where_nothing_is_kept_a_restart_that_a_person_asked_for_is_overruled(whole: Lab) -> None:
    """A redis that comes back by itself would be empty, and its replicas would copy that."""
    host, by_hand = whole.replicas[0], "/etc/systemd/system/redis.service.d/by-hand.conf"
    host.run(f"printf '[Service]\\nRestart=always\\n' >{by_hand}; systemctl daemon-reload")
    before = {each.name: pid(each) for each in whole.hosts}
    config = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}
    try:
        assert restarts(host) == "always"
        off = {**config, "save": "", "appendonly": "no"}
        async with settled_passes(whole, redis_config=off, no_persistence=True) as loop:
            await loop.until_settled()
        assert {each.name: restarts(each) for each in whole.hosts} == {each.name: "no" for each in whole.hosts}
        host.run("systemctl kill -s KILL redis; sleep 1")
        assert host.run("systemctl is-active redis", check=False).stdout == "failed\n"
    finally:
        host.run(f"rm {by_hand}; systemctl daemon-reload")
        async with settled_passes(whole, redis_config={**config, "save": "900 1"}) as loop:
            await loop.until_settled()
    await until(partial(linked, host))
    after = {each.name: pid(each) for each in whole.hosts}
    assert {name for name in before if before[name] != after[name]} == {host.name}


def restarts(host: Host) -> str:
    return host.run("systemctl show -p Restart redis").stdout.strip().removeprefix("Restart=")


async def test_more_clients_than_files_wait_for_a_start_that_nobody_does_for_them(whole: Lab) -> None:
    before = {host.name: pid(host) for host in whole.hosts}
    config = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60", "maxclients": "15000"}
    async with settled_passes(whole, redis_config=config) as loop:
        await loop.until_settled()
        reading = await loop.read()
        for host in whole.hosts:
            assert "LimitNOFILE=15240" in host.run(f"cat {EL7.redis_drop_in}").stdout
            assert [(each.key, each.pending_restart) for each in reading.todo.drift[host.name]] == [
                ("maxclients", True)
            ]
        assert {host.name: pid(host) for host in whole.hosts} == before
        replica = whole.replicas[0]
        replica.run("systemctl restart redis")
        await until(partial(linked, replica))
        assert redis(replica, "CONFIG", "GET", "maxclients") == ["maxclients", "15000"]
        assert replica.name not in (await loop.read()).todo.drift
