"""Sentinels that do not get over something, on hosts without an API server: mended, whoever dies in between."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hosts.operating import Operator, roles
from hosts.passes import Passes
from hosts.stepping import redis, sentinel, step, told, until
from lab.hosts import Host
from lab.labs import Lab
from lab.resp import Resp
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.apply.outcome import NOT_DONE
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.sentinel_conf import parse
from redis_sentinel_operator.model.operation import MonitorAnew
from redis_sentinel_operator.model.verdict import Confirmed, Uncertain
from redis_sentinel_operator.operations import reset_stale
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.operations.procedures import PROCEDURES

pytestmark = pytest.mark.timeout(240)
COMMANDS = PROCEDURES["reset-stale"].commands
UNIT, CONF = "redis-sentinel.service", EL7.sentinel_conf
SHIPPED = Path(__file__).parents[1] / "unit" / "conf" / "captures" / "sentinel-shipped.conf"
WISH = Wish("reset-stale", "-", "2026-01-31T12:00:00Z")
SETTINGS = ("ip", "quorum", "down-after-milliseconds", "failover-timeout", "parallel-syncs", "num-slaves")
KEPT = (*SETTINGS, "num-other-sentinels", "config-epoch", "flags")


def of_interest(host: Host) -> list[str]:
    have = told(host)
    return [have[name] for name in KEPT]


def file_of(host: Host) -> str:
    return host.run(f"cat {CONF}").stdout


def rewrite(host: Host, text: str) -> None:
    """Start its sentinel with another file."""
    host.run(f"systemctl stop {UNIT}")
    host.run(f"cat >{CONF}; chown redis:root {CONF}; chmod 640 {CONF}; systemctl start {UNIT}", stdin=text)


async def led_astray(host: Host, address: str) -> None:
    """Let a sentinel name another master, at the epoch that the others have: none of them makes it follow."""
    epoch = int(told(host)["config-epoch"])  # that of its file may be older
    rewrite(host, parse(file_of(host)).with_master(MASTER_NAME, address, 6379, epoch))
    await until(partial(_answers, host))
    await asyncio.sleep(6)  # three hellos of each
    assert sentinel(host, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME) == [address, "6379"]


def _answers(host: Host) -> bool:
    return host.run(f"timeout 1 bash -c '</dev/tcp/{host.address}/26379'", check=False).returncode == 0


def nobody(lab: Lab) -> str:
    """An address of the hosts' network that no machine has."""
    return lab.master01.address.rpartition(".")[0] + ".199"


def my_id(host: Host) -> str:
    return parse(file_of(host)).my_id


def hello(of: str, id_: str, master: str, epoch: int) -> tuple[str, str, str]:
    """What a sentinel says every two seconds, to every redis and to every other sentinel."""
    return "PUBLISH", "__sentinel__:hello", f"{of},26379,{id_},{epoch},{MASTER_NAME},{master},6379,{epoch}"


async def all_well(loop: Passes, lab: Lab, master: Host) -> None:
    await loop.until_settled()
    for host in lab.replicas:
        await until(lambda host=host: _whole(host, master))  # type: ignore[misc]
    assert redis(master, "ROLE")[0] == "master"  # type: ignore[index]
    found = (await loop.read()).verdict
    assert isinstance(found.master, Confirmed)
    assert (found.quorum.reason, found.preflight.reason) == ("QuorumReached", found.preflight.reason)
    assert found.preflight.reason not in ("GhostSentinels", "ShippedSentinel")


def _whole(host: Host, master: Host) -> bool:
    have = told(host)
    return (have["ip"], have["num-slaves"], have["num-other-sentinels"]) == (master.address, "3", "2")


# -- one that names another master


