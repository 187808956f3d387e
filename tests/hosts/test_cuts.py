"""Every kind of step cut between two of its commands on real hosts: the next passes finish it, then nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import get_args

import pytest

from hosts.cutting import answer_lost, cut_short
from hosts.passes import OWNER, Passes, find_each_other, passes, settled_passes
from hosts.stepping import conf, leave_a_ring, planned, redis, sentinel, set_quorum, step
from lab.iptables import use_iptables
from lab.labs import Lab
from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.errors import SessionLost
from redis_sentinel_operator.model.departure import RemovePackage, RemoveTraces, SaveData
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.operation import MonitorAnew, OperationAction
from redis_sentinel_operator.model.package import FetchPackage, UpgradePackage
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import (
    Action,
    AllowPorts,
    ConfigSet,
    DisableUnits,
    LabelFile,
    MakeReplica,
    ProveRewrite,
    ReleaseClaim,
    RememberNotes,
    RestoreMaster,
    SentinelReset,
    SentinelSet,
    Step,
    StopUnit,
)
from redis_sentinel_operator.model.verdict import MasterRecord

pytestmark = pytest.mark.timeout(240)

# Every kind of step there is: these tests cut those of a set-up, over RESP, those that mend, and of a deletion.
OVER_RESP = {ConfigSet, SentinelSet}
OF_TROUBLE = {StopUnit, MakeReplica, RestoreMaster}
OF_A_DELETION = {ReleaseClaim}
OF_AN_UNINSTALL = {SaveData, RemovePackage, RemoveTraces}  # e2e/test_deletion.py kills before and after each of them
OF_A_HOST_THAT_LEAVES = {DisableUnits, SentinelReset}  # test_leaving.py
OF_A_FENCE = {HoldUnits, FreeUnits}  # test_fence.py
# No host of the lab has SELinux: test_machine.py cuts AllowPorts with a false semanage. LabelFile is cut nowhere, as no
# label can be given: captures alone hold it (unit/plan/test_machine.py, unit/apply/test_kernel_scripts.py).
OF_SELINUX = {LabelFile, AllowPorts}
OF_AN_ADOPTION = {RememberNotes, ProveRewrite}
# test_operation.py, test_reset_stale.py and test_upgrade.py kill before and after each of their commands.
OF_A_PROCEDURE = {*get_args(OperationAction), MonitorAnew, FetchPackage, UpgradePackage}
OF_OTHERS = OVER_RESP | OF_TROUBLE | OF_A_DELETION | OF_A_HOST_THAT_LEAVES | OF_A_FENCE | OF_SELINUX | OF_AN_ADOPTION
OF_OTHERS |= OF_A_PROCEDURE | OF_AN_UNINSTALL
OF_A_SET_UP = {*get_args(Action)} - OF_OTHERS
MIDDLE = 25  # commands of a script; the guard has some 23
LAST = 76  # as many has the longest: the firewall of a host with both servers


@dataclass
class Cutting(Passes):
    """Passes in which the first step of each kind that has so many commands is cut there.

    Which host comes to a kind first is a matter of chance, and its step may be shorter than that of others. Of hosts
    that come to it at the same time all are cut.
    """

    after: int = MIDDLE
    begun: set[type] = field(default_factory=set)
    cut: set[type] = field(default_factory=set)

    async def do(self, step: Step) -> StepResult:
        kind = type(step.action)
        self.begun.add(kind)
        if kind in self.cut:
            return await super().do(step)
        with cut_short(self.links[step.host], self.after) as cut:
            try:
                return await super().do(step)
            except SessionLost as error:
                assert cut == [True]
                self.cut.add(kind)
                return StepResult(step, False, str(error), 0.0)

    async def settle(self) -> None:
        """Passes until one plans nothing; a step that was cut ends its pass, as an operator that was killed does."""
        for _ in range(90):
            reading, results = await self.once()
            if reading.todo.settled:
                return
            if not results:
                await asyncio.sleep(0.5)  # what it waits for is the hosts' own work
        raise AssertionError(f"not settled: {reading.todo}")


def bare(lab: Lab) -> Lab:
    """Bare hosts, of which the first replica has iptables-services instead of firewalld."""
    lab.reset()
    use_iptables(lab.replicas[0])
    return lab


@pytest.mark.parametrize(
    "after", [MIDDLE, *(pytest.param(n, marks=pytest.mark.long) for n in range(1, LAST + 2) if n != MIDDLE)]
)
async def test_a_set_up_in_which_each_kind_of_step_is_cut_once(lab_hosts: Lab, after: int) -> None:
    lab = bare(lab_hosts)
    async with passes(lab) as loop:
        cutting = Cutting(loop.desired, loop.links, loop.bootstrap, settings=loop.settings, after=after)
        await cutting.settle()
        assert cutting.begun - OF_AN_ADOPTION == OF_A_SET_UP
        assert (cutting.cut != set()) is (after <= LAST), (
            f"the longest script has no longer {LAST} commands: {cutting.cut}"
        )
        missed = OF_A_SET_UP - cutting.cut if after == MIDDLE else set()
        assert missed == set()
        assert find_each_other(lab), "the sentinels did not find each other"
        assert await cutting.until_settled() == []
    for host in lab.hosts:
        assert host.run("find /etc /var/lib /tmp -name '*.rso-*'").stdout == ""
        assert redis_conf.parse(conf(host)).get("slaveof") == (
            None if host == lab.master01 else f"{lab.master01.address} 6379"
        )


@pytest.fixture
async def loop(lab_hosts: Lab) -> AsyncIterator[Passes]:
    """An operator's loop over the cluster that the set-up before has left, whole."""
    async with settled_passes(lab_hosts) as each:
        await each.until_settled()
        yield each


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_settings_of_running_servers_whose_answer_is_lost(loop: Passes, lab_hosts: Lab, number: int) -> None:
    """CONFIG SET of two directives and SENTINEL SET, each with its proof: 1 to 4 is what was asked last."""
    host = lab_hosts.replicas[1]
    for name in ("repl-timeout", "repl-ping-slave-period"):
        redis(host, "CONFIG", "SET", name, "59")
    set_quorum(host)
    for kind in OVER_RESP:
        (todo,) = [each for each in (await loop.read()).todo.steps if isinstance(each.action, kind)]
        with answer_lost(min(number, 2) if kind is SentinelSet else number), pytest.raises(SessionLost):
            await loop.do(todo)
    await loop.until_settled()
    assert await loop.until_settled() == []
    shown = [redis(host, "CONFIG", "GET", name) for name in ("repl-timeout", "repl-ping-slave-period")]
    assert shown == [["repl-timeout", "60"], ["repl-ping-slave-period", "10"]]
    view = sentinel(host, "SENTINEL", "MASTER", loop.desired.master_name)
    assert isinstance(view, list)
    assert view[view.index("quorum") + 1] == "2"


