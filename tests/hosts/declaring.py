"""What spec.redis.config means on real hosts with data, on any family: shared by the suites."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hosts.passes import Passes, find_each_other, set_up
from hosts.stepping import conf, redis, sentinel, until
from lab.hosts import Host
from lab.labs import Lab
from lab.processes import wait_until
from lab.resp import RespError
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.values import same
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.model.step import Impact
from redis_sentinel_operator.model.verdict import Confirmed

KEYS = 2000
BASE = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}
# Every class: bytes, a word, a number, flags, a set of letters, pairs, several lines, seconds, an alias.
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
    "timeout": "300",
    "replica-serve-stale-data": "no",
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
    "timeout": "0",
    "slave-serve-stale-data": "yes",
}
# What is live only from a version on: addresses, a text, numbers, flags. No octal number is live in any.
LATER = {
    "6.2": (
        {"bind": "* -::*", "proc-title-template": "{title} {listen-addr}", "oom-score-adj-values": "0 100 800"},
        {"bind": "0.0.0.0", "proc-title-template": "{title} {config-file}", "oom-score-adj-values": "1 2 3"},
    ),
    "7.0": (
        {"shutdown-on-sigterm": "nosave now", "latency-tracking-info-percentiles": "50 99.5"},
        {"shutdown-on-sigterm": "force", "latency-tracking-info-percentiles": "1"},
    ),
}


def values_for(host: Host) -> tuple[dict[str, str], dict[str, str]]:
    """What is declared on the family of a host, and what somebody else sets there."""
    live, other = dict(LIVE), dict(OTHER)
    for since, (more, drift) in LATER.items():
        if at_least(host.family.redis.version, since):
            live |= more
            other |= drift
    return live, other


def with_data(lab: Lab) -> Lab:
    """The seed's cluster on the hosts of a lab, from bare, with data in it."""
    lab.reset()
    set_up(lab)
    assert find_each_other(lab), "the sentinels did not find each other"
    redis(lab.master01, "EVAL", f"for i = 1, {KEYS} do redis.call('SET', 'key' .. i, i) end", "0")
    assert wait_until(lambda: all(keys(host) == KEYS for host in lab.hosts), 60.0, 0.1)
    return lab


def declare(loop: Passes, config: Mapping[str, str], **changes: object) -> None:
    declared = {canonical(name): value for name, value in {**BASE, **config}.items()}
    loop.desired = replace(loop.desired, redis_config=declared, **changes)  # type: ignore[arg-type]


def keys(host: Host) -> object:
    return redis(host, "DBSIZE")


async def keys_once_loaded(host: Host) -> object:
    """Of one that was started just now, as soon as it says anything but that it is loading."""
    found: list[object] = []

    def says() -> bool:
        try:
            found.append(keys(host))
        except RespError as error:
            assert str(error).startswith("LOADING"), error
        return bool(found)

    await until(says)
    return found[0]


def pids(lab: Lab) -> dict[str, str]:
    return {host.name: host.run(f"systemctl show -p MainPID {host.family.units[0]}").stdout for host in lab.hosts}


def running(host: Host, name: str) -> str:
    shown = redis(host, "CONFIG", "GET", canonical(name))
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
        same(name, value, running(host, name)) and same(name, value, parsed.get(canonical(name)) or "")
        for name, value in config.items()
    )


async def live_ones(loop: Passes, whole: Lab) -> None:
    """Every class of directive is changed, drifts, and is removed, without a restart and without losing a key."""
    live, other = values_for(whole.master01)
    before = {
        host.name: (redis_conf.parse(conf(host)), {name: running(host, name) for name in live}) for host in whole.hosts
    }
    processes = pids(whole)

    declare(loop, live)
    done = await loop.until_settled()
    assert {each.step.impact for each in done} == {Impact.NONE}
    assert all(has(host, live) for host in whole.hosts)

    for name, value in other.items():
        redis(whole.replicas[0], "CONFIG", "SET", name, value)
    reading = await loop.read()
    assert {each.key for each in reading.todo.drift[whole.replicas[0].name]} == {canonical(name) for name in live}
    redis(whole.replicas[0], "CONFIG", "REWRITE")
    redis(whole.master01, "CONFIG", "REWRITE")
    await loop.until_settled()
    assert all(has(host, live) for host in whole.hosts)

    declare(loop, {})
    await loop.until_settled()
    for host in whole.hosts:
        parsed, values = before[host.name]
        assert {name: running(host, name) for name in live} == values
        now = redis_conf.parse(conf(host))
        back = {name: (parsed.get(name), now.get(name)) for name in map(canonical, live)}
        assert all(same(name, had or "", has_ or "") for name, (had, has_) in back.items() if had is not None), back
        assert [name for name, (had, has_) in back.items() if had is None and has_ is not None] == []
    assert (pids(whole), {host.name: keys(host) for host in whole.hosts}) == (
        processes,
        {host.name: KEYS for host in whole.hosts},
    )


async def append_only(loop: Passes, whole: Lab) -> None:
    """Switched on live, the file holds all: a replica that is killed has every key of it; and off again."""
    server, watching = whole.master01.family.units
    processes = pids(whole)
    declare(loop, {"appendonly": "yes"})
    await loop.until_settled()
    assert pids(whole) == processes
    assert all(has(host, {"appendonly": "yes"}) for host in whole.hosts)
    host = whole.replicas[0]
    dead = f"while systemctl -q is-active {server}; do sleep 0.1; done"
    host.run(f"systemctl stop {watching}; systemctl kill -s KILL {server}; {dead}")
    await loop.until_settled()
    assert await keys_once_loaded(host) == KEYS
    declare(loop, {})
    await loop.until_settled()
    assert all(has(each, {"appendonly": "no"}) for each in whole.hosts)


async def restart_only(loop: Passes, whole: Lab) -> None:
    """What needs a restart takes the replicas one by one, and the master after a switch."""
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
        f"write down which directives of {whole.hosts[0].family.redis_conf} are ours: databases"
    ]
