"""The actions of procedures on hosts, and a whole switchover with them, without an API server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from hosts.operating import STATE, TIMER, Operator, roles, switched
from hosts.passes import Passes, settled_passes
from hosts.stepping import redis, step, until
from lab.hosts import Host
from lab.labs import Lab
from lab.resp import RespError
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.operation import Before, Fence, ForgetOperation, Operation, RememberOperation
from redis_sentinel_operator.model.step import ReleaseClaim
from redis_sentinel_operator.observe.gather import read_claim
from redis_sentinel_operator.operations.leftovers import PUT_BACK
from redis_sentinel_operator.operations.move import RESTORE
from redis_sentinel_operator.operations.procedures import PROCEDURES

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    async with settled_passes(whole) as each:
        await each.until_settled()
        yield each


def fence(replica: Host, seconds: float) -> Fence:
    values, back = {"min-slaves-max-lag": "10", "min-slaves-to-write": "99"}, {"min-slaves-to-write": "0"}
    return Fence(6379, seconds, replica.name, values, back)


def writes(host: Host) -> bool:
    try:
        return redis(host, "SET", "operation:key", "value") == "OK"
    except RespError as error:
        assert "NOREPLICAS" in str(error)
        return False


async def test_a_fenced_master_takes_no_writes_until_the_host_itself_lets_them_in(loop: Passes, whole: Lab) -> None:
    master, replica = await roles(loop, whole)
    redis(master, "SET", "operation:before", "value")
    result = await loop.do(step(master, fence(replica, 300)))
    assert result.ok, result.message
    assert redis(replica, "GET", "operation:before") == "value"
    assert not writes(master)
    assert master.run("stat -c '%a %U' /var/lib/redis-sentinel-operator/unfence").stdout.strip() == "600 root"
    assert "active" in master.run(TIMER).stdout
    shown = master.run(
        "ps axww; systemctl show 'redis-sentinel-operator-unfence.*'; systemctl cat 'redis-sentinel-operator-unfence.*'"
    )
    assert loop.desired.password is not None
    assert loop.desired.password.reveal() not in shown.stdout
    await loop.do(step(master, fence(replica, 3)))  # anew, and for as long as nobody looks at it meanwhile
    await until(lambda: writes(master))
    await until(lambda: master.run("ls /var/lib/redis-sentinel-operator/unfence", check=False).returncode != 0)


async def test_arming_again_begins_anew_and_forgetting_disarms(loop: Passes, whole: Lab) -> None:
    master, replica = await roles(loop, whole)
    for _ in range(2):
        assert (await loop.do(step(master, fence(replica, 300)))).ok
    redis(master, "CONFIG", "SET", "min-slaves-to-write", "0")
    assert (await loop.do(step(master, ForgetOperation()))).ok
    assert master.run(TIMER, check=False).stdout.strip() != "active"
    assert master.run("ls /var/lib/redis-sentinel-operator/unfence", check=False).returncode != 0


RECORD = Operation(
    "op1", "switchover", "ask", "t0", "t1", "t2", "-", "10.0.0.1", "10.0.0.2", 3, "10.0.0.3", 7,
    {"10.0.0.2": {"slave-priority": Before("100", None)}}, "Failed", "it said \"no\" \\ and more",
)  # fmt: skip


async def test_the_record_is_kept_through_all_else_that_is_written_down(loop: Passes, whole: Lab) -> None:
    host = whole.master01
    link = loop.links[host.name]
    assert (await loop.do(step(host, RememberOperation(RECORD)))).ok
    await loop.until_settled()
    claim = await read_claim(link)
    assert isinstance(claim, Known)
    assert claim.value is not None
    assert claim.value.operation == RECORD
    assert (await loop.do(step(host, ReleaseClaim()))).ok
    left = json.loads(host.run(f"cat {STATE}").stdout)
    assert (left["owner"], left["operation"]["id"]) == ("", "op1")
    await loop.until_settled()  # takes the host again
    claim = await read_claim(link)
    assert isinstance(claim, Known)
    assert claim.value is not None
    assert (claim.value.owner, claim.value.operation) == (loop.guard.owner, RECORD)
    assert (await loop.do(step(host, ForgetOperation()))).ok
    assert (await loop.do(step(host, ReleaseClaim()))).ok
    assert host.run(f"ls {STATE}", check=False).returncode != 0
    await loop.until_settled()


@pytest.mark.long
async def test_a_whole_switchover_loses_no_acknowledged_plain_write(loop: Passes, whole: Lab) -> None:
    await switched(loop, whole, Operator(loop))


POINTS = [(step, when) for step in (*PROCEDURES["switchover"].commands, RESTORE) for when in ("before", "after")]


@pytest.mark.long
@pytest.mark.parametrize(("step", "when"), POINTS, ids=map("-".join, POINTS))
async def test_killed_at_any_step(loop: Passes, whole: Lab, step: str, when: str) -> None:
    sentence = PUT_BACK if step == RESTORE else PROCEDURES["switchover"].commands[step]
    await switched(loop, whole, Operator(loop, dies=(sentence, when)), asked=(step, when) != ("ask", "before"))


async def test_killed_right_after_the_question_and_robbed_of_its_status(loop: Passes, whole: Lab) -> None:
    """The hosts tell that it was asked: it is not asked again."""
    sentence = PROCEDURES["switchover"].commands["ask"]
    await switched(loop, whole, Operator(loop, dies=(sentence, "after"), robbed=True))
