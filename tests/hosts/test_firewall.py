"""Who can connect: proved by connects from the other hosts and from this machine, now, after a reload and a reboot."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from functools import partial

import pytest

from hosts.passes import set_up, settled_passes
from hosts.stepping import OF_THE_MACHINE, until
from hosts.test_observe import without
from lab.hosts import Host
from lab.iptables import use_iptables
from lab.labs import Lab
from lab.namespaces import in_network_of
from lab.observe import untouched
from redis_sentinel_operator.conf.iptables import CHAIN
from redis_sentinel_operator.model.step import EditFirewalld

pytestmark = pytest.mark.timeout(180)

REDIS, SENTINEL, SSH = 6379, 26379, 22
NOTED = "/var/lib/redis-sentinel-operator/firewall"


@pytest.fixture(scope="module")
def installed(lab_hosts: Lab) -> Lab:
    """The seed's cluster; the first replica has iptables-services instead of firewalld."""
    lab_hosts.reset()
    use_iptables(lab_hosts.replicas[0])

    set_up(lab_hosts)
    return lab_hosts


@pytest.fixture
async def whole(installed: Lab) -> Lab:
    """The cluster with its ports open to anybody, whatever the test before left."""
    async with settled_passes(installed) as loop:
        await loop.until_settled()
    return installed


def connects(target: Host, port: int, *, by: str = "") -> bool:
    """Whether a connection of this machine, from its address `by`, is let in."""
    return connects_to(target.address, port, by=by)


def connects_to(address: str, port: int, *, by: str = "") -> bool:
    """Whether a connection to an address, of either family, is let in."""
    try:
        with socket.create_connection((address, port), timeout=2, source_address=(by, 0) if by else None):
            return True
    except OSError:
        return False


def reaches(source: Host, target: Host, port: int) -> bool:
    """Whether a connection from one host to another is let in."""
    leader = source.leader
    assert leader is not None
    return in_network_of(leader.pid, partial(connects, target, port))


def who_reaches(lab: Lab, target: Host) -> dict[str, set[int]]:
    """Which ports of a host are open to each other host, to a declared client, and to a stranger."""
    ports = (REDIS, SENTINEL, SSH)
    found = {
        source.name: {port for port in ports if reaches(source, target, port)}
        for source in lab.hosts
        if source != target
    }
    for name, by in (("client", lab.config.client_address), ("stranger", lab.config.bridge_address)):
        found[name] = {port for port in ports if connects(target, port, by=by)}
    return found


def narrow(lab: Lab, target: Host, *, client: bool = True) -> dict[str, set[int]]:
    """What the spec says with one client: strangers have SSH, a host without a sentinel no sentinels."""
    both = {REDIS, SENTINEL, SSH}
    peers = {host.name: both if host != lab.master01 else {REDIS, SSH} for host in lab.hosts if host != target}
    return peers | {"client": both if client else {SSH}, "stranger": {SSH}}


def wide(lab: Lab, target: Host) -> dict[str, set[int]]:
    """What the spec says without clients: everybody."""
    return {name: {REDIS, SENTINEL, SSH} for name in narrow(lab, target)}


async def serves(host: Host) -> None:
    await until(lambda: reaches(host, host, REDIS) and reaches(host, host, SENTINEL))


async def reboot(host: Host) -> None:
    await asyncio.to_thread(host.shut_down)
    await asyncio.to_thread(host.boot)
    # firewalld is active to systemd before its rules are in force; it answers after that.
    up = "firewall-cmd -q --state || systemctl is-active -q iptables"
    await until(lambda: host.run(up, check=False).returncode == 0)
    await serves(host)


def rules(host: Host, where: str = "") -> str:
    return host.run(f"firewall-cmd {where} --list-all").stdout


# -- firewalld


async def test_clients_and_peers_only_now_after_a_reload_and_after_a_reboot(whole: Lab) -> None:
    target = whole.replicas[1]
    before = rules(target), rules(target, "--permanent")
    assert who_reaches(whole, target) == wide(whole, target)
    async with settled_passes(whole, clients=(f"{whole.config.client_address}/32",)) as loop:
        done = [each.step.what for each in await loop.until_settled() if each.step.host == target.name]
        assert [what.split(" to ")[0] for what in done] == [
            "open 6379/tcp",
            "close 6379/tcp, 26379/tcp in firewalld in zone public",
        ]
        assert (await loop.read()).verdict.preflight.ok
        assert who_reaches(whole, target) == narrow(whole, target)
        target.run("firewall-cmd -q --reload")
        assert who_reaches(whole, target) == narrow(whole, target)
        assert (await loop.read()).todo.settled
        await reboot(target)
        assert who_reaches(whole, target) == narrow(whole, target)
        await loop.until_settled()
    async with settled_passes(whole, clients=()) as loop:
        assert len([each for each in await loop.until_settled() if each.step.host == target.name]) == 1
        assert who_reaches(whole, target) == narrow(whole, target, client=False)
    async with settled_passes(whole) as loop:
        await loop.until_settled()
    assert who_reaches(whole, target) == wide(whole, target)
    assert (rules(target), rules(target, "--permanent")) == before
    noted = target.run(f"stat -c %a {NOTED}; cat {NOTED}").stdout.split("\n")
    assert noted == [
        "600",
        *(f"{where} public {port}/tcp" for where in ("permanent", "runtime") for port in (26379, 6379)),
        "",
    ]


