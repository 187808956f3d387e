"""A cluster whose hosts have IPv6 addresses: set up, failed over, and let in by firewalld and by ip6tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial

import pytest

from hosts.passes import Passes, Reading, passes, seed
from hosts.stepping import until
from hosts.test_firewall import REDIS, SENTINEL, SSH, connects_to
from lab.hosts import Host
from lab.iptables import use_iptables
from lab.labs import Lab
from lab.machine import run
from lab.namespaces import in_network_of
from redis_sentinel_operator.conf.iptables import CHAIN
from redis_sentinel_operator.model.desired import DesiredHost
from redis_sentinel_operator.model.verdict import Confirmed

pytestmark = pytest.mark.timeout(240)

CONFIG = {"repl-ping-slave-period": "10", "repl-timeout": "60"}  # no bind: all of the family then


def v6(lab: Lab, last: str) -> str:
    """The address of the lab's own network that ends like this; fd00::/8 is for whoever wants some."""
    return f"fd00:{lab.config.subnet.network_address.packed[2]:x}::{last}"


def of(lab: Lab, host: Host) -> str:
    return v6(lab, host.address.rpartition(".")[2])


@pytest.fixture(scope="module")
def dual(lab_hosts: Lab) -> Iterator[Lab]:
    """Bare hosts with an IPv6 address beside the other, by which SSH goes; the first replica has ip6tables."""
    lab_hosts.reset()
    use_iptables(lab_hosts.replicas[0])
    for host in lab_hosts.hosts:
        host.run("mkdir -p /etc/systemd/network/10-host0.network.d")
        host.run(
            "cat >/etc/systemd/network/10-host0.network.d/ipv6.conf && networkctl reload",
            stdin=f"[Network]\nAddress={of(lab_hosts, host)}/64\nIPv6AcceptRA=no\n",
        )
    ours = [f"{v6(lab_hosts, last)}/64" for last in ("1", "2")]
    for address in ours:
        run(["ip", "-6", "address", "add", address, "dev", lab_hosts.config.bridge, "nodad"])
    yield lab_hosts
    for address in ours:
        run(["ip", "-6", "address", "del", address, "dev", lab_hosts.config.bridge])


@pytest.fixture
async def loop(dual: Lab) -> AsyncIterator[Passes]:
    async with passes(dual, hosts=declared(dual), redis_config=CONFIG) as each:
        yield each


def declared(lab: Lab) -> tuple[DesiredHost, ...]:
    return tuple(replace(each, address=of(lab, lab[each.name])) for each in seed(lab).hosts)


def who_reaches(lab: Lab, target: Host) -> dict[str, set[int]]:
    """Which ports of a host are open over IPv6 to the others, to a declared client, and to a stranger."""
    ports = (REDIS, SENTINEL)
    found: dict[str, set[int]] = {}
    for source in lab.hosts:
        leader = source.leader
        assert leader is not None
        if source != target:
            found[source.name] = {
                port for port in ports if in_network_of(leader.pid, partial(connects_to, of(lab, target), port))
            }
    for name, last in (("client", "2"), ("stranger", "1")):
        found[name] = {port for port in ports if connects_to(of(lab, target), port, by=v6(lab, last))}
    return found


def narrow(lab: Lab, target: Host) -> dict[str, set[int]]:
    """What the spec says with one client."""
    peers = {host.name: {REDIS, SENTINEL} if host != lab.master01 else {REDIS} for host in lab.hosts if host != target}
    return peers | {"client": {REDIS, SENTINEL}, "stranger": set()}


async def replicated(loop: Passes) -> Reading:
    """A reading once all replicas are in touch with the master; a plan does not wait for what they get from it."""
    async with asyncio.timeout(60):
        while True:
            reading = await loop.read()
            if reading.verdict.replication.ok:
                return reading
            await asyncio.sleep(0.5)


async def test_it_is_set_up_failed_over_and_healed(loop: Passes, dual: Lab) -> None:
    await loop.until_settled()
    reading = await replicated(loop)
    assert reading.verdict.master == Confirmed(dual.master01.name, of(dual, dual.master01), 6379, 0)
    dual.master01.run("systemctl kill -s KILL redis; while systemctl -q is-active redis; do sleep 0.1; done")
    await loop.until_settled(200)
    reading = await replicated(loop)
    assert isinstance(reading.verdict.master, Confirmed)
    assert reading.verdict.master.host != dual.master01.name
    assert f"slaveof {reading.verdict.master.address} 6379" in dual.master01.run("cat /etc/redis.conf").stdout


@pytest.mark.parametrize(
    "number", [pytest.param(0, id="ip6tables"), pytest.param(1, id="firewalld", marks=pytest.mark.long)]
)
async def test_clients_and_peers_only_now_after_a_reload_and_after_a_reboot(
    loop: Passes, dual: Lab, number: int
) -> None:
    target = dual.replicas[number]
    await loop.until_settled()
    assert all(ports == {REDIS, SENTINEL} for ports in who_reaches(dual, target).values())
    loop.desired = replace(loop.desired, clients=(f"{v6(dual, '2')}/128",))
    done = [each.step.what for each in await loop.until_settled() if each.step.host == target.name]
    assert done
    assert who_reaches(dual, target) == narrow(dual, target)
    target.run("systemctl restart ip6tables" if number == 0 else "firewall-cmd -q --reload")
    assert who_reaches(dual, target) == narrow(dual, target)
    assert (await loop.read()).todo.settled
    await asyncio.to_thread(target.shut_down)
    await asyncio.to_thread(target.boot)
    await until(lambda: who_reaches(dual, target) == narrow(dual, target))
    await loop.until_settled(200)
    if number == 0:
        assert CHAIN in target.run("cat /etc/sysconfig/ip6tables").stdout
        assert CHAIN not in target.run("cat /etc/sysconfig/iptables").stdout
    assert connects_to(target.address, SSH)
    loop.desired = replace(loop.desired, clients=None)
    await loop.until_settled()
    assert all(ports == {REDIS, SENTINEL} for ports in who_reaches(dual, target).values())
