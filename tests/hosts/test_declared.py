"""spec.redis.config on real hosts with data: every class of directive changed, drifted and removed; nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from hosts.passes import OWNER, Passes, find_each_other, set_up, settled_passes
from hosts.stepping import OF_THE_MACHINE, conf, redis, sentinel, until
from lab.hosts import Host
from lab.labs import Lab
from lab.observe import untouched
from lab.processes import wait_until
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.values import same
from redis_sentinel_operator.model.fact import KeyRecord, Known
from redis_sentinel_operator.model.step import Impact
from redis_sentinel_operator.model.verdict import Confirmed

pytestmark = pytest.mark.timeout(240)

KEYS = 2000
LIVE = {
    "maxmemory": "1gb",
    "maxmemory-policy": "volatile-lru",
    "slowlog-max-len": "200",
    "rdbcompression": "no",
    "appendfsync": "always",
    "loglevel": "verbose",
    "notify-keyspace-events": "KEA",
    "save": "60 5000 30 10000",
    "client-output-buffer-limit": "replica 512mb 64mb 60",
}
OTHER = {
    "maxmemory": "3gb",
    "maxmemory-policy": "noeviction",
    "slowlog-max-len": "1",
    "rdbcompression": "yes",
    "appendfsync": "no",
    "loglevel": "warning",
    "notify-keyspace-events": "Kx",
    "save": "1 1",
    "client-output-buffer-limit": "slave 1 1 1",
}


@pytest.fixture(scope="module")
def whole(lab_hosts: Lab) -> Lab:
    """The seed's cluster with data in it."""
    lab_hosts.reset()

    set_up(lab_hosts)
    assert find_each_other(lab_hosts), "the sentinels did not find each other"
    redis(lab_hosts.master01, "EVAL", f"for i = 1, {KEYS} do redis.call('SET', 'key' .. i, i) end", "0")
    assert wait_until(lambda: all(keys(host) == KEYS for host in lab_hosts.hosts), 20.0, 0.1)
    return lab_hosts


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    async with settled_passes(whole) as each:
        yield each


def declare(loop: Passes, config: Mapping[str, str], **changes: object) -> None:
    base = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}
    loop.desired = replace(loop.desired, redis_config={**base, **config}, **changes)  # type: ignore[arg-type]


def keys(host: Host) -> object:
    return redis(host, "DBSIZE")


def pids(lab: Lab) -> dict[str, str]:
    return {host.name: host.run("systemctl show -p MainPID redis").stdout for host in lab.hosts}


def running(host: Host, name: str) -> str:
    shown = redis(host, "CONFIG", "GET", name)
    assert isinstance(shown, list)
    return str(shown[1])


def follows(host: Host) -> bool:
    """Whether it is a replica in touch with its master; sentinel ends all connections of one that it demotes."""
    try:
        said = str(redis(host, "INFO", "replication"))
    except ConnectionError:
        return False
    return "role:slave" in said and "master_link_status:up" in said


def has(host: Host, config: Mapping[str, str]) -> bool:
    """Whether file and running server have these values."""
    parsed = redis_conf.parse(conf(host))
    return all(
        same(name, value, running(host, name)) and same(name, value, parsed.get(name) or "")
        for name, value in config.items()
    )


async def test_every_class_of_directive_is_changed_drifted_and_removed_without_a_restart(
    loop: Passes, whole: Lab
) -> None:
    before = {
        host.name: (redis_conf.parse(conf(host)), {name: running(host, name) for name in LIVE}) for host in whole.hosts
    }
    processes = pids(whole)

    declare(loop, LIVE)
    done = await loop.until_settled()
    assert {each.step.impact for each in done} == {Impact.NONE}
    assert all(has(host, LIVE) for host in whole.hosts)

    for name, value in OTHER.items():
        redis(whole.replicas[0], "CONFIG", "SET", name, value)
    reading = await loop.read()
    assert {each.key for each in reading.todo.drift[whole.replicas[0].name]} == set(LIVE)
    redis(whole.replicas[0], "CONFIG", "REWRITE")
    redis(whole.master01, "CONFIG", "REWRITE")
    await loop.until_settled()
    assert all(has(host, LIVE) for host in whole.hosts)

    declare(loop, {})
    await loop.until_settled()
    for host in whole.hosts:
        parsed, values = before[host.name]
        assert {name: running(host, name) for name in LIVE} == values
        now = redis_conf.parse(conf(host))
        back = {name: (parsed.get(name), now.get(name)) for name in LIVE}
        assert all(same(name, had or "", has_ or "") for name, (had, has_) in back.items() if had is not None), back
        assert [name for name, (had, has_) in back.items() if had is None and has_ is not None] == []
    assert (pids(whole), {host.name: keys(host) for host in whole.hosts}) == (
        processes,
        {host.name: KEYS for host in whole.hosts},
    )