async def test_what_others_opened_is_told_and_closed_only_exclusively(whole: Lab) -> None:
    target = whole.replicas[1]
    target.run("firewall-cmd -q --add-port=6000-7000/tcp; firewall-cmd -q --permanent --add-service=redis")
    target.run(f"sed -i '/permanent .* 6379.tcp/d' {NOTED}")  # as if a person had opened that
    async with settled_passes(whole, clients=()) as loop:
        await loop.until_settled()
        finding = (await loop.read()).verdict.preflight
        assert (finding.ok, finding.reason) == (False, "FirewallWider")
        said = f"{target.name}: zone public of firewalld has `6000-7000/tcp`, `6379/tcp`, `service redis`."
        assert said in finding.message
        assert target.run("firewall-cmd --list-ports").stdout.split() == ["6000-7000/tcp"]  # not split by us
        assert connects(target, REDIS)
        assert not connects(target, SENTINEL)
    async with settled_passes(whole, clients=(), firewall_exclusive=True) as loop:
        done = [each.step for each in await loop.until_settled() if each.step.host == target.name]
        assert [(each.what, each.why) for each in done] == [
            (
                "close 6379/tcp, service redis in firewalld in zone public",
                "others opened it, and spec.firewall.exclusive is true",
            )
        ]
        assert "`6000-7000/tcp`." in (await loop.read()).verdict.preflight.message
        target.run("firewall-cmd -q --remove-port=6000-7000/tcp")
        assert (await loop.read()).verdict.preflight.ok
        assert who_reaches(whole, target) == narrow(whole, target, client=False)
    async with settled_passes(whole) as loop:
        await loop.until_settled()


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(0, id="noted only", marks=pytest.mark.long),
        pytest.param(1, id="one is open", marks=pytest.mark.long),
        pytest.param(2, id="one is closed"),
    ],
)
async def test_a_change_that_was_cut_is_finished_and_nothing_of_ours_is_left(whole: Lab, after: int) -> None:
    target = whole.replicas[2]
    before = rules(target), rules(target, "--permanent")
    async with settled_passes(whole, clients=()) as loop:
        opens, closes = [each.action for each in (await loop.read()).todo.steps if each.host == target.name]
        assert isinstance(opens, EditFirewalld)
        assert isinstance(closes, EditFirewalld)
        adds = {0: (), 1: opens.add[:1]}.get(after, opens.add)
        target.run(f"cat >>{NOTED}", stdin="".join(f"{rule}\n" for rule in opens.add))
        steps = [EditFirewalld(add=adds)] if adds else []
        steps += [EditFirewalld(remove=closes.remove[:1])] if after == 2 else []
        mine = next(each for each in (await loop.read()).todo.steps if each.host == target.name)
        for action in steps:
            assert (await loop.do(replace(mine, action=action))).ok
        await loop.until_settled()
        assert who_reaches(whole, target) == narrow(whole, target, client=False)
    async with settled_passes(whole) as loop:
        await loop.until_settled()
    assert (rules(target), rules(target, "--permanent")) == before


async def test_firewallds_own_client_does_it_where_the_bus_does_not(whole: Lab) -> None:
    target = whole.replicas[2]
    before = rules(target), rules(target, "--permanent")
    with without(target, "busctl"):
        async with settled_passes(whole, clients=()) as loop:
            await loop.until_settled()
        assert who_reaches(whole, target) == narrow(whole, target, client=False)
    async with settled_passes(whole) as loop:
        await loop.until_settled()
    assert (rules(target), rules(target, "--permanent")) == before


async def test_what_was_opened_in_a_zone_that_is_gone_is_forgotten(whole: Lab) -> None:
    target = whole.replicas[2]
    lines = "permanent gone 6379/tcp\nruntime gone 6379/tcp\n"
    target.run(f"cat >>{NOTED}", stdin=lines)
    async with settled_passes(whole) as loop:
        (step,) = [each.step for each in await loop.until_settled()]
    assert step.what == "close 6379/tcp in firewalld in zone gone"
    assert "gone" not in target.run(f"cat {NOTED}").stdout


async def test_a_zone_that_takes_over_the_interface_gets_the_rules_and_the_other_loses_them(whole: Lab) -> None:
    target = whole.replicas[2]
    change = "firewall-cmd -q --zone={0} --change-interface=host0"
    move = f"{change}; {change} --permanent"
    target.run(move.format("internal"))
    async with settled_passes(whole) as loop:
        await loop.until_settled()
        assert "6379/tcp" in target.run("firewall-cmd --zone=internal --list-ports").stdout
        assert target.run("firewall-cmd --zone=public --list-ports").stdout.strip() == ""
        assert who_reaches(whole, target) == wide(whole, target)
        target.run(move.format("public"))
        await loop.until_settled()
    assert target.run("firewall-cmd --permanent --zone=internal --list-ports").stdout.strip() == ""
    target.run("firewall-cmd -q --permanent --zone=public --remove-interface=host0")


