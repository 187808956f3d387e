"""Following real sentinels: through a failover, a hang, a restart, a cut cable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from hosts.passes import Passes, passes
from lab.faults import cut_off, hang_sentinel
from lab.hosts import Host
from lab.labs import Lab
from lab.resp import Resp
from lab.seedcluster import MASTER_NAME, PASSWORD, HandMade, make_by_hand
from redis_sentinel_operator.follow.follower import FOLLOWING, Follower
from redis_sentinel_operator.follow.history import record, shown
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from redis_sentinel_operator.model.fact import Known, Unknown
from redis_sentinel_operator.settings import Settings

SETTINGS = Settings(follower_poll=1.0)


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


@dataclass(slots=True)
class Ear:
    """What the followers of all sentinels hear."""

    work: Passes
    followers: dict[str, Follower] = field(default_factory=dict)
    events: list[SentinelEvent] = field(default_factory=list)
    levels: Counter[str] = field(default_factory=Counter)

    def hears(self, channel: str) -> set[str]:
        """The hosts whose sentinels said it."""
        return {event.sentinel for event in self.events if event.channel == channel}

    def follows(self, *hosts: Host) -> bool:
        return all(self.followers[host.name].state == Known(FOLLOWING) for host in hosts)

    def history(self) -> tuple[Failover, ...]:
        history: tuple[Failover, ...] = ()
        for event in self.events:
            history = record(history, event, self.work.desired)
        return shown(history)


async def until(true: Callable[[], bool], seconds: float, what: str) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - the condition is partly another host's
            await asyncio.sleep(0.02)
    assert true(), what


@asynccontextmanager
async def listening(lab: Lab, settings: Settings = SETTINGS, deaf: bool = False) -> AsyncIterator[Ear]:
    """Followers of all sentinels; `deaf`: what they tell raises at the one who hears it."""
    async with passes(lab) as work:
        ear = Ear(work)

        def on_event(event: SentinelEvent) -> None:
            ear.events.append(event)
            if deaf:
                raise RuntimeError("deaf")

        def on_level(host: str) -> None:
            ear.levels[host] += 1
            if deaf:
                raise RuntimeError("deaf")

        for host in work.desired.sentinel_hosts:
            link = work.links[host.name]
            ear.followers[host.name] = Follower(host, work.desired, link, settings, on_event, on_level)
        tasks = [asyncio.create_task(follower.run()) for follower in ear.followers.values()]
        try:
            yield ear
            assert not any(task.done() for task in tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


@pytest.fixture
async def ear(cluster: HandMade, lab_hosts: Lab) -> AsyncIterator[Ear]:
    async with listening(lab_hosts) as ear:
        await until(lambda: ear.follows(*cluster.sentinels), 15, "all are followed")
        yield ear


def ask(host: Host, *words: str) -> object:
    with Resp.to(host, 26379) as sentinel:
        return sentinel.call(*words)


async def test_all_tell_of_a_failover_and_it_is_one_entry(ear: Ear, cluster: HandMade) -> None:
    assert set(ear.levels) == {host.name for host in cluster.sentinels}  # connected: the level is read
    levels = ear.levels.copy()
    assert ask(cluster.sentinels[0], "SENTINEL", "FAILOVER", MASTER_NAME) == "OK"
    names = {host.name for host in cluster.sentinels}
    await until(lambda: ear.hears("+switch-master") == names, 20, "all sentinels told of the switch")
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
    await until(lambda: all(ear.levels[name] >= before[name] + 2 for name in ear.followers), 10, "two polls of each")


async def test_a_sentinel_that_hangs_is_noticed_and_followed_again(ear: Ear, cluster: HandMade) -> None:
    hanging, *others = cluster.sentinels
    with hang_sentinel(hanging):
        silence = SETTINGS.follower_silence
        await until(lambda: not ear.follows(hanging), silence + 1, "the silence was noticed")
        state = ear.followers[hanging.name].state
        assert state == Unknown(f"the sentinel on {hanging.name} did not answer in time", "NoAnswer")
        assert ear.follows(*others)
        before = ear.levels[hanging.name]
    await until(lambda: ear.follows(hanging), 12, "it is followed again")
    assert ear.levels[hanging.name] > before


async def test_a_sentinel_that_restarts_is_read_anew(ear: Ear, cluster: HandMade) -> None:
    host = cluster.sentinels[1]
    before = ear.levels[host.name]
    stopped = asyncio.to_thread(host.run, "systemctl stop redis-sentinel")
    await stopped
    await until(lambda: not ear.follows(host), 3, "the loss was noticed")
    await until(lambda: ear.levels[host.name] > before, 1, "the loss is a hint")
    assert "nobody listens" in str(ear.followers[host.name].state) or "lost" in str(ear.followers[host.name].state)
    before = ear.levels[host.name]
    await asyncio.to_thread(host.run, "systemctl start redis-sentinel")
    await until(lambda: ear.follows(host), 10, "it is followed again")
    await until(lambda: ear.levels[host.name] > before, 1, "what was missed is read")


async def test_a_host_that_is_cut_off_is_noticed_and_the_others_are_heard(ear: Ear, cluster: HandMade) -> None:
    away, *others = cluster.sentinels
    with cut_off(away):
        await until(lambda: not ear.follows(away), SETTINGS.follower_silence + 1, "the silence was noticed")
        names = {host.name for host in others}
        await until(lambda: ear.hears("+sdown") >= names, 15, "the others tell that it is down")
        assert ear.follows(*others)
    await until(lambda: ear.follows(away), 40, "it is followed again")


async def test_passwords_do_not_get_through(ear: Ear, cluster: HandMade) -> None:
    ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "auth-pass", PASSWORD)
    await until(lambda: bool(ear.hears("+set")), 5, "the sentinel told of the setting")
    (event,) = [event for event in ear.events if event.channel == "+set"]
    assert event.payload.endswith(" auth-pass ***")
    assert PASSWORD not in repr(ear.events)


async def test_other_masters_are_not_ours(ear: Ear, cluster: HandMade) -> None:
    ask(cluster.sentinels[0], "SENTINEL", "MONITOR", "other", cluster.sentinels[0].address, "7777", "2")
    ask(cluster.sentinels[0], "SENTINEL", "REMOVE", "other")
    ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "quorum", "2")
    await until(lambda: bool(ear.hears("+set")), 5, "what came after them was told")
    assert {event.master_name for event in ear.events} <= {"", MASTER_NAME}


async def test_a_listener_that_fails_does_not_end_the_following(
    cluster: HandMade, lab_hosts: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(lab_hosts, deaf=True) as ear:
        await until(lambda: ear.follows(*cluster.sentinels), 15, "all are followed")
        ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "quorum", "2")
        ask(cluster.sentinels[0], "SENTINEL", "SET", MASTER_NAME, "quorum", "2")
        await until(lambda: len([each for each in ear.events if each.channel == "+set"]) == 2, 5, "both were told")
        assert ear.follows(*cluster.sentinels)
    assert "could not be handled" in caplog.text


async def test_directly_where_forwarding_is_refused(cluster: HandMade, lab_hosts: Lab) -> None:
    async with passes(lab_hosts) as work:
        hosts = tuple(replace(host, ssh=replace(host.ssh, resp="Direct")) for host in work.desired.hosts)
    async with passes(lab_hosts, hosts=hosts) as work:
        host = work.desired.sentinel_hosts[0]
        follower = Follower(host, work.desired, work.links[host.name], SETTINGS, lambda _: None, lambda _: None)
        task = asyncio.create_task(follower.run())
        try:
            await until(lambda: follower.state == Known(FOLLOWING), 5, "it is followed")
            assert not work.links[host.name].connected
        finally:
            task.cancel()
            await asyncio.wait({task})