@pytest.mark.parametrize("after", [1, 24])
async def test_a_claim_that_is_given_up(loop: Passes, lab_hosts: Lab, after: int) -> None:
    """Cut before the file is removed it is ours as before, and the next time it goes."""
    host = lab_hosts.replicas[1]
    with cut_short(loop.links[host.name], after), pytest.raises(SessionLost):
        await loop.do(step(host, ReleaseClaim()))
    assert OWNER in host.run("cat /var/lib/redis-sentinel-operator/state.json").stdout
    assert (await loop.do(step(host, ReleaseClaim()))).ok
    assert host.run("test -e /var/lib/redis-sentinel-operator/state.json", check=False).returncode == 1
    await loop.until_settled()
    assert await loop.until_settled() == []


async def test_a_replica_that_is_pointed_to_the_master(loop: Passes, lab_hosts: Lab) -> None:
    """One transaction, which is whole or not: what is cut is the question before it whether the host is ours."""
    lost, other = lab_hosts.replicas[:2]
    redis(lost, "SLAVEOF", other.address, "6379")
    (todo,) = [each for each in (await loop.read()).todo.steps if isinstance(each.action, MakeReplica)]
    with cut_short(loop.links[lost.name], 20), pytest.raises(SessionLost):
        await loop.do(todo)
    await loop.until_settled()
    assert f"slaveof {lab_hosts.master01.address} 6379" in conf(lost)
    assert await loop.until_settled() == []


async def test_a_master_that_gets_its_role_back(loop: Passes, lab_hosts: Lab) -> None:
    old = lab_hosts.master01
    loop.last = MasterRecord(old.name, old.address, 6379, 0, "2026-01-31T12:00:00Z")
    loop.down_for = 5.0
    leave_a_ring(lab_hosts, old)
    todo = await planned(loop, RestoreMaster)
    with cut_short(loop.links[old.name], 20), pytest.raises(SessionLost):
        await loop.do(todo)
    assert redis(old, "ROLE")[0] == "slave"  # type: ignore[index]
    await loop.until_settled()
    assert "\nslaveof " not in conf(old)
    assert await loop.until_settled() == []


async def test_a_sentinel_that_is_stopped(loop: Passes, lab_hosts: Lab) -> None:
    """As for another password: cut before it is stopped or after it, the next passes see to it that it runs."""
    host = lab_hosts.replicas[1]
    stop = step(host, StopUnit("redis-sentinel.service"))
    with cut_short(loop.links[host.name], 20), pytest.raises(SessionLost):
        await loop.do(stop)
    assert host.run("systemctl is-active redis-sentinel").stdout == "active\n"
    with cut_short(loop.links[host.name], MIDDLE) as cut:
        assert (await loop.do(stop)).ok
    assert cut == [False], "it has no command after the one that stops"
    await loop.until_settled()
    assert host.run("systemctl is-active redis-sentinel").stdout == "active\n"
    assert await loop.until_settled() == []


async def test_what_is_noted_and_proved_of_an_adopted_host(loop: Passes, lab_hosts: Lab) -> None:
    host = lab_hosts.replicas[1]
    for action in (RememberNotes({"note": "once"}), ProveRewrite("/etc/redis.conf", 6379, {"note": "twice"})):
        with cut_short(loop.links[host.name], 20), pytest.raises(SessionLost):
            await loop.do(step(host, action))
        assert (await loop.do(step(host, action))).ok
    await loop.until_settled()
    assert await loop.until_settled() == []
