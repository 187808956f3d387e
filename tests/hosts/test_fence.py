"""A fenced host: nothing starts its servers, not a boot and not a unit made by hand, until the fence is taken away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from hosts.cutting import cut_short
from hosts.passes import Passes, Reading
from hosts.stepping import redis, until
from lab.hosts import Host
from lab.labs import Lab
from redis_sentinel_operator.conf.family import FENCE
from redis_sentinel_operator.errors import SessionLost
from redis_sentinel_operator.model.desired import Aside
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.step import RememberNotes, StartUnit, StopUnit
from redis_sentinel_operator.model.verdict import Confirmed

pytestmark = pytest.mark.timeout(240)
OWN = "my-redis.service"
UNIT = f"""\
cat >/etc/systemd/system/{OWN} <<'EOF'
[Service]
User=redis
ExecStart=/usr/bin/redis-server /etc/redis.conf --daemonize no --supervised no
[Install]
WantedBy=multi-user.target
EOF
systemctl daemon-reload && systemctl enable -q {OWN} && systemctl start {OWN}
"""


@pytest.fixture
def away(whole: Lab) -> Iterator[Host]:
    """A replica with a sentinel, which is as before in the end."""
    host = whole.replicas[-1]
    yield host
    host.run(f"systemctl disable -q --now {OWN}; rm -f /etc/systemd/system/{OWN}; systemctl daemon-reload", check=False)


async def test_a_fence_holds_through_a_boot_and_a_unit_made_by_hand_and_is_undone(
    loop: Passes, whole: Lab, away: Host
) -> None:
    await settled(loop)
    name_as(loop, away, "Fenced")
    done = await loop.until_settled()
    assert [result.step.action for result in done] == [HoldUnits(("redis.service", "redis-sentinel.service"))]
    assert nothing_starts(away)
    assert (await settled(loop)).verdict.replication.reason == "ReplicasLeftOut"

    await boot(away)
    assert nothing_starts(away)
    assert (await settled(loop)).verdict.quorum.reason == "SentinelsLeftOut"

    away.run(UNIT)
    await until(lambda: processes(away) != "")
    done = await loop.until_settled()
    assert [type(result.step.action) for result in done] == [HoldUnits]
    assert processes(away) == ""
    await boot(away)
    assert nothing_starts(away)
    away.run(f"systemctl start {OWN}")
    assert processes(away) == ""

    away.run(f"systemctl disable -q {OWN}")
    name_as(loop, away, "")
    done = await loop.until_settled()
    kinds = [type(result.step.action) for result in done]
    assert kinds.index(FreeUnits) < kinds.index(StartUnit)
    assert away.run(f"ls /etc/systemd/system/*.d/{FENCE}", check=False).stdout == ""
    await in_sync(loop, away)


@pytest.mark.parametrize("after", [27, *(pytest.param(n, marks=pytest.mark.long) for n in (24, 30, 33, 38))])
async def test_a_fence_that_is_cut_is_put_up_and_taken_away_by_the_next_passes(
    loop: Passes, whole: Lab, away: Host, after: int
) -> None:
    """Cut before a drop-in, between the two, before systemd reads them, before a unit is stopped."""
    await settled(loop)
    for aside, kind in (("Fenced", HoldUnits), ("", FreeUnits)):
        name_as(loop, away, aside)  # type: ignore[arg-type]
        todo = next(each for each in (await loop.read()).todo.steps if isinstance(each.action, kind))
        with (
            cut_short(loop.links[away.name], min(after, 29) if kind is FreeUnits else after),
            pytest.raises(SessionLost),
        ):
            await loop.do(todo)
        done = await loop.until_settled()
        assert kind in {type(result.step.action) for result in done}
        assert nothing_starts(away) is (kind is HoldUnits) or kind is FreeUnits
    assert away.run(f"ls /etc/systemd/system/*.d/{FENCE}", check=False).stdout == ""
    await in_sync(loop, away)


async def test_maintenance_stops_a_host_once_and_leaves_it_alone_until_it_is_back(
    loop: Passes, whole: Lab, away: Host
) -> None:
    await settled(loop)
    name_as(loop, away, "Maintenance")
    done = await loop.until_settled()
    assert [result.step.action for result in done if not isinstance(result.step.action, RememberNotes)] == [
        StopUnit("redis.service"),
        StopUnit("redis-sentinel.service"),
    ]
    assert processes(away) == ""
    away.run("systemctl disable -q redis; sed -i 's/^repl-timeout .*/repl-timeout 59/' /etc/redis.conf")
    await boot(away)  # its sentinel comes up, its redis does not: neither is touched
    await until(lambda: processes(away) != "")
    assert (await settled(loop)).todo.steps == ()
    name_as(loop, away, "")
    done = await loop.until_settled()
    whys = [result.step.why for result in done if isinstance(result.step.action, RememberNotes)]
    assert whys == ["spec.maintenanceHosts does not name it any more; it was booted meanwhile"]
    await in_sync(loop, away)


async def test_a_second_host_is_not_stopped_where_no_failover_could_succeed(loop: Passes, whole: Lab) -> None:
    """Two of three sentinels are needed: with one host away the next one stays."""
    await settled(loop)
    first, second = whole.replicas[:2]
    name_as(loop, first, "Maintenance")
    await loop.until_settled()
    name_as(loop, second, "Fenced")
    reading = await loop.read()
    assert reading.todo.steps == ()
    (said,) = reading.todo.waiting
    assert said == (
        f"spec.fencedHosts names {second.name}, which is not stopped: without its sentinel 1 of 3 would work, and a "
        f"failover needs 2. Bring back another first, or take {second.name} out of spec.fencedHosts"
    )
    for host in (first, second):
        name_as(loop, host, "")
    await loop.until_settled()
    await in_sync(loop, first)


# -- what is looked at


def name_as(loop: Passes, host: Host, aside: Aside) -> None:
    """The spec names the host, or does not any more."""
    hosts = tuple(replace(each, aside=aside) if each.name == host.name else each for each in loop.desired.hosts)
    loop.desired = replace(loop.desired, hosts=hosts)


async def settled(loop: Passes) -> Reading:
    """A reading where nothing is left to be done, of a cluster that is calm."""
    assert await loop.until_settled() == []
    reading = await loop.read()
    assert isinstance(reading.verdict.master, Confirmed)
    assert reading.todo.settled, reading.todo
    return reading


async def boot(host: Host) -> None:
    await asyncio.to_thread(host.shut_down)
    await asyncio.to_thread(host.boot)


def processes(host: Host) -> str:
    """Every redis and sentinel that runs there."""
    return host.run("pgrep -a 'redis-(ser|sen)'", check=False).stdout


def nothing_starts(host: Host) -> bool:
    """Whether systemd itself refuses to start the servers."""
    host.run("systemctl start redis redis-sentinel")
    shown = host.run("systemctl show -p ConditionResult redis redis-sentinel").stdout.split()
    return processes(host) == "" and shown == ["ConditionResult=no"] * 2


async def in_sync(loop: Passes, host: Host) -> None:
    """Wait until it is a replica in touch with its master, and all sentinels answer."""
    await until(lambda: redis(host, "ROLE")[:4:3] == ["slave", "connected"], 60)  # type: ignore[index]
    assert (await settled(loop)).verdict.quorum.reason == "QuorumReached"
