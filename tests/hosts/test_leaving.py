"""What is done on real hosts when one leaves: units disabled, and a sentinel that forgets, or is not asked to."""

from __future__ import annotations

import asyncio

import pytest

from hosts.cutting import answer_lost, cut_short
from hosts.passes import Passes, find_each_other
from hosts.stepping import kept_ignorant, patient, step, told, until
from lab.hosts import Host
from lab.labs import Lab
from lab.seedcluster import MASTER_NAME
from redis_sentinel_operator.apply import reset
from redis_sentinel_operator.errors import SessionLost
from redis_sentinel_operator.model.step import DisableUnits, EnableUnits, SentinelReset

pytestmark = pytest.mark.timeout(240)
RESET = SentinelReset(MASTER_NAME, 26379)


def states(host: Host) -> list[str]:
    command = "systemctl is-active redis redis-sentinel; systemctl is-enabled redis redis-sentinel"
    return host.run(command, check=False).stdout.split()


async def test_disabled_units_run_on_and_nothing_changes_the_second_time(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    both = ("redis.service", "redis-sentinel.service")
    for _ in range(2):
        result = await loop.do(step(host, DisableUnits(both)))
        assert (result.ok, result.message) == (True, "disabled: redis.service, redis-sentinel.service")
        assert states(host) == ["active", "active", "disabled", "disabled"]
    assert (await loop.do(step(host, EnableUnits(both)))).ok


@pytest.mark.parametrize("after", [10, 24, 26])
async def test_disabling_that_is_cut_is_done_by_the_next(loop: Passes, whole: Lab, after: int) -> None:
    host = whole.replicas[0]
    disable = step(host, DisableUnits(("redis.service",)))
    with cut_short(loop.links[host.name], after), pytest.raises(SessionLost):
        await loop.do(disable)
    assert (await loop.do(disable)).ok
    assert states(host) == ["active", "active", "disabled", "enabled"]
    assert (await loop.do(step(host, EnableUnits(("redis.service",))))).ok


async def test_a_sentinel_forgets_and_finds_what_is_there(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    with patient(host), kept_ignorant(host):
        result = await loop.do(step(host, RESET))
        assert (result.ok, result.message) == (True, "it forgot them")
        again = await loop.do(step(whole.replicas[1], RESET))
    assert not again.ok
    assert again.message == (
        f"nothing was done: the sentinel on {host.name} does not know all others yet"
    ) or again.message.endswith("does not know all replicas yet"), again.message
    await until(lambda: knows_all(host))


async def test_forgetting_that_is_cut_or_whose_answer_is_lost_is_done_by_the_next(loop: Passes, whole: Lab) -> None:
    """Cut in the question whether the host is ours it forgets nothing; without the answer it has forgotten."""
    host = whole.replicas[0]
    await until(lambda: knows_all(host))
    with cut_short(loop.links[host.name], 20), pytest.raises(SessionLost):
        await loop.do(step(host, RESET))
    assert knows_all(host)
    with patient(host), kept_ignorant(host):
        with answer_lost(1, reset), pytest.raises(SessionLost):
            await loop.do(step(host, RESET))
        assert not knows_all(host)
    await until(lambda: knows_all(host))
    result = await loop.do(step(host, RESET))
    assert (result.ok, result.message) == (True, "it forgot them")
    await until(lambda: knows_all(host))


def knows_all(host: Host) -> bool:
    return (told(host)["num-slaves"], told(host)["num-other-sentinels"]) == ("3", "2")


async def test_no_sentinel_forgets_while_another_is_away(loop: Passes, whole: Lab) -> None:
    host, other = whole.replicas[0], whole.replicas[1]
    before = told(host)
    other.run("systemctl stop redis-sentinel")
    result = await loop.do(step(host, RESET))
    refused = f"host {other.name}: nobody listens on port 26379 (Connection refused)"
    assert (result.ok, result.message) == (False, f"nothing was done: {other.name}: {refused}")
    after = told(host)
    assert [after[key] for key in ("num-slaves", "num-other-sentinels")] == [
        before[key] for key in ("num-slaves", "num-other-sentinels")
    ]
    await loop.until_settled()
    assert await asyncio.to_thread(find_each_other, whole)
