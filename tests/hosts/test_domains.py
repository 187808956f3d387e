"""Replica priorities that follow the master's failure domain: in force, in files, and in what a failover chooses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hosts.operating import roles
from hosts.passes import Passes, settled_passes
from hosts.stepping import conf, redis, sentinel, until
from lab.hosts import Host
from lab.labs import Lab
from lab.seedcluster import MASTER_NAME

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    """The master and one replica in rack a, the other two replicas in rack b; as declared for others afterwards."""
    async with settled_passes(whole) as each:
        await each.until_settled()
        master, beside = await roles(each, whole)
        as_before = each.desired
        racks = {host.name: "a" if host in (master, beside) else "b" for host in whole.hosts}
        hosts = tuple(replace(host, failure_domain=racks[host.name]) for host in as_before.hosts)
        each.desired = replace(as_before, hosts=hosts)
        yield each
        each.desired = as_before
        await each.until_settled()
        assert {_priority(host) for host in whole.hosts} == {"100"}


async def test_a_replica_elsewhere_is_promoted_and_then_the_priorities_follow(loop: Passes, whole: Lab) -> None:
    master, beside = await roles(loop, whole)
    others = [host for host in whole.hosts if host not in (master, beside)]
    await loop.until_settled()
    assert _priorities(whole) == {master.name: "100", beside.name: "600"} | dict.fromkeys(_names(others), "100")
    assert "slave-priority 600" in conf(beside)
    await until(lambda: _seen(whole, beside) == {"600"})
    master.run("systemctl stop redis")
    await until(lambda: sentinel(whole.replicas[0], *_ASK) != [master.address, "6379"])
    await loop.until_settled()
    new, _ = await roles(loop, whole)
    assert new in others
    rest = next(host for host in others if host != new)
    wanted = {new.name: "100", rest.name: "600", master.name: "100", beside.name: "100"}
    assert _priorities(whole) == wanted
    assert (await loop.read()).todo.steps == ()


_ASK = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)


def _names(hosts: list[Host]) -> list[str]:
    return [host.name for host in hosts]


def _priorities(lab: Lab) -> dict[str, str]:
    return {host.name: _priority(host) for host in lab.hosts}


def _priority(host: Host) -> str:
    answer = redis(host, "CONFIG", "GET", "slave-priority")
    assert isinstance(answer, list)
    return str(answer[1])


def _seen(lab: Lab, replica: Host) -> set[str]:
    """What the sentinels have read of a replica's priority."""
    rows = [row for host in lab.replicas for row in sentinel(host, "SENTINEL", "SLAVES", MASTER_NAME)]  # type: ignore[attr-defined]
    shown = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
    return {each["slave-priority"] for each in shown if each["ip"] == replica.address}
