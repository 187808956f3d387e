"""A master that stops, is killed or hangs: one switch, told once and rightly; the old master returns as a replica."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import datetime

import pytest

from e2e.rig import Rig, Status, is_healthy, master
from lab.faults import hang_redis
from lab.hosts import Host
from lab.observe import Command, Seen, commands_seen

Fault = Callable[[Host], None]


def stop(host: Host) -> None:
    host.run("systemctl stop redis")


def kill(host: Host) -> None:
    host.run("systemctl kill -s KILL redis")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", [stop, kill], ids=["stopped", "killed"])
def test_a_master_that_ends_is_followed_by_one_switch(seed: Rig, fault: Fault) -> None:
    old = master(seed.status())
    known = len(seed.status().get("failovers", []))
    with commands_seen(seed.lab) as seen:
        began = time.time()
        fault(seed.lab[old])
        status = seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120)
        assert [command for command in seen.role_commands() if command.at < published(status)] == []
        _one_switch(seed, old, known, began)
        status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
        assert _but_the_demotion(seen, seed.lab[old], seed.lab[master(status)]) == []
    assert seed.master_by_role() == [master(status)]
    with seed.redis(old) as client:
        replication = client.info("replication")
    assert replication["role"] == "slave"
    assert replication["master_link_status"] == "up"
    assert replication["master_host"] == seed.lab[master(status)].address
    _one_switch(seed, old, known, began)


@pytest.mark.timeout(400)
def test_a_master_that_hangs_is_followed_by_one_switch(seed: Rig) -> None:
    old = master(seed.status())
    known = len(seed.status().get("failovers", []))
    with commands_seen(seed.lab) as seen:
        seed.before_a_silence()
        with hang_redis(seed.lab[old]):
            began = time.time()
            status = seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120)
            assert [command for command in seen.role_commands() if command.at < published(status)] == []
        status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
        assert _but_the_demotion(seen, seed.lab[old], seed.lab[master(status)]) == []
    assert seed.master_by_role() == [master(status)]
    _one_switch(seed, old, known, began)


@pytest.mark.timeout(400)
def test_a_master_that_died_is_not_started_before_its_successor_is_there(seed: Rig) -> None:
    """With `save` only, a master that comes back within down-after has lost what was acknowledged since the dump."""
    old = master(seed.status())
    with seed.redis(old) as client:
        keys = {f"e2e:ack:{number}": str(number) for number in range(200)}
        for key, value in keys.items():
            client.set(key, value)
        assert client.wait(3, 10000) == 3
    audited = len(seed.operator.audit())
    kill(seed.lab[old])
    status = seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120)
    successor, told = master(status), status["failovers"][-1]["published"]
    with seed.redis(successor) as client:
        assert client.mget(keys.keys()) == list(keys.values())
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
    for host in seed.lab:
        with seed.redis(host.name) as client:
            assert client.mget(keys.keys()) == list(keys.values())
    starts = [line for line in seed.operator.audit()[audited:] if line["what"].startswith("start redis")]
    assert [line["host"] for line in starts] == [old]
    assert starts[0]["time"] > told, "started before its successor was confirmed"


@pytest.mark.timeout(400)
def test_drift_mended_after_a_failover_leaves_the_role_lines(seed: Rig) -> None:
    old = master(seed.status())
    kill(seed.lab[old])
    new = seed.lab[master(seed.wait(lambda s: master(s) not in ("", old), "a successor in status", 120))]
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back as a replica", 120)
    roles = {host.name: role_lines(host) for host in seed.lab}
    for host in seed.lab:
        host.run("sed -i 's/^repl-timeout .*/repl-timeout 33/' /etc/redis.conf")
    seed.wait(lambda _: all(_directive(host, "repl-timeout") == "60" for host in seed.lab), "repl-timeout mended", 90)
    seed.wait_healthy()
    assert {host.name: role_lines(host) for host in seed.lab} == roles
    of_the_switch = {host.name: [] if host == new else [f"slaveof {new.address} 6379"] for host in seed.lab}
    assert {name: re.findall("^slaveof .*", lines, re.MULTILINE) for name, lines in roles.items()} == of_the_switch


def _but_the_demotion(seen: Seen, old: Host, new: Host) -> list[Command]:
    """The operator's commands that decide roles, without those that make the old master a replica of the new one."""
    demotion = {("SLAVEOF", new.address, "6379"), ("CONFIG", "REWRITE")}
    return [each for each in seen.role_commands() if each.host != old.name or each.words not in demotion]


def _directive(host: Host, name: str) -> str:
    return host.run(f"awk '$1 == \"{name}\" {{print $2}}' /etc/redis.conf").stdout.strip().strip('"')


def role_lines(host: Host) -> str:
    return host.run("grep -hE '^(slaveof|replicaof|sentinel )' /etc/redis.conf /etc/redis-sentinel.conf || true").stdout


def published(status: Status) -> float:
    """When status named the master of now: nothing of it is done before."""
    return datetime.fromisoformat(status["failovers"][-1]["published"]).timestamp()


def _one_switch(seed: Rig, old: str, known: int, began: float) -> None:
    status = seed.wait(lambda s: s["failovers"][-1].get("switched"), "what a sentinel says of it")
    entries = status["failovers"][min(known, 9) :] if known < 10 else status["failovers"][-1:]
    assert [(entry["from"], entry["to"]) for entry in entries] == [(old, master(status))]
    since = datetime.fromisoformat(status["master"]["since"]).timestamp()
    assert int(began) <= since <= published(status), "whole seconds"
    marks = [entries[0].get(key) for key in ("promoted", "switched", "published")]
    assert since in [int(datetime.fromisoformat(each).timestamp()) for each in marks if each], entries
