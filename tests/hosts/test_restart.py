"""A round of restarts on hosts, without an API server: replicas, a switchover, the former master; and interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hosts.declaring import declare, pids, running
from hosts.operating import Operator, files, roles
from hosts.passes import Passes, settled_passes
from hosts.stepping import redis
from lab.labs import Lab
from lab.ledger import ledger
from lab.seedcluster import PASSWORD
from redis_sentinel_operator.model.step import Impact
from redis_sentinel_operator.operations.move import RESTORE, Wish
from redis_sentinel_operator.operations.procedures import PROCEDURES

pytestmark = pytest.mark.timeout(240)
WISH = Wish("restart", "-", "2026-01-31T12:00:00Z")
COMMANDS = {**PROCEDURES["restart"].commands, RESTORE: "strike the restart"}


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    """A cluster in which one more database is written on every host, and no redis was restarted for it."""
    async with settled_passes(whole) as each:
        await each.until_settled()
        declare(each, {"databases": str(int(running(whole.master01, "databases")) + 1)})
        await _written(each)
        yield each
        declare(each, {})
        await each.until_settled(120)


async def _written(loop: Passes) -> None:
    """Passes until only restarts are left to plan."""
    for _ in range(150):
        todo = (await loop.read()).todo
        if todo.steps and all(step.impact is Impact.RESTART for step in todo.steps):
            assert len(todo.drift) == 4
            return
        for step in todo.steps:
            result = await loop.do(step)
            assert result.ok, result.message
        if not todo.steps:
            await asyncio.sleep(0.5)  # it waits for the hosts' own work
    raise AssertionError(todo)


@pytest.mark.long
async def test_every_redis_is_restarted_once_and_no_acknowledged_plain_write_is_lost(loop: Passes, whole: Lab) -> None:
    before = pids(whole)
    done = await _restarted(loop, whole, Operator(loop))
    after = pids(whole)
    assert [name for name in before if before[name] == after[name]] == []
    hosts = [host for host, what in done if what.startswith("restart")]
    assert len(hosts) == len(set(hosts)) == 4
    assert done[-5:][0][1].startswith(COMMANDS["last"]), "the former master is the last one"


async def test_killed_before_the_former_master_is_restarted_and_robbed_of_its_status(loop: Passes, whole: Lab) -> None:
    await _restarted(loop, whole, Operator(loop, dies=(COMMANDS["last"], "before"), robbed=True))


POINTS = [(each, when) for each in COMMANDS for when in ("before", "after")]


@pytest.mark.long
@pytest.mark.parametrize(("at", "when"), POINTS, ids=map("-".join, POINTS))
async def test_killed_at_any_step(loop: Passes, whole: Lab, at: str, when: str) -> None:
    if (at, when) == ("ask", "before"):  # nobody was asked: it is given up, and the act may be given again
        await _restarted(loop, whole, Operator(loop, dies=(COMMANDS[at], when)), result="Failed")
    else:
        await _restarted(loop, whole, Operator(loop, dies=(COMMANDS[at], when)))


async def test_a_replica_that_does_not_come_up_ends_the_round(loop: Passes, whole: Lab) -> None:
    master, _ = await roles(loop, whole)
    (step,) = (await loop.read()).todo.steps
    host, path = whole[step.host], whole[step.host].family.redis_conf
    before = pids(whole)
    operator = Operator(loop, spoils=("restart redis (", lambda: host.run(f"echo 'no-such-directive 1' >>{path}")))
    act = await operator.run(WISH)
    host.run(f"sed -i '/^no-such-directive/d' {path}")
    assert act["result"] == "Failed"
    assert act["message"].startswith(f"{host.name}: redis.service on {host.name} is ")
    after = pids(whole)
    assert {name for name in before if before[name] != after[name]} == {host.name}
    assert redis(master, "ROLE")[0] == "master"  # type: ignore[index]


async def _restarted(loop: Passes, lab: Lab, operator: Operator, *, result: str = "Done") -> list[tuple[str, str]]:
    """Play a round under writes; what must hold however it went. Returns what was done: host and sentence."""
    old, _ = await roles(loop, lab)
    before = files(lab)
    with ledger(lab, PASSWORD) as book:
        act = await operator.run(WISH)
        new, _ = await roles(loop, lab)
        await asyncio.to_thread(book.wait, 30, new.address)
    assert act["result"] == result, act
    if result == "Done":
        assert act["message"] == (
            f"every redis has in force what is declared; {new.name} is the master, before it was {old.name}"
        )
        assert [running(host, "databases") for host in lab.hosts] == [loop.desired.redis_config["databases"]] * 4
    assert [ack for ack in book.missing(new) if ack.kind == "plain"] == []
    assert files(lab) == before
    return operator.done
