"""After real switches: what was left behind is made a replica, and what was switched once more is not touched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from hosts import stepping
from hosts.declaring import follows
from hosts.passes import Passes, Reading, settled_passes
from hosts.stepping import PATIENCE, conf, has, kept_ignorant, leave_a_ring, redis, sentinel, table, until
from lab.hosts import Host
from lab.labs import Lab
from lab.observe import commands_seen
from lab.resp import Resp, RespError
from lab.seedcluster import MASTER_NAME, PASSWORD
from redis_sentinel_operator.apply import roles
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import MakeReplica, RestoreMaster, Step
from redis_sentinel_operator.model.verdict import Confirmed, MasterRecord, Uncertain
from redis_sentinel_operator.observe.gather import SentinelFact, read_sentinels
from redis_sentinel_operator.returning import Returning
from redis_sentinel_operator.settings import Settings

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    async with settled_passes(whole) as each:
        await each.until_settled()
        yield each
        await each.until_settled()


async def test_a_replica_on_a_stale_master_is_pointed_to_the_confirmed_one(loop: Passes, whole: Lab) -> None:
    master = await confirmed(loop)
    lost, other = [host for host in whole.hosts if host.name != master.host][:2]
    redis(lost, "SLAVEOF", other.address, "6379")
    step = await planned(loop, lost)
    assert step.why == f"it follows {other.address}, which is not the master"
    assert (await loop.do(step)).ok
    assert role(lost)[:2] == ["slave", master.address]
    assert f"slaveof {master.address} 6379" in conf(lost)
    assert steps_of((await loop.read()), lost) == []


async def test_a_master_that_came_back_is_made_a_replica_and_its_clients_are_sent_away(
    loop: Passes, whole: Lab
) -> None:
    old, master = await came_back(loop, whole)
    step = await planned(loop, old)
    assert step.action == MakeReplica(master.address, 6379, master.config_epoch, run_id(old), "master")
    with Resp.to(old, password=PASSWORD) as client, commands_seen(whole) as seen:
        assert client.call("SET", "heal:key", "taken") == "OK"
        assert (await loop.do(step)).ok
        with pytest.raises(ConnectionError):
            client.call("PING")
        changes = [each for each in seen.commands() if each.affects_writes]
    assert [each.words for each in changes] == [
        ("MULTI",),
        ("SLAVEOF", master.address, "6379"),
        ("CONFIG", "REWRITE"),
        ("CLIENT", "KILL", "TYPE", "normal"),
        ("EXEC",),
    ]
    assert {(each.host, each.client) for each in changes} == {(old.name, changes[0].client)}, "one connection"
    assert role(old)[:2] == ["slave", master.address]
    assert f"slaveof {master.address} 6379" in conf(old)
    with pytest.raises(RespError, match="READONLY"):
        redis(old, "SET", "heal:key", "value")
    assert steps_of((await loop.read()), old) == []


async def test_one_that_was_restarted_since_it_was_looked_at_is_looked_at_again(loop: Passes, whole: Lab) -> None:
    old, _ = await came_back(loop, whole)
    step = await planned(loop, old)
    old.run("systemctl restart redis; until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done")
    result = await loop.do(step)
    assert (result.ok, result.message) == (False, "nothing was done: it was restarted meanwhile")
    assert role(old)[0] == "master"
    assert (await loop.do(await planned(loop, old))).ok


async def test_a_switch_back_to_it_before_the_step_is_not_undone(loop: Passes, whole: Lab) -> None:
    old, master = await came_back(loop, whole)
    step = await planned(loop, old)
    await asyncio.to_thread(switch_back, whole, old, master)
    result = await loop.do(step)
    assert not result.ok
    assert result.message.startswith(f"nothing was done: {old.name} is master at config epoch "), result.message
    assert role(old)[0] == "master"
    redis(old, "SET", "heal:key", "value")


async def test_a_switch_back_to_it_after_the_last_look_is_not_undone(
    loop: Passes, whole: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentinel's own change of role ends the connection that the step would be carried out on."""
    old, master = await came_back(loop, whole)
    step = await planned(loop, old)

    async def read_and_be_overtaken(
        desired: Desired, links: Mapping[str, HostLink], settings: Settings
    ) -> Mapping[str, SentinelFact]:
        found = await read_sentinels(desired, links, settings)
        await asyncio.to_thread(switch_back, whole, old, master)
        return found

    monkeypatch.setattr(roles, "read_sentinels", read_and_be_overtaken)
    monkeypatch.setattr(roles, "changed_since", lambda *_: None)  # what is read after it would tell
    result = await loop.do(step)
    assert not result.ok
    assert result.message == f"redis on {old.name} answered: the connection was ended by the server"
    assert role(old)[0] == "master"
    redis(old, "SET", "heal:key", "value")


