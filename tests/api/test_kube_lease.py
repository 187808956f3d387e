"""The Lease on a real API server: one holder, an epoch that only grows, an end that is seen at once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from lab.controlplane import ControlPlane
from redis_sentinel_operator.errors import ApiUnavailable, KubeError, LeaseLost
from redis_sentinel_operator.kube import lease as lease_module
from redis_sentinel_operator.kube.client import KubeClient, path_of
from redis_sentinel_operator.kube.lease import Lease, epoch_of
from redis_sentinel_operator.scope import LEASE
from redis_sentinel_operator.settings import Settings

ROOT = Path(__file__).parents[2]
OPERATOR = "redis-sentinel-operator"
QUICK = Settings(lease_duration=2.0, lease_renew_deadline=1.0, lease_retry=0.1)
# What is held is fresh however slow the machine is, and ends only where a test gives it up or ends its holder.
LONG = Settings(lease_duration=36000.0, lease_renew_deadline=18000.0, lease_retry=0.1)
# It ends soon where nobody renews it; who holds it is fresh for long.
SHORT = Settings(lease_duration=2.0, lease_renew_deadline=18000.0, lease_retry=0.1)
pytestmark = pytest.mark.timeout(240)
PATH = path_of("coordination.k8s.io", "v1", "leases", OPERATOR, LEASE)


@pytest_asyncio.fixture
async def clean(operator_environment: dict[str, str], admin: KubeClient) -> AsyncIterator[KubeClient]:
    """No Lease before and after."""
    if await admin.get_or_none(PATH):
        await admin.request("DELETE", PATH)
    yield admin
    if await admin.get_or_none(PATH):
        await admin.request("DELETE", PATH)


def lease(client: KubeClient, identity: str, settings: Settings = QUICK) -> Lease:
    return Lease(client, OPERATOR, identity, settings)


async def spec_of(admin: KubeClient) -> dict[str, Any]:
    spec: dict[str, Any] = (await admin.request("GET", PATH))["spec"]
    return spec


async def until(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)


async def test_it_is_taken_renewed_and_given_up(clean: KubeClient, operator_client: KubeClient) -> None:
    mine = lease(operator_client, "one", LONG)
    assert not mine.fresh()
    await mine.acquire()
    assert mine.fresh()
    taken = await spec_of(clean)
    assert (taken["holderIdentity"], taken["leaseTransitions"]) == ("one", 0)
    assert mine.epoch == epoch_of(taken["acquireTime"]) > 0
    await mine.renew()
    renewed = await spec_of(clean)
    assert renewed["renewTime"] > taken["renewTime"]
    assert renewed["acquireTime"] == taken["acquireTime"]
    await mine.release()
    assert not mine.fresh()
    released = await spec_of(clean)
    assert "holderIdentity" not in released
    assert released["acquireTime"] == taken["acquireTime"]


async def test_a_released_one_is_taken_at_once_and_the_epoch_grows(
    clean: KubeClient, operator_client: KubeClient
) -> None:
    first, second = lease(operator_client, "one", LONG), lease(operator_client, "two", LONG)
    await first.acquire()
    await first.release()
    await asyncio.wait_for(second.acquire(), 90)
    assert second.epoch > first.epoch
    assert (await spec_of(clean))["leaseTransitions"] == 1


@dataclass
class Clock:
    """The clock that leases go by, moved by the test; `time` is the real one."""

    now: float = 1000.0
    time: Callable[[], float] = time.time

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(lease_module, "time", found)
    return found


async def looked(waiting: Lease, clock: Clock) -> None:
    """Move the clock by next to nothing, and return when who waits has looked at the Lease after that."""
    clock.now += 0.001
    await until(lambda: waiting._standing_by == clock.now, "it looks at the Lease")


async def test_a_holder_that_renews_keeps_it_and_one_that_stops_loses_it(
    clean: KubeClient, operator_client: KubeClient, clock: Clock
) -> None:
    first, second = lease(operator_client, "one"), lease(operator_client, "two")
    await first.acquire()
    said: list[str] = []
    renewing = asyncio.create_task(first.renew_forever(said.append))
    waiting = asyncio.create_task(second.acquire())
    await looked(second, clock)
    for _ in range(10):  # for twice as long as it would hold
        clock.now += 0.2 * QUICK.lease_duration
        await until(lambda: first._renewed_at == clock.now, "it is renewed")
        await looked(second, clock)
    assert first.fresh() and not waiting.done() and not second.fresh()
    async with first._writing:  # no request is under way that would be a renewal yet
        renewing.cancel()
        await asyncio.wait({renewing})
    for _ in range(2):  # what was asked for before may be answered first
        await looked(second, clock)  # it is counted from the last renewal
    clock.now += 0.9 * QUICK.lease_duration
    await looked(second, clock)
    assert not waiting.done()
    clock.now += 0.2 * QUICK.lease_duration
    await asyncio.wait_for(waiting, 90)
    assert not first.fresh()
    assert second.fresh() and second.epoch > first.epoch


async def test_a_holder_that_comes_back_late_sees_that_it_lost(clean: KubeClient, operator_client: KubeClient) -> None:
    first, second = lease(operator_client, "one"), lease(operator_client, "two")
    await first.acquire()
    await second.acquire()
    with pytest.raises(LeaseLost, match=f"{OPERATOR}/{LEASE} is held by two, not by this process"):
        await first.renew()
    said: list[str] = []
    await asyncio.wait_for(first.renew_forever(said.append), 90)
    assert first.lost and not first.fresh()
    assert len(said) == 1
    await first.release()  # must not take it from the other
    assert (await spec_of(clean))["holderIdentity"] == "two"


async def test_a_namespace_that_does_not_exist_is_no_reason_to_wait(admin: KubeClient) -> None:
    with pytest.raises(KubeError, match='namespaces "nowhere" not found'):
        await Lease(admin, "nowhere", "one", QUICK).acquire()


async def test_of_many_that_want_it_one_gets_it(clean: KubeClient, operator_client: KubeClient) -> None:
    many = [lease(operator_client, f"no{i}", LONG) for i in range(5)]
    tasks = [asyncio.create_task(each.acquire()) for each in many]
    await until(lambda: sum(each.stands_by() for each in many) == 4, "all others have seen that it is held")
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert sum(each.fresh() for each in many) == 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_touched_object_is_still_ours(clean: KubeClient, operator_client: KubeClient) -> None:
    mine = lease(operator_client, "one")
    await mine.acquire()
    body = {"metadata": {"annotations": {"somebody": "was here"}}}
    await clean.request("PATCH", PATH, body=body, content_type="application/merge-patch+json")
    before = (await spec_of(clean))["renewTime"]
    await mine.renew()
    found = await clean.request("GET", PATH)
    assert found["spec"]["renewTime"] > before
    assert found["metadata"]["annotations"] == {"somebody": "was here"}


async def test_the_epoch_grows_also_when_the_object_is_deleted(clean: KubeClient, operator_client: KubeClient) -> None:
    mine = lease(operator_client, "one", LONG)
    await mine.acquire()
    before = mine.epoch
    await clean.request("DELETE", PATH)
    await mine.renew()
    assert mine.fresh() and mine.epoch > before
    found = await spec_of(clean)
    assert (found["holderIdentity"], found["leaseTransitions"]) == ("one", 0)
    after = lease(operator_client, "two")
    await clean.request("DELETE", PATH)
    await after.acquire()
    assert after.epoch > mine.epoch


async def test_the_epoch_is_later_than_one_from_a_clock_that_is_ahead(
    clean: KubeClient, operator_client: KubeClient
) -> None:
    mine = lease(operator_client, "one")
    await mine.acquire()
    body = {"spec": {"holderIdentity": None, "acquireTime": "2099-01-01T00:00:00.999999Z"}}
    await clean.request("PATCH", PATH, body=body, content_type="application/merge-patch+json")
    after = lease(operator_client, "two")
    await after.acquire()
    assert (await spec_of(clean))["acquireTime"] == "2099-01-01T00:00:01.000000Z"
    assert after.epoch == epoch_of("2099-01-01T00:00:00.999999Z") + 1


async def test_an_epoch_that_hosts_remember_of_another_operator_is_outlived_while_it_is_renewed(
    clean: KubeClient, operator_client: KubeClient
) -> None:
    mine = lease(operator_client, "one", LONG)
    await mine.acquire()
    said: list[str] = []
    renewing = asyncio.create_task(mine.renew_forever(said.append))
    ahead = epoch_of("2099-01-01T00:00:00.999999Z")  # the other one's clock
    found = await asyncio.gather(*(mine.outlive(ahead + number) for number in range(5)))
    assert sorted(found) == [ahead + number for number in range(1, 6)]
    assert epoch_of((await spec_of(clean))["acquireTime"]) == mine.epoch == ahead + 5
    before = (await spec_of(clean))["renewTime"]
    await until(lambda: mine._object["spec"]["renewTime"] > before, "it is renewed")
    assert (await spec_of(clean))["renewTime"] > before
    assert mine.fresh() and not said
    assert await mine.outlive(7) == ahead + 5, "an earlier one is no reason"
    renewing.cancel()


async def test_who_has_lost_it_outlives_nobody(clean: KubeClient, operator_client: KubeClient) -> None:
    """Frozen and resumed, it reads on the hosts what its successor has written there."""
    first, second = lease(operator_client, "one"), lease(operator_client, "two")
    await first.acquire()
    await second.acquire()
    with pytest.raises(LeaseLost):
        await first.outlive(second.epoch)
    assert epoch_of((await spec_of(clean))["acquireTime"]) == second.epoch > first.epoch


async def test_who_waits_stands_by_as_long_as_it_reads_the_lease_of_another(
    clean: KubeClient, operator_client: KubeClient
) -> None:
    first, second = lease(operator_client, "one", SHORT), lease(operator_client, "two", SHORT)
    await first.acquire()
    renewing = asyncio.create_task(first.renew_forever(lambda _: None))
    waiting = asyncio.create_task(second.acquire())
    await until(second.stands_by, "it stands by")
    assert not first.stands_by()
    renewing.cancel()
    await asyncio.wait_for(waiting, 90)
    assert second.fresh() and not second.stands_by()


async def test_without_an_answer_it_is_stale_in_time_and_fresh_after(
    api: ControlPlane, clean: KubeClient, operator_environment: dict[str, str], clock: Clock
) -> None:
    pid = api.daemons.pid("kube-apiserver")
    assert pid
    client = await KubeClient.connect(operator_environment, 0.5)
    mine = lease(client, "one")
    await mine.acquire()
    said: list[str] = []
    renewing = asyncio.create_task(mine.renew_forever(said.append))
    os.kill(pid, signal.SIGSTOP)
    try:
        clock.now += QUICK.lease_renew_deadline  # and for a second more nobody else may hold it
        assert not mine.fresh(), "the lease stays fresh without any answer"
        with pytest.raises(ApiUnavailable):
            await mine.renew()
        assert not mine.fresh()
    finally:
        os.kill(pid, signal.SIGCONT)
    await until(mine.fresh, "not fresh after the API server came back")
    assert not said
    renewing.cancel()
    await client.close()


def holder_process(environment: dict[str, str]) -> subprocess.Popen[str]:
    """A process that takes the Lease under its own name, says so, and waits."""
    code = """