async def test_to_look_changes_nothing(whole: Lab) -> None:
    async with settled_passes(whole, clients=(), management="Observe") as loop:
        await loop.read()
        with untouched(*whole.replicas[:2], but=OF_THE_MACHINE):
            todo = (await loop.read()).todo
    assert {each.host for each in todo.steps} == {host.name for host in whole.hosts}


# -- iptables


def saved(host: Host) -> list[str]:
    return host.run("cat /etc/sysconfig/iptables").stdout.splitlines()


def of_others(lines: list[str]) -> list[str]:
    return [line for line in lines if CHAIN not in line]


async def test_iptables_lets_in_peers_and_clients_now_after_a_restart_and_after_a_reboot(whole: Lab) -> None:
    target = whole.replicas[0]
    shipped = (whole.replicas[0].root / "etc/sysconfig/iptables").read_text().splitlines()
    assert who_reaches(whole, target) == wide(whole, target)
    async with settled_passes(whole, clients=(f"{whole.config.client_address}/32",)) as loop:
        await loop.until_settled()
        assert who_reaches(whole, target) == narrow(whole, target)
        target.run("systemctl restart iptables")
        assert who_reaches(whole, target) == narrow(whole, target)
        assert (await loop.read()).todo.settled
        await reboot(target)
        assert who_reaches(whole, target) == narrow(whole, target)
        await loop.until_settled()
        assert of_others(saved(target)) == of_others(shipped)
        assert target.run("stat -c '%a %U:%G' /etc/sysconfig/iptables").stdout.strip() == "600 root:root"
    async with settled_passes(whole) as loop:
        await loop.until_settled()
    assert who_reaches(whole, target) == wide(whole, target)
    assert of_others(saved(target)) == of_others(shipped)


async def test_iptables_rules_of_others_are_told_and_overruled_only_exclusively(whole: Lab) -> None:
    target = whole.replicas[0]
    target.run("iptables -w -I INPUT 1 -p tcp --dport 6379 -j ACCEPT")
    before = of_others(target.run("iptables -w -S").stdout.splitlines())
    async with settled_passes(whole, clients=()) as loop:
        await loop.until_settled()
        finding = (await loop.read()).verdict.preflight
        assert (finding.ok, finding.reason) == (False, "FirewallWider")
        assert f"{target.name}: iptables has `-A INPUT -p tcp -m tcp --dport 6379 -j ACCEPT`" in finding.message
        assert connects(target, REDIS)
    async with settled_passes(whole, clients=(), firewall_exclusive=True) as loop:
        await loop.until_settled()
        assert (await loop.read()).verdict.preflight.ok
        assert who_reaches(whole, target) == narrow(whole, target, client=False)
        assert reaches(target, target, REDIS)
        assert of_others(target.run("iptables -w -S").stdout.splitlines()) == before
    target.run("iptables -w -D INPUT -p tcp --dport 6379 -j ACCEPT")
    async with settled_passes(whole) as loop:
        await loop.until_settled()


@pytest.mark.parametrize(
    "broken",
    [
        "iptables -w -F",
        pytest.param("iptables -w -D INPUT -p tcp -j", marks=pytest.mark.long),
        pytest.param("iptables -w -A INPUT -p tcp -j", marks=pytest.mark.long),
    ],
)
async def test_a_chain_that_others_cut_off_is_put_back(whole: Lab, broken: str) -> None:
    target = whole.replicas[0]
    if " -A " in broken:  # behind the rule that denies everything
        target.run(f"iptables -w -D INPUT -p tcp -j {CHAIN}")
    target.run(f"{broken} {CHAIN}")
    async with settled_passes(whole) as loop:
        (step,) = [each.step for each in await loop.until_settled()]
        assert step.what == f"open 6379/tcp, 26379/tcp in iptables (chain {CHAIN})"
    assert who_reaches(whole, target) == wide(whole, target)
    assert target.run("iptables -w -S INPUT").stdout.count(CHAIN) == 1


async def test_a_file_that_iptables_cannot_read_is_not_made_worse(whole: Lab) -> None:
    target = whole.replicas[0]
    good = "\n".join(saved(target)) + "\n"
    target.run(f"sed -i -e '/{CHAIN}/d' -e 's/^-A INPUT -i lo .*/-A INPUT --nonsense/' /etc/sysconfig/iptables")
    before = saved(target)
    async with settled_passes(whole) as loop:
        _, (result,) = await loop.once()
        assert not result.ok
        assert "iptables-restore --test refuses the new text" in result.message
        assert saved(target) == before
        target.run("cat >/etc/sysconfig/iptables", stdin=good)
        assert (await loop.read()).todo.settled
