"""What is only told, found on real hosts: room for the data, a sentinel that is a stranger, another version."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hosts.declaring import declare
from hosts.passes import Passes, find_each_other
from hosts.stepping import OF_THE_MACHINE, sentinel, until
from lab.faults import fill_disk
from lab.hosts import Host
from lab.labs import Lab
from lab.observe import untouched
from lab.seedcluster import MASTER_NAME, PASSWORD
from redis_sentinel_operator.judge.risks import risks
from redis_sentinel_operator.model.desired import PackageWish
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.verdict import Confirmed, Finding

pytestmark = pytest.mark.timeout(240)
GIB = 2**30
STRANGER = f"""\
port 26380
daemonize yes
pidfile /run/stranger.pid
dir /tmp
sentinel monitor {MASTER_NAME} {{master}} 6379 2
sentinel auth-pass {MASTER_NAME} {PASSWORD}
"""


async def found(loop: Passes) -> Finding:
    """All that is told of the hosts as they are, asked at length too."""
    reading = await loop.read()
    asked = await loop.survey()
    hosts = {name: replace(facts, survey=asked[name]) for name, facts in reading.facts.hosts.items()}
    return risks(loop.desired, ClusterFacts(hosts, reading.facts.at)) or Finding(True, "", "")


async def test_a_disk_that_does_not_hold_what_is_declared(loop: Passes, whole: Lab) -> None:
    small = whole.replicas[0]
    assert (await found(loop)).ok
    with fill_disk(small, size="64m") as disk:
        disk.empty()
        declare(loop, {"maxmemory": "200mb"})
        await loop.until_settled()
        told = await found(loop)
        assert (told.ok, told.reason) == (False, "DiskTooSmall")
        assert f"fill the disk: {small.name}: its data may be 200 MiB, and 64 MiB are free." in told.message
    declare(loop, {})
    await loop.until_settled()
    assert (await found(loop)).ok


async def test_memory_that_does_not_hold_what_is_declared(loop: Passes, whole: Lab) -> None:
    """The hosts of a lab have the memory of the machine that they are on, each of them all of it."""
    assert (await found(loop)).ok
    limit = memory(whole.master01, "MemTotal") + GIB
    declare(loop, {"maxmemory": str(limit)})
    await loop.until_settled()
    around = [memory(whole.master01, "MemAvailable")]  # what else runs on the machine takes and gives some
    told = risks(loop.desired, (await loop.read()).facts)
    around.append(memory(whole.master01, "MemAvailable"))
    assert told is not None
    assert (told.ok, told.reason) == (False, "MemoryTooSmall")
    beginning, *rest = re.split(r"its data may be ([0-9.]+) GiB, and ([0-9.]+) GiB are left for it", told.message)
    assert beginning == "Memory may run out: all hosts: " or all(host.name in told.message for host in whole.hosts)
    assert set(rest[::3]) == {f"{limit / GIB:.1f}"}
    least, most = min(around) / GIB, max(around) / GIB
    assert all(least - 1 < float(each) < most + 1 for each in rest[1::3]), (rest, around)
    assert rest[-1].startswith(
        ". While redis saves, pages that are written exist twice. The operator changes nothing about it. Give the "
        "machine more memory, or set a smaller maxmemory."
    )
    declare(loop, {})
    await loop.until_settled()
    assert (await found(loop)).ok


def memory(host: Host, name: str) -> int:
    """What the kernel of a host says, in bytes."""
    return 1024 * int(host.run(f"sed -n 's/^{name}: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo").stdout)


async def test_a_sentinel_of_nobody_that_watches_the_master(loop: Passes, whole: Lab) -> None:
    """On the host that is declared without one, started by hand."""
    host = whole.master01
    master = (await loop.read()).verdict.master
    assert isinstance(master, Confirmed)
    host.run("cat >/tmp/stranger.conf", stdin=STRANGER.format(master=master.address))
    host.run("redis-sentinel /tmp/stranger.conf")
    try:
        await until(lambda: known(whole.replicas[0]) == 3)
        told = await found(loop)
    finally:
        gone = "while kill -0 $pid 2>/dev/null; do sleep 0.1; done"  # it says hello until it is
        host.run(f"pid=$(cat /run/stranger.pid); kill $pid; {gone}; rm -f /tmp/stranger.conf")
        for each in whole.replicas:
            sentinel(each, "SENTINEL", "RESET", MASTER_NAME)
    assert (told.ok, told.reason) == (False, "ForeignSentinels")
    assert host.address in told.message
    assert find_each_other(whole)
    await loop.until_settled()
    assert (await found(loop)).ok


def known(host: Host) -> int:
    """How many other sentinels one knows."""
    words = sentinel(host, "SENTINEL", "MASTER", MASTER_NAME)
    assert isinstance(words, list)
    return int(words[words.index("num-other-sentinels") + 1])


async def test_another_version_than_the_declared_one_is_told_and_nothing_is_changed(loop: Passes, whole: Lab) -> None:
    wishes = {whole.replicas[0].name: PackageWish(version="3.2.5")}
    loop.desired = replace(
        loop.desired,
        hosts=tuple(replace(each, package=wishes.get(each.name, each.package)) for each in loop.desired.hosts),
    )
    declare(loop, {"slowlog-max-len": "300"})
    with untouched(*whole.hosts, but=OF_THE_MACHINE):
        reading, results = await loop.once()
    refusal = reading.todo.refusal
    assert results == [] and reading.todo.steps == ()
    assert refusal is not None
    assert (refusal.condition, refusal.reason) == ("PreflightPassed", "OtherVersion")
    assert whole.replicas[0].name in refusal.message and "3.2.5" in refusal.message
    assert whole.replicas[1].name not in refusal.message