@pytest.mark.parametrize(
    "when", ["after", pytest.param("before", marks=pytest.mark.long), pytest.param("", marks=pytest.mark.long)]
)
async def test_one_that_names_another_master_at_the_same_epoch(loop: Passes, whole: Lab, when: str) -> None:
    """Nobody is confirmed as long as it does; all its settings and its id are as before."""
    master, _ = await roles(loop, whole)
    host = whole.replicas[-1]
    before, id_ = of_interest(host), my_id(host)
    await led_astray(host, nobody(whole))
    found = (await loop.read()).verdict
    assert isinstance(found.master, Uncertain)
    assert (found.master.reason, found.quorum.reason) == ("SentinelsDisagree", "SentinelStale")
    operator = Operator(loop, dies=(COMMANDS["monitor"], when) if when else None)
    act = await operator.run(WISH)
    assert operator.dies is None, "it did not die at all"
    assert act["result"] == "Done", act["message"]
    epoch = told(master if master in whole.replicas else whole.replicas[0])["config-epoch"]
    assert act["message"] in (
        f"every sentinel names {master.name} at config epoch {epoch} and knows all others",
        "nothing had to be done: the sentinels got over it by themselves",
    )
    await all_well(loop, whole, master)
    assert of_interest(host) == before
    assert my_id(host) == id_


@pytest.mark.long
async def test_one_that_is_told_old_things_in_that_moment_ends_with_the_master_all_the_same(
    loop: Passes, whole: Lab
) -> None:
    """It begins at epoch 0: somebody who comes back with an old master is believed first, and then the majority."""
    master, old = await roles(loop, whole)
    first, host = whole.replicas[0], whole.replicas[-1]
    epoch = int(told(first)["config-epoch"]) + 5
    sentinel(whole.replicas[1], *hello(first.address, my_id(first), master.address, epoch))
    for each in whole.replicas:
        await until(lambda each=each: told(each)["config-epoch"] == str(epoch))  # type: ignore[misc]
    await led_astray(host, nobody(whole))
    with chatter(host, first, old, epoch - 1) as said:
        act = await Operator(loop).run(WISH)
    assert said, "nobody said anything"
    assert act["result"] == "Done", act["message"]
    await all_well(loop, whole, master)
    assert told(host)["config-epoch"] == str(epoch)


@contextmanager
def chatter(to: Host, of: Host, master: Host, epoch: int) -> Iterator[list[int]]:
    """In the name of a sentinel that has slept: an old master, twenty times a second."""
    over, said, id_ = threading.Event(), list[int](), my_id(of)

    def talk() -> None:
        with Resp.to(to, 26379) as link:
            while not over.wait(0.05):
                link.call(*hello(of.address, id_, master.address, epoch))
                said.append(1)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield said
    finally:
        over.set()
        thread.join()


async def test_it_is_told_nothing_while_another_is_away_or_when_it_is_right(loop: Passes, whole: Lab) -> None:
    master, _ = await roles(loop, whole)
    host, other = whole.replicas[-1], whole.replicas[0]
    found = (await loop.read()).verdict.master
    assert isinstance(found, Confirmed)
    anew = step(host, MonitorAnew(master.address, found.config_epoch))
    result = await loop.do(anew)
    assert (result.ok, result.reason) == (False, NOT_DONE)
    assert result.message == f"nothing was done: the sentinel on {host.name} names what the others name"
    sentinel(host, "SENTINEL", "REMOVE", MASTER_NAME)
    other.run(f"systemctl stop {UNIT}")
    result = await loop.do(anew)
    assert (result.ok, result.reason) == (False, NOT_DONE)
    assert (
        result.message == "nothing was done: no majority of the declared sentinels names one master at one config epoch"
    )
    other.run(f"systemctl start {UNIT}")
    await until(partial(_answers, other))
    await until(lambda: told(other)["config-epoch"] == str(found.config_epoch))
    done = await loop.do(anew)
    assert done.ok, done.message
    await all_well(loop, whole, master)


# -- those that count who is gone