async def test_cut_off_between_two_commands_it_goes_on(loop: Passes, whole: Lab) -> None:
    declare(loop, {"slowlog-max-len": "300"})
    for expected in ("write down", "set slowlog-max-len on"):
        todo = (await loop.read()).todo
        step = next(each for each in todo.steps if each.host == whole.master01.name)
        assert step.what.startswith(expected)
        assert (await loop.do(step)).ok
    await loop.until_settled()
    claim = (await loop.read()).facts.hosts[whole.master01.name].claim
    assert isinstance(claim, Known)
    assert claim.value is not None
    assert claim.value.keys["slowlog-max-len"] == KeyRecord("300", "128")
    assert claim.value.owner == OWNER
    declare(loop, {})
    await loop.until_settled()
    assert all(running(host, "slowlog-max-len") == "128" for host in whole.hosts)


async def test_append_only_is_switched_on_without_losing_a_key(loop: Passes, whole: Lab) -> None:
    processes = pids(whole)
    declare(loop, {"appendonly": "yes"})
    await loop.until_settled()
    assert pids(whole) == processes
    assert all(has(host, {"appendonly": "yes"}) for host in whole.hosts)
    host = whole.replicas[0]
    host.run("systemctl stop redis-sentinel; systemctl kill -s KILL redis")
    await loop.until_settled()
    assert keys(host) == KEYS
    declare(loop, {})
    await loop.until_settled()
    assert all(has(each, {"appendonly": "no"}) for each in whole.hosts)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"maxmemory": "1mb"}, "WouldEvict"),
        ({"dir": "/srv"}, "NotWithData"),
        ({"dbfilename": "other.rdb"}, "NotWithData"),
        ({"databases": "8"}, "NotWithData"),
        ({"lazyfree-lazy-expire": "yes"}, "DirectiveNotInVersion"),
    ],
)
async def test_what_would_cost_data_is_refused(loop: Passes, whole: Lab, config: dict[str, str], reason: str) -> None:
    declare(loop, config)
    with untouched(*whole.hosts, but=OF_THE_MACHINE):
        refusal = (await loop.read()).todo.refusal
        assert refusal is not None
        assert (refusal.condition, refusal.reason) == ("ConfigInSync", reason)
    assert [keys(host) for host in whole.hosts] == [KEYS] * 4


async def test_a_setting_that_somebody_gave_a_sentinel_shows_and_goes(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    sentinel(host, "SENTINEL", "SET", MASTER_NAME, "down-after-milliseconds", "60000", "failover-timeout", "5000")
    drift = (await loop.read()).todo.drift[host.name]
    assert [(each.key, each.want, each.have) for each in drift] == [
        ("sentinel down-after-milliseconds", "5000", "60000"),
        ("sentinel failover-timeout", "10000", "5000"),
    ]
    await loop.until_settled()
    assert (await loop.read()).todo.drift == {}


async def test_a_restart_takes_the_replicas_one_by_one_and_the_master_after_a_switch(loop: Passes, whole: Lab) -> None:
    before = pids(whole)
    master = (await loop.read()).verdict.master
    assert isinstance(master, Confirmed)
    declare(loop, {"databases": "32"})
    done = await loop.until_settled(120)
    restarted = [each.step.host for each in done if each.step.impact is Impact.RESTART]
    assert sorted(restarted) == sorted(set(before) - {master.host})
    after = pids(whole)
    assert [name for name in before if before[name] == after[name]] == [master.host]
    reading = await loop.read()
    assert [
        (host, each.key, each.pending_restart) for host, all_of in reading.todo.drift.items() for each in all_of
    ] == [(master.host, "databases", True)]
    assert [keys(host) for host in whole.hosts] == [KEYS] * 4

    assert sentinel(whole.replicas[-1], "SENTINEL", "FAILOVER", MASTER_NAME) == "OK"
    old = whole[master.host]
    await until(lambda: follows(old), 60)
    done = await loop.until_settled(120)
    assert [each.step.host for each in done if each.step.impact is Impact.RESTART] == [master.host]
    assert (await loop.read()).todo.drift == {}
    assert [keys(host) for host in whole.hosts] == [KEYS] * 4
    assert all(running(host, "databases") == "32" for host in whole.hosts)

    declare(loop, {})  # fewer databases could cost what is in them: they stay, and are nobody's
    done = await loop.until_settled()
    assert [each.step.what for each in done if each.step.host == master.host] == [
        "write down which directives of /etc/redis.conf are ours: databases"
    ]
