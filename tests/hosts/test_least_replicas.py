"""minReplicasToWrite on hosts: in force and in files, a switchover keeps it, and removed it is as before."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import pytest

from hosts.operating import Operator, roles
from hosts.passes import Passes, set_up, settled_passes
from hosts.stepping import conf, redis, until
from lab.hosts import Host
from lab.labs import Lab, hosts_lab
from lab.resp import RespError
from lab.workers import worker_lab
from redis_sentinel_operator.operations.move import Wish

pytestmark = pytest.mark.timeout(180)
KINDS_LAB = os.environ.get("KINDS_LAB", "kinds 192.168.160.0/24").split()
ASKED = {"min-slaves-max-lag": "10", "min-slaves-to-write": "1"}


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    """A cluster whose writes need a replica; as declared for the others afterwards."""
    async with settled_passes(whole) as each:
        await each.until_settled()
        before = {host.name: (conf(host).count("min-slaves"), _least(host)) for host in whole.hosts}
        as_before = each.desired
        each.desired = replace(as_before, redis_config={**as_before.redis_config, **ASKED})
        yield each
        each.desired = as_before
        await each.until_settled()
        assert {host.name: (conf(host).count("min-slaves"), _least(host)) for host in whole.hosts} == before


async def test_a_master_without_replicas_takes_no_writes_and_a_switchover_keeps_that(loop: Passes, whole: Lab) -> None:
    await loop.until_settled()
    master, new = await roles(loop, whole)
    assert {_least(host) for host in whole.hosts} == {"1"}
    assert all("min-slaves-to-write 1" in conf(host) for host in whole.hosts)
    await until(lambda: redis(new, "ROLE")[3] == "connected")  # type: ignore[index]
    act = await Operator(loop).run(Wish("switchover", new.name, "2026-01-31T12:00:00Z"))
    assert act["result"] == "Done", act
    await loop.until_settled()
    assert {_least(host) for host in whole.hosts} == {"1"}
    await until(lambda: not _refuses(new))
    others = [host for host in whole.hosts if host != new]
    for host in others:
        host.run("systemctl stop redis")
    await until(lambda: _refuses(new))
    await loop.until_settled()
    await until(lambda: not _refuses(new))
    assert master in others


@pytest.fixture(scope="module", params=["el8", "el10"])
def newer(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The seed's cluster on four hosts of a family whose replicas go on at once after a failover."""
    with hosts_lab(worker_lab(*KINDS_LAB, families=(request.param,))) as lab:
        set_up(lab)
        yield lab


@pytest.mark.long
async def test_without_a_word_in_the_spec_a_write_needs_a_replica_where_that_costs_little(newer: Lab) -> None:
    """In force and in files from the set-up on; away while a single replica is left, and 0 is none."""
    async with settled_passes(newer) as loop:
        await loop.until_settled()
        master, _ = await roles(loop, newer)
        assert {_least(host) for host in newer.hosts} == {"1"}
        assert all("min-slaves-to-write 1" in conf(host).replace("replicas", "slaves") for host in newer.hosts)
        await until(lambda: not _refuses(master))
        as_before = loop.desired
        others = [host.name for host in newer.hosts if host != master]
        single = tuple(replace(host, redis=host.name not in others[1:]) for host in as_before.hosts)
        loop.desired = replace(as_before, hosts=single)
        await loop.until_settled()
        assert _least(master) == "0"
        loop.desired = replace(as_before, redis_config={**as_before.redis_config, "min-slaves-to-write": "0"})
        await loop.until_settled()
        assert {_least(host) for host in newer.hosts} == {"0"}
        loop.desired = as_before
        await loop.until_settled()
        for host in newer.hosts:
            if host != master:
                host.run(f"systemctl stop {host.family.redis.name}")
        await until(lambda: _refuses(master))
        await loop.until_settled()
        await until(lambda: not _refuses(master))


def _least(host: Host) -> str:
    answer = redis(host, "CONFIG", "GET", "min-slaves-to-write")
    assert isinstance(answer, list)
    return str(answer[1])


def _refuses(host: Host) -> bool:
    try:
        redis(host, "SET", "a", "1")
    except RespError as error:
        return "NOREPLICAS" in str(error)
    return False