async def test_a_master_of_a_ring_gets_its_role_back_with_all_its_data(loop: Passes, whole: Lab) -> None:
    old = await last(loop, whole)
    redis(old, "SET", "heal:ring", "kept")
    await until(lambda: all(follows(host) for host in whole.hosts if host != old))
    await until(lambda: all(has(host, "heal:ring", "kept") for host in whole.hosts))
    first = leave_a_ring(whole, old)
    step = await stepping.planned(loop, RestoreMaster)
    assert (step.host, step.what) == (old.name, "make redis the master again")
    old.run("systemctl restart redis; until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done")
    again = await loop.do(step)
    assert (again.ok, again.message) == (False, "nothing was done: it was restarted meanwhile")
    done = await loop.do(await stepping.planned(loop, RestoreMaster))
    assert (done.ok, done.message) == (True, "it is the master again that all sentinels name")
    assert role(old)[0] == "master"
    assert "\nslaveof " not in conf(old)
    pointed = {result.step.host for result in await loop.until_settled() if isinstance(result.step.action, MakeReplica)}
    assert pointed <= {host.name for host in whole.hosts if host not in (old, first)}, "sentinels may have been first"
    assert {str(role(host)[1]) for host in whole.hosts if host != old} == {old.address}
    await until(lambda: all(follows(host) for host in whole.hosts if host != old))  # none is loading any more
    assert {str(redis(host, "GET", "heal:ring")) for host in whole.hosts} == {"kept"}
    assert settled(whole, but=first)


async def test_a_master_of_a_ring_that_was_killed_waits_for_a_person(loop: Passes, whole: Lab) -> None:
    """What came after its last dump is lost: another may have more."""
    old = await last(loop, whole)
    old.run("systemctl kill -s KILL redis; touch -d '-1 hour' /var/lib/redis/dump.rdb")
    leave_a_ring(whole, old)
    wanted = (
        "The sentinels cannot switch, as no replica was in touch with a master since it was started, and the operator "
        f"chooses no master here: the dump of {old.name}, /var/lib/redis/dump.rdb, was not written as it was stopped, "
        f"so what came later is not in it. Send `SLAVEOF NO ONE` to the redis whose data are to stay: that of "
        f"{old.name}, which the sentinels name, unless you know better; the others follow."
    )
    async with asyncio.timeout(60):  # at times one of the ring is about to synchronise, and that is told then
        while True:
            reading = await loop.read()
            assert not [each for each in reading.todo.steps if isinstance(each.action, RestoreMaster)]
            master = reading.verdict.master
            if isinstance(master, Uncertain) and master.message.endswith(wanted):
                break
            await asyncio.sleep(0.2)
    redis(old, "SLAVEOF", "NO", "ONE")  # the person


async def test_replicas_that_sentinels_do_not_know_are_waited_for(loop: Passes, whole: Lab) -> None:
    """None of them is told anything by the master while it is looked at, nor calls it down for that."""
    loop.desired = replace(loop.desired, sentinel=replace(loop.desired.sentinel, down_after=PATIENCE))
    await loop.until_settled()
    with kept_ignorant(*whole.replicas):
        for host in whole.replicas:
            sentinel(host, "SENTINEL", "RESET", MASTER_NAME)
        reading = await loop.read()
    assert reading.todo.steps == ()
    told = [each for each in reading.todo.waiting if "does not know" in each]
    assert [each.split(" does not")[0] for each in told] == [f"the sentinel on {host.name}" for host in whole.replicas]
    assert await loop.until_settled() == []
    loop.desired = replace(loop.desired, sentinel=replace(loop.desired.sentinel, down_after=5000))


async def test_a_redis_that_was_away_is_noticed_when_it_is_back(loop: Passes, whole: Lab) -> None:
    master = await confirmed(loop)
    away = next(host for host in whole.hosts if host.name != master.host)
    heard: list[str] = []
    returning = Returning(loop.settings, heard.append)
    away.run("systemctl stop redis")
    returning.look_for({away.name}, loop.desired, loop.links)
    await asyncio.sleep(4 * loop.settings.return_poll)
    assert heard == []
    away.run("systemctl start redis")
    await until(lambda: heard != [])
    assert heard == [f"redis on {away.name} answers again"]
    await returning.close()