import asyncio, os
from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.holder import own_name
from redis_sentinel_operator.kube.lease import Lease
from redis_sentinel_operator.settings import from_environment

async def main():
    client = await KubeClient.connect(os.environ)
    lease = Lease(client, os.environ["POD_NAMESPACE"], own_name(), from_environment(os.environ))
    await lease.acquire()
    print(lease.fresh(), lease.epoch, flush=True)
    await asyncio.to_thread(input)
    print(lease.fresh(), lease.epoch, flush=True)
    await client.close()

asyncio.run(main())
"""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT / "operator")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_the_lease_of_a_process_that_was_killed_here_is_taken_at_once(
    clean: KubeClient, operator_client: KubeClient, operator_environment: dict[str, str]
) -> None:
    with holder_process({**operator_environment, "RSO_LEASE_DURATION": "36000"}) as process:
        try:
            assert process.stdout is not None
            fresh, epoch = (await asyncio.to_thread(process.stdout.readline)).split()
            assert fresh == "True"
            mine = lease(operator_client, "two", LONG)
            waiting = asyncio.create_task(mine.acquire())
            await until(mine.stands_by, "it waits")
            await asyncio.sleep(1.0)
            assert not waiting.done()  # it lives
        finally:
            process.kill()
    await asyncio.wait_for(waiting, 90)  # long before it ends
    assert mine.epoch > int(epoch)


async def test_a_process_that_was_stopped_is_not_fresh_from_its_first_instruction_on(
    clean: KubeClient, operator_environment: dict[str, str]
) -> None:
    with holder_process({**operator_environment, "RSO_LEASE_RENEW_DEADLINE": "3"}) as process:
        try:
            assert process.stdout is not None and process.stdin is not None
            assert (await asyncio.to_thread(process.stdout.readline)).split()[0] == "True"
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(3.2)
            process.stdin.write("\n")
            process.stdin.flush()
            process.send_signal(signal.SIGCONT)
            assert (await asyncio.to_thread(process.stdout.readline)).split()[0] == "False"
        finally:
            process.kill()
