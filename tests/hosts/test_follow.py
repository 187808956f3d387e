"""Following real sentinels: through a failover, a hang, a restart, a cut cable."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

import paramiko
import pytest

from hosts.hearing import SETTINGS, Ear, ask, listening, until
from hosts.passes import passes
from lab.faults import cut_off, hang_sentinel
from lab.hosts import Host
from lab.labs import Lab
from lab.seedcluster import MASTER_NAME, PASSWORD, HandMade, make_by_hand
from redis_sentinel_operator.follow.follower import FOLLOWING, Follower
from redis_sentinel_operator.model.fact import Known, Unknown

# Whose memory is counted: pytest, its plugins and the lab keep what they like.
MADE_BY = tuple(tracemalloc.Filter(True, f"*/{name}/*") for name in ("redis_sentinel_operator", "paramiko", "asyncio"))

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


@pytest.fixture
async def ear(cluster: HandMade, lab_hosts: Lab) -> AsyncIterator[Ear]:
    async with listening(lab_hosts) as ear:
        await until(lambda: ear.follows(*cluster.sentinels), 60, "all are followed")
        yield ear


async def test_all_tell_of_a_failover_and_it_is_one_entry(ear: Ear, cluster: HandMade) -> None:
    assert set(ear.levels) == {host.name for host in cluster.sentinels}  # connected: the level is read
    levels = ear.levels.copy()
    assert ask(cluster.sentinels[0], "SENTINEL", "FAILOVER", MASTER_NAME) == "OK"
    names = {host.name for host in cluster.sentinels}
    await until(lambda: ear.hears("+switch-master") == names, 60, "all sentinels told of the switch")
    (entry,) = ear.history()
    assert (entry.from_host, entry.cause, entry.result) == (cluster.master.name, "Requested", "Succeeded")
    assert entry.at <= entry.elected <= entry.promoted
    told = ask(cluster.sentinels[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
    assert isinstance(told, list)
    promoted = ear.work.desired.host_at(told[0])
    assert promoted is not None
    assert entry.to_host == promoted.name
    assert all(ear.levels[name] > levels[name] for name in names)


async def test_the_level_is_polled_while_nothing_is_said(ear: Ear) -> None:
    before = ear.levels.copy()
    await until(lambda: all(ear.levels[name] >= before[name] + 2 for name in ear.followers), 60, "two polls of each")


async def test_a_sentinel_that_hangs_is_noticed_and_followed_again(ear: Ear, cluster: HandMade) -> None:
    hanging, *others = cluster.sentinels
    with hang_sentinel(hanging):
        await until(lambda: not ear.follows(hanging), 60, "the silence was noticed")
        state = ear.followers[hanging.name].state
        assert state == Unknown(f"the sentinel on {hanging.name} did not answer in time", "NoAnswer")
        assert ear.follows(*others)
        before = ear.levels[hanging.name]
    await until(lambda: ear.follows(hanging), 60, "it is followed again")
    assert ear.levels[hanging.name] > before


async def test_a_sentinel_that_restarts_is_read_anew(ear: Ear, cluster: HandMade) -> None:
    host = cluster.sentinels[1]
    before = ear.levels[host.name]
    stopped = asyncio.to_thread(host.run, "systemctl stop redis-sentinel")
    await stopped
    await until(lambda: not ear.follows(host), 60, "the loss was noticed")
    await until(lambda: ear.levels[host.name] > before, 60, "the loss is a hint")
    assert "nobody listens" in str(ear.followers[host.name].state) or "lost" in str(ear.followers[host.name].state)
    before = ear.levels[host.name]
    await asyncio.to_thread(host.run, "systemctl start redis-sentinel")
    await until(lambda: ear.follows(host), 60, "it is followed again")
    await until(lambda: ear.levels[host.name] > before, 60, "what was missed is read")


async def test_a_host_that_is_cut_off_is_noticed_and_the_others_are_heard(ear: Ear, cluster: HandMade) -> None:
    away, *others = cluster.sentinels
    with cut_off(away):
        await until(lambda: not ear.follows(away), 60, "the silence was noticed")
        names = {host.name for host in others}
        await until(lambda: ear.hears("+sdown") >= names, 60, "the others tell that it is down")
        assert ear.follows(*others)
    await until(lambda: ear.follows(away), 120, "it is followed again")


async def test_passwords_do_not_get_through(ear: Ear, cluster: HandMade) -> None:
    ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "auth-pass", PASSWORD)
    await until(lambda: bool(ear.hears("+set")), 60, "the sentinel told of the setting")
    (event,) = [event for event in ear.events if event.channel == "+set"]
    assert event.payload.endswith(" auth-pass ***")
    assert PASSWORD not in repr(ear.events)


async def test_other_masters_are_not_ours(ear: Ear, cluster: HandMade) -> None:
    ask(cluster.sentinels[0], "SENTINEL", "MONITOR", "other", cluster.sentinels[0].address, "7777", "2")
    ask(cluster.sentinels[0], "SENTINEL", "REMOVE", "other")
    ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "quorum", "2")
    await until(lambda: bool(ear.hears("+set")), 60, "what came after them was told")
    assert {event.master_name for event in ear.events} <= {"", MASTER_NAME}


async def test_a_listener_that_fails_does_not_end_the_following(
    cluster: HandMade, lab_hosts: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(lab_hosts, deaf=True) as ear:
        await until(lambda: ear.follows(*cluster.sentinels), 60, "all are followed")
        ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "quorum", "2")
        ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "quorum", "2")
        await until(lambda: len([each for each in ear.events if each.channel == "+set"]) == 2, 60, "both were told")
        assert ear.follows(*cluster.sentinels)
    assert "could not be handled" in caplog.text


async def test_directly_where_forwarding_is_refused(cluster: HandMade, lab_hosts: Lab) -> None:
    async with passes(lab_hosts) as work:
        hosts = tuple(replace(host, ssh=replace(host.ssh, resp="Direct")) for host in work.desired.hosts)
    async with passes(lab_hosts, hosts=hosts) as work:
        host = work.desired.sentinel_hosts[0]
        follower = Follower(host, work.desired, work.links[host.name], SETTINGS, lambda _: None, lambda *_: None)
        task = asyncio.create_task(follower.run())
        try:
            await until(lambda: follower.state == Known(FOLLOWING), 60, "it is followed")
            assert not work.links[host.name].connected
        finally:
            task.cancel()
            await asyncio.wait({task})


@pytest.mark.timeout(400)
async def test_a_hundred_reconnects_leave_nothing_behind(
    ear: Ear, cluster: HandMade, caplog: pytest.LogCaptureFixture
) -> None:
    """Sentinels and sshd drop us again and again: tasks, threads, channels, descriptors and memory stay as they were.

    What stays behind after a reconnect stays after each, so it grows in every span of them. What comes or goes once in
    a process that does more than this, a cache or a file of the lab's, grows in one.
    """
    caplog.set_level(logging.CRITICAL)  # pytest keeps what is logged
    tracemalloc.start()
    try:
        await reconnect(ear, cluster, 2, dropped_by_sentinel)  # what is made once is made now
        await reconnect(ear, cluster, 1, dropped_by_sshd)
        marks = [footprint()]
        for _ in range(5):
            await reconnect(ear, cluster, 5, dropped_by_sentinel)
            await reconnect(ear, cluster, 2, dropped_by_sshd)
            marks.append(footprint())
    finally:
        tracemalloc.stop()
    assert sum(ear.beginnings.values()) >= 3 * (3 + 5 * 7)
    grown = Footprint(*(_usual_growth(each) for each in zip(*marks, strict=True)))
    assert max(grown.tasks, grown.threads, grown.channels, grown.descriptors) <= 0, marks
    assert grown.memory < 10 * 1024, marks  # half a kilobyte for each of 21


def _usual_growth(marks: Sequence[int]) -> int:
    return median_low(after - before for before, after in pairwise(marks))


def dropped_by_sentinel(host: Host) -> None:
    """The connection on which the sentinel tells ends; SSH stands."""
    assert ask(host, "CLIENT", "KILL", "TYPE", "pubsub") == 1


def dropped_by_sshd(host: Host) -> None:
    """Every SSH session of the host ends, and all that goes through it."""
    host.run("kill -KILL $(pgrep -P $(cat /var/run/sshd.pid))")


async def reconnect(ear: Ear, cluster: HandMade, rounds: int, drop: Callable[[Host], None]) -> None:
    """Have all hosts drop our connections, and wait until all are followed and polled again, time after time."""
    names = [host.name for host in cluster.sentinels]
    for _ in range(rounds):
        begun, levels = ear.beginnings.copy(), ear.levels.copy()

        def again(begun: Counter[str] = begun, levels: Counter[str] = levels) -> bool:
            return all(ear.beginnings[name] > begun[name] and ear.levels[name] > levels[name] + 2 for name in names)

        for host in cluster.sentinels:
            await asyncio.to_thread(drop, host)
        await until(again, 60, "all are followed again")
    ear.events.clear()


class Footprint(NamedTuple):
    """What this process holds; `memory` in bytes of Python objects that we or our libraries made."""

    tasks: int
    threads: int
    channels: int
    descriptors: int
    memory: int


def footprint() -> Footprint:
    gc.collect()
    channels = [each for each in gc.get_objects() if isinstance(each, paramiko.Channel) and not each.closed]
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    memory = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(MADE_BY).traces)
    return Footprint(len(asyncio.all_tasks()), threading.active_count(), len(channels), descriptors, memory)
