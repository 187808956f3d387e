"""A drill on hosts, without an API server: killed at each of its commands, and where no failover comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hosts.operating import Operator, roles
from hosts.passes import Passes, settled_passes, soon_in_vain
from hosts.stepping import redis, sentinel, step, until
from lab.hosts import Host
from lab.labs import Lab
from lab.ledger import ledger
from lab.seedcluster import MASTER_NAME, PASSWORD
from redis_sentinel_operator.apply.outcome import NOT_DONE
from redis_sentinel_operator.model.operation import StartAgain, StopMaster
from redis_sentinel_operator.model.verdict import Confirmed
from redis_sentinel_operator.operations.move import RESTORE, Wish
from redis_sentinel_operator.operations.procedures import PROCEDURES

pytestmark = pytest.mark.timeout(180)
WISH = Wish("drill", "-", "2026-01-31T12:00:00Z")
COMMANDS = {**PROCEDURES["drill"].commands, RESTORE: "strike the drill"}
UNIT = "redis.service"


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    async with settled_passes(whole) as each:
        await each.until_settled()
        yield each


async def epoch(loop: Passes) -> int:
    master = (await loop.read()).verdict.master
    assert isinstance(master, Confirmed)
    return master.config_epoch


async def test_a_master_is_stopped_only_where_all_agree_and_never_started_beside_another(
    loop: Passes, whole: Lab
) -> None:
    master, replica = await roles(loop, whole)
    now = await epoch(loop)
    old = await loop.do(step(master, StopMaster(UNIT, now + 1)))
    assert (old.ok, old.reason) == (False, NOT_DONE)
    assert old.message == f"it was not stopped: {master.name} is master at config epoch {now} by now"
    other = await loop.do(step(replica, StopMaster(UNIT, now)))
    assert other.message == f"it was not stopped: {master.name} is master at config epoch {now} by now"
    again = await loop.do(step(replica, StartAgain(UNIT, "", now)))
    assert (again.ok, again.reason) == (False, NOT_DONE)
    assert again.message.startswith("it was not started: the sentinel on ")
    assert again.message.endswith(" names another")
    assert redis(master, "ROLE")[0] == "master"  # type: ignore[index]


@pytest.mark.long
async def test_a_whole_drill_loses_no_acknowledged_write(loop: Passes, whole: Lab) -> None:
    await _drilled(loop, whole, Operator(loop))


async def test_killed_right_after_the_stop_and_robbed_of_its_status(loop: Passes, whole: Lab) -> None:
    """The hosts tell that it was the operator who stopped it."""
    await _drilled(loop, whole, Operator(loop, dies=(COMMANDS["stop"], "after"), robbed=True))


POINTS = [(each, when) for each in COMMANDS if each != "back" for when in ("before", "after")]


@pytest.mark.long
@pytest.mark.parametrize(("at", "when"), POINTS, ids=map("-".join, POINTS))
async def test_killed_at_any_step(loop: Passes, whole: Lab, at: str, when: str) -> None:
    await _drilled(loop, whole, Operator(loop, dies=(COMMANDS[at], when)))


async def _drilled(loop: Passes, lab: Lab, operator: Operator) -> None:
    """Play a drill under writes; what must hold however it went."""
    old, _ = await roles(loop, lab)
    with ledger(lab, PASSWORD) as book:
        act = await operator.run(WISH)
        new, _ = await roles(loop, lab)
        await asyncio.to_thread(book.wait, 30, new.address)
    assert act["result"] == "Done", act
    assert act["message"].endswith(f"; {old.name} is its replica")
    assert new != old
    await loop.until_settled()
    assert [redis(host, "ROLE")[0] for host in lab.hosts].count("master") == 1  # type: ignore[index]
    assert book.missing(new) == []
    for host in lab.hosts:
        assert '"operation": {}' in host.run("cat /var/lib/redis-sentinel-operator/state.json").stdout


# -- no failover comes


@pytest.fixture
async def soon(whole: Lab) -> AsyncIterator[Passes]:
    async with soon_in_vain(whole) as each:
        yield each


def none_agree(lab: Lab) -> None:
    """No sentinel finds as many others as it now wants, so none begins a failover: said before there is a reason."""
    for host in lab.replicas:
        sentinel(host, "SENTINEL", "SET", MASTER_NAME, "quorum", "9")


BACK = [None, "before", "after"]


@pytest.mark.parametrize("when", [None, *(pytest.param(each, marks=pytest.mark.long) for each in BACK[1:])])
async def test_without_a_failover_it_is_started_again_and_nothing_is_lost(
    soon: Passes, whole: Lab, when: str | None
) -> None:
    master, _ = await roles(soon, whole)
    dies = (COMMANDS["back"], when) if when else None
    with ledger(whole, PASSWORD) as book:
        act = await Operator(soon, dies=dies, spoils=(COMMANDS["stop"], lambda: none_agree(whole))).run(WISH)
        await asyncio.to_thread(book.wait, 30, master.address)
    assert act["result"] == "Failed"
    assert act["message"] == (
        f"no failover came about within 14 s; redis on {master.name} runs again, with all that it had"
    )
    assert redis(master, "ROLE")[0] == "master"  # type: ignore[index]
    assert book.missing(master) == []
    await soon.until_settled()


@pytest.mark.long
async def test_it_stays_stopped_where_another_one_is_master(soon: Passes, whole: Lab) -> None:
    """A person promotes a replica by hand, which no sentinel knows."""
    master, replica = await roles(soon, whole)

    def by_hand() -> None:
        redis(replica, "SLAVEOF", "NO", "ONE")

    stop = COMMANDS["stop"]
    act = await Operator(soon, spoils=(stop, lambda: none_agree(whole)), then=(stop, by_hand)).run(WISH)
    try:
        assert act["result"] == "Failed"
        assert (
            f"stays stopped, as somebody else may be master: redis on {replica.name} runs as a master" in act["message"]
        )
        assert master.run(f"systemctl is-active {UNIT}", check=False).stdout.strip() == "inactive"
    finally:
        await _start_by_hand(soon, master, replica)


async def _start_by_hand(loop: Passes, master: Host, replica: Host) -> None:
    redis(replica, "SLAVEOF", master.address, "6379")
    master.run(f"systemctl start {UNIT}")
    await until(lambda: redis(replica, "ROLE")[3] == "connected")  # type: ignore[index]
    await loop.until_settled()