@pytest.mark.long
@pytest.mark.parametrize("when", ["before", "after"])
async def test_ghosts_are_forgotten_by_one_after_the_other(loop: Passes, whole: Lab, when: str) -> None:
    master, _ = await roles(loop, whole)
    await haunted(whole, master)
    found = (await loop.read()).verdict
    assert found.preflight.reason == "GhostSentinels"
    operator = Operator(loop, dies=(COMMANDS["forget"], when))
    act = await operator.run(WISH)
    assert operator.dies is None, "it did not die at all"
    assert act["result"] == "Done", act["message"]
    resets = [host for host, what in operator.done if what.startswith(COMMANDS["forget"])]
    assert sorted(resets) == sorted(host.name for host in whole.replicas)
    await all_well(loop, whole, master)


async def haunted(lab: Lab, master: Host) -> None:
    """Two sentinels that nobody runs are known to all, and down for all."""
    for number in "89":
        address = f"{nobody(lab)[:-1]}{number}"
        redis(master, *hello(address, number * 40, master.address, 0))
    for host in lab.replicas:
        await until(partial(_sees_ghosts, host))


def _sees_ghosts(host: Host) -> bool:
    rows = sentinel(host, "SENTINEL", "SENTINELS", MASTER_NAME)
    assert isinstance(rows, list)
    peers = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows]
    ghosts = [peer for peer in peers if peer["runid"][:2] in ("88", "99") and "s_down" in peer["flags"]]
    return len(ghosts) == 2


@pytest.mark.long
async def test_with_automatic_recovery_only_one_in_whose_place_another_answers_is_forgotten(
    loop: Passes, whole: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reset_stale, "HOLD_UNASKED", 3.0)
    master, _ = await roles(loop, whole)
    host = whole.replicas[-1]
    rewrite(host, file_of(host).replace(my_id(host), "d" * 40))
    for each in whole.replicas[:-1]:
        await until(lambda each=each: told(each)["num-other-sentinels"] == "3")  # type: ignore[misc]
    loop.desired = replace(loop.desired, recovery="Automatic")
    status = await Operator(loop).until(lambda status: any(act["result"] == "Done" for act in status.get("acts", ())))
    assert status["acts"][-1]["verb"] == "reset-stale"
    await all_well(loop, whole, master)
    await haunted(whole, master)
    ends = time.monotonic() + 8.0
    status = await Operator(loop).until(lambda _: time.monotonic() > ends)
    assert "acts" not in status
    assert (await loop.read()).verdict.preflight.reason == "GhostSentinels"
    loop.desired = replace(loop.desired, recovery="Manual")
    assert (await Operator(loop).run(replace(WISH, at="2026-01-31T12:30:00Z")))["result"] == "Done"
    await all_well(loop, whole, master)


# -- one that runs as its package brought it


@pytest.mark.long
@pytest.mark.parametrize(
    ("at", "when"), [(at, when) for at in ("stop", "write", "start") for when in ("before", "after")]
)
async def test_one_that_runs_with_its_packages_file(loop: Passes, whole: Lab, at: str, when: str) -> None:
    master, _ = await roles(loop, whole)
    host = whole.replicas[-1]
    host.run(f"systemctl stop {UNIT}")
    for each in whole.replicas[:-1]:
        sentinel(each, "SENTINEL", "RESET", MASTER_NAME)
        await until(lambda each=each: told(each)["num-slaves"] == "3")  # type: ignore[misc]
    rewrite(host, SHIPPED.read_text())
    await until(lambda: host.run(f"systemctl is-active {UNIT}", check=False).stdout.strip() == "active")
    found = (await loop.read()).verdict
    assert found.preflight.reason == "ShippedSentinel", found.preflight
    operator = Operator(loop, dies=(COMMANDS[at], when))
    act = await operator.run(WISH)
    assert operator.dies is None, "it did not die at all"
    assert act["result"] == "Done", act["message"]
    await all_well(loop, whole, master)
