"""A recovery on hosts, without an API server: killed at each of its commands, and refused at the last moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from itertools import count
from typing import Any

import pytest

from hosts.declaring import follows
from hosts.operating import Operator, roles
from hosts.passes import Passes, soon_in_vain
from hosts.stepping import redis, sentinel, step, told, until
from lab.hosts import Host
from lab.labs import Lab
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.apply.outcome import NOT_DONE
from redis_sentinel_operator.model.operation import Promote, StartStopped
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.operations.procedures import PROCEDURES

pytestmark = pytest.mark.timeout(240)
COMMANDS = PROCEDURES["recover"].commands
UNIT = "redis.service"


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    async with soon_in_vain(whole) as each:
        yield each


async def test_nobody_is_made_master_beside_one_that_lives(loop: Passes, whole: Lab) -> None:
    master, replica = await roles(loop, whole)
    found = (await loop.read()).verdict.master
    assert isinstance(found, Confirmed)
    run_id = redis_info(replica)["run_id"]
    promoted = await loop.do(step(replica, Promote(master.address, found.config_epoch, run_id)))
    assert (promoted.ok, promoted.reason) == (False, NOT_DONE)
    assert promoted.message == (
        f"it was not promoted: redis on {master.name}, which the sentinels name, runs: stop it first, or let it be the "
        "master"
    )
    started = await loop.do(step(master, StartStopped(UNIT, "", master.address, found.config_epoch)))
    assert (started.ok, started.reason) == (False, NOT_DONE)
    assert (
        started.message == f"it was not started: redis on {master.name} runs as a master, so there is nothing to start"
    )
    assert redis(replica, "ROLE")[0] == "slave"  # type: ignore[index]


POINTS = [(each, when) for each in COMMANDS for when in ("before", "after")]


@pytest.mark.parametrize(
    ("at", "when"),
    [each if each == ("edit", "after") else pytest.param(*each, marks=pytest.mark.long) for each in POINTS],
)
async def test_killed_at_any_step(loop: Passes, whole: Lab, at: str, when: str) -> None:
    """Whoever follows goes on; in the end all sentinels name one master, and it has the data."""
    old, new = await roles(loop, whole)
    wanted = old if at == "start" else new
    redis(old, "SET", "kept", "by-all")
    await until(lambda: redis(old, "WAIT", "3", "1000") == 3)
    operator = Operator(loop, dies=(COMMANDS[at], when))
    seen = await operator.run(Wish("recover", old.name, "2026-01-31T11:00:00Z"))
    assert seen["message"] == f"{old.name} is the confirmed master, so there is nothing to recover"
    await _dead_end(whole, old)
    act = await _recovered(operator, wanted)
    assert operator.dies is None, "it did not die at all"
    assert act["result"] == "Done", act
    _prioritised(whole, "100")
    await _followed(loop, whole, wanted)
    await loop.until_settled()
    await until(lambda: all(follows(host) for host in whole.hosts if host != wanted))
    assert [host.name for host in whole.hosts if redis(host, "ROLE")[0] == "master"] == [wanted.name]  # type: ignore[index]
    for host in whole.replicas:
        assert sentinel(host, *_ASK) == [wanted.address, "6379"]
        await until(lambda host=host: told(host)["num-slaves"] == "3")  # type: ignore[misc]
    assert {redis(host, "GET", "kept") for host in whole.hosts} == {"by-all"}


@pytest.mark.long
async def test_a_sentinel_that_was_away_follows_and_does_not_bring_the_old_master_back(
    loop: Passes, whole: Lab
) -> None:
    """It still names the old master, at the old epoch."""
    old, new = await roles(loop, whole)
    operator = Operator(loop)
    await operator.run(Wish("recover", old.name, "2026-01-31T11:00:00Z"))
    _prioritised(whole, "0")
    for host in whole.replicas:
        await until(partial(_nobody, host))
    away = whole.replicas[-1]
    away.run("systemctl kill -s STOP redis-sentinel")
    try:
        old.run("systemctl stop redis")
        act = await _recovered(operator, new)
    finally:
        away.run("systemctl kill -s CONT redis-sentinel")
    assert act["result"] == "Done", act
    await until(lambda: sentinel(away, *_ASK) == [new.address, "6379"])
    _prioritised(whole, "100")
    await _followed(loop, whole, new)
    await loop.until_settled()
    assert [sentinel(host, *_ASK) for host in whole.replicas] == [[new.address, "6379"]] * 3
    assert redis(new, "ROLE")[0] == "master"  # type: ignore[index]


_ASK = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)


async def _dead_end(lab: Lab, old: Host) -> None:
    """No replica may be promoted, every sentinel knows, and the master stops."""
    _prioritised(lab, "0")
    for host in lab.replicas:
        await until(partial(_nobody, host))
    old.run("systemctl stop redis")


async def _followed(loop: Passes, lab: Lab, master: Host) -> None:
    """A sentinel may point a replica to the master in the same moment, which ends the operator's connection there."""
    others = [host for host in lab.hosts if host != master]
    async with asyncio.timeout(60):
        while not all(has_role(host, master) for host in others):
            await loop.once()
            await asyncio.sleep(0.5)


def has_role(host: Host, master: Host) -> bool:
    """Whether a redis runs as a replica of the master."""
    if host.run(f"systemctl is-active {UNIT}", check=False).stdout.strip() != "active":
        return False
    role = redis(host, "ROLE")
    return isinstance(role, list) and role[:2] == ["slave", master.address]


def _prioritised(lab: Lab, priority: str) -> None:
    for host in lab.hosts:
        if host.run(f"systemctl is-active {UNIT}", check=False).stdout.strip() == "active":
            redis(host, "CONFIG", "SET", "slave-priority", priority)


def _nobody(host: Host) -> bool:
    """Whether its sentinel knows no replica that may be promoted."""
    rows = sentinel(host, "SENTINEL", "SLAVES", MASTER_NAME)
    assert isinstance(rows, list)
    return {dict(zip(row[::2], row[1::2], strict=True))["slave-priority"] for row in rows} == {"0"}


async def _recovered(operator: Operator, host: Host) -> dict[str, Any]:
    """Ask until it is not too early any more; the answer."""
    for at in count():
        act = await operator.run(Wish("recover", host.name, f"2026-01-31T12:00:{at:02}Z"))
        if act["result"] != "Refused":
            return act
        assert "may still succeed" in act["message"] or "in a failover" in act["message"], act
        await asyncio.sleep(1)
    raise AssertionError


def redis_info(host: Host) -> dict[str, str]:
    text = redis(host, "INFO", "server")
    assert isinstance(text, str)
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