# -- what happens to the hosts


async def came_back(loop: Passes, whole: Lab) -> tuple[Host, Confirmed]:
    """The master dies, another is promoted, and the old one is back as the master that it was.

    The sentinels have forgotten it (SENTINEL RESET), so that they do not make it a replica by themselves meanwhile.
    """
    old = whole[(await confirmed(loop)).host]
    old.run("systemctl kill -s KILL redis; while systemctl -q is-active redis; do sleep 0.1; done")
    await until(lambda: settled(whole, but=old), 60)
    for host in whole.replicas:
        sentinel(host, "SENTINEL", "RESET", MASTER_NAME)
    await until(lambda: settled(whole, but=old), 60)
    master = await confirmed(loop)
    loop.last = MasterRecord(master.host, master.address, master.port, master.config_epoch, "2026-01-31T12:00:00Z")
    loop.reign_began = time.monotonic()
    await asyncio.sleep(3)  # uptime is kept in whole seconds
    old.run("systemctl start redis")
    return old, master


def switch_back(whole: Lab, old: Host, master: Confirmed) -> None:
    """A person makes the old master a replica again, and the sentinels promote it."""
    leader = whole.replicas[0]
    redis(old, "SLAVEOF", master.address, "6379")
    redis(old, "CONFIG", "SET", "slave-priority", "1")
    sentinel(leader, "SENTINEL", "RESET", MASTER_NAME)  # it asks the master for its replicas at once
    asyncio.run(until(lambda: promotable(leader, old), 60))
    sentinel(leader, "SENTINEL", "FAILOVER", MASTER_NAME)
    asyncio.run(
        until(lambda: all(named(host) == old.address for host in whole.replicas) and role(old)[0] == "master", 60)
    )
    redis(old, "CONFIG", "SET", "slave-priority", "100")


def promotable(leader: Host, host: Host) -> bool:
    found = sentinel(leader, "SENTINEL", "SLAVES", MASTER_NAME)
    rows = [table(row) for row in found] if isinstance(found, list) else []
    mine = next((row for row in rows if row["ip"] == host.address), {})
    return (mine.get("master-link-status"), mine.get("slave-priority"), mine.get("flags")) == ("ok", "1", "slave")


def settled(whole: Lab, but: Host) -> bool:
    """Whether all sentinels name the same other master and show nothing of a failover."""
    views = [table(sentinel(host, "SENTINEL", "MASTER", MASTER_NAME)) for host in whole.replicas]
    same = len({(view["ip"], view["config-epoch"]) for view in views}) == 1 and views[0]["ip"] != but.address
    return same and all((view["flags"], view["num-other-sentinels"]) == ("master", "2") for view in views)


def named(host: Host) -> str:
    found = sentinel(host, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
    return str(found[0]) if isinstance(found, list) else ""


def role(host: Host) -> list[object]:
    found = redis(host, "ROLE")
    assert isinstance(found, list)
    return list(found)


def run_id(host: Host) -> str:
    said = str(redis(host, "INFO", "server"))
    return next(line.partition(":")[2].strip() for line in said.splitlines() if line.startswith("run_id:"))


async def last(loop: Passes, whole: Lab) -> Host:
    """The master, as status has it."""
    master = await confirmed(loop)
    loop.last = MasterRecord(master.host, master.address, master.port, master.config_epoch, "2026-01-31T12:00:00Z")
    loop.down_for = 5.0
    return whole[master.host]


async def confirmed(loop: Passes) -> Confirmed:
    master = (await loop.read()).verdict.master
    assert isinstance(master, Confirmed)
    return master


async def planned(loop: Passes, host: Host) -> Step:
    """The step of the first plan that makes the host's redis a replica."""
    async with asyncio.timeout(60):
        while True:
            reading = await loop.read()
            if steps := steps_of(reading, host):
                return steps[0]
            await asyncio.sleep(0.1)  # it may still be loading its data


def steps_of(reading: Reading, host: Host) -> list[Step]:
    return [each for each in reading.todo.steps if each.host == host.name and isinstance(each.action, MakeReplica)]
