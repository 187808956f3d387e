"""The package on all hosts replaced by a newer one, without an API server: under writes, cut, and where it fails.

The lab has redis 3.2.6-2 and -3 for EL7: another release of the same program, as an erratum brings it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hosts.declaring import pids
from hosts.operating import Operator, roles
from hosts.passes import Passes, settled_passes
from hosts.stepping import redis, step
from hosts.test_package_steps import yum_that
from hosts.upgrading import COMMANDS, WISH, asked, old_programs, processes, upgraded, version
from lab.families import EL7
from lab.hosts import Host
from lab.labs import Lab
from redis_sentinel_operator.model.package import InstallPackage, Server, UpgradePackage

pytestmark = [pytest.mark.timeout(300), pytest.mark.long]
OLDER, NEWER = f"{EL7.redis.version}-2.el7", f"{EL7.redis.version}-3.el7"
SERVERS = (Server("redis.service", 6379, False), Server("redis-sentinel.service", 26379, True))


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    """A cluster with the older release, whose spec asks for the newer one."""
    async with settled_passes(whole) as each:
        await asyncio.gather(*(asyncio.to_thread(_older, host) for host in whole.hosts))
        asked(each, OLDER)
        await each.until_settled()
        asked(each, NEWER)
        yield each
        asked(each, "")
        await each.until_settled(120)


def _older(host: Host) -> None:
    if version(host) != OLDER:
        host.run(f"yum -y -q --disableexcludes=main downgrade redis-{OLDER}")


async def test_every_host_is_upgraded_once_the_masters_last_and_no_acknowledged_plain_write_is_lost(
    loop: Passes, whole: Lab
) -> None:
    before = processes(whole)
    old, _ = await roles(loop, whole)
    done = await upgraded(loop, whole, Operator(loop))
    hosts = [host for host, what in done if what.startswith("upgrade")]
    assert len(hosts) == len(set(hosts)) == 4
    assert hosts[-1] == old.name
    after = processes(whole)
    same = [each for each in before if before[each] == after[each]]
    assert same == [("redis_master01", "redis-sentinel")], "no sentinel is there"
    assert sorted(host for host, what in done if what.startswith("fetch")) == [host.name for host in whole.hosts]


async def test_killed_before_the_former_master_is_upgraded_and_robbed_of_its_status(loop: Passes, whole: Lab) -> None:
    """The hosts' packages tell what is left: where status is lost, another round begins with that."""
    operator = Operator(loop, dies=(COMMANDS["last"], "before"), robbed=True)
    done = await upgraded(loop, whole, operator)
    assert len([host for host, what in done if what.startswith("upgrade")]) == 4


POINTS = [(each, when) for each in COMMANDS for when in ("before", "after")]


@pytest.mark.parametrize(("at", "when"), POINTS, ids=map("-".join, POINTS))
async def test_killed_at_any_step(loop: Passes, whole: Lab, at: str, when: str) -> None:
    result = "Failed" if (at, when) == ("ask", "before") else "Done"  # nobody was asked, and is not any more
    await upgraded(loop, whole, Operator(loop, dies=(COMMANDS[at], when)), WISH, result=result)


async def test_supervised_it_stops_before_the_master_until_a_person_asks(loop: Passes, whole: Lab) -> None:
    loop.desired = replace(loop.desired, supervised=True)
    old, _ = await roles(loop, whole)
    before = pids(whole)
    operator = Operator(loop, seconds=240)
    act = await operator.run("upgrade")
    assert (act["result"], act["arg"]) == ("Done", NEWER)
    assert act["message"].startswith(f"redis-{NEWER} is on all hosts but {old.name}, which is the master. ")
    assert {host.name for host in whole.hosts if version(host) != NEWER} == {old.name}
    assert {name for name, pid in pids(whole).items() if pid == before[name]} == {old.name}
    await upgraded(loop, whole, Operator(loop), WISH)


async def test_paused_in_the_middle_it_goes_no_further_and_on_when_it_is_asked_for(loop: Passes, whole: Lab) -> None:
    def pause() -> None:
        loop.desired = replace(loop.desired, management="Paused")

    operator = Operator(loop, then=(COMMANDS["replicas"], pause))
    done = await upgraded(loop, whole, operator, result="Failed")
    assert len([host for host, what in done if what.startswith("upgrade")]) == 1
    assert sum(version(host) == NEWER for host in whole.hosts) == 1
    loop.desired = replace(loop.desired, management="Full")
    await upgraded(loop, whole, Operator(loop), WISH)


async def test_a_replica_that_does_not_come_up_ends_the_round(loop: Passes, whole: Lab) -> None:
    master, replica = await roles(loop, whole)
    path, before = replica.family.redis_conf, pids(whole)
    spoils = (COMMANDS["replicas"], lambda: replica.run(f"echo 'no-such-directive 1' >>{path}"))
    act = await Operator(loop, spoils=spoils).run("upgrade")
    replica.run(f"sed -i '/^no-such-directive/d' {path}")
    assert act["result"] == "Failed"
    assert act["message"].startswith(f"{replica.name}: redis.service on {replica.name} is ")
    after = pids(whole)
    assert {name for name in before if before[name] != after[name]} == {replica.name}
    assert {host.name for host in whole.hosts if version(host) != OLDER} == {replica.name}
    assert redis(master, "ROLE")[0] == "master"  # type: ignore[index]


async def test_what_no_repository_has_is_told_before_anything_is_changed(loop: Passes, whole: Lab) -> None:
    asked(loop, "3.2.9-1.el7")
    before = processes(whole)
    act = await Operator(loop).run("upgrade")
    assert act["result"] == "Failed"
    assert act["message"].endswith(" has redis-3.2.9-1.el7")
    assert "no enabled repository (" in act["message"]
    assert processes(whole) == before
    assert {version(host) for host in whole.hosts} == {OLDER}


# -- the step itself: whatever the package's own scripts do

DOES = {
    "restarts nothing": 'really --setopt=tsflags=noscripts "$@"\n',
    "leaves them down": 'really "$@"; systemctl stop redis redis-sentinel\n',
    "leaves one failed": 'really "$@"; systemctl kill -s KILL redis; sleep 1\n',
}


@pytest.mark.parametrize("does", DOES)
async def test_what_runs_has_the_new_program_whatever_the_package_does(loop: Passes, whole: Lab, does: str) -> None:
    master, _ = await roles(loop, whole)
    replica = next(host for host in whole.replicas if host != master)  # one with a sentinel
    before = processes(whole)
    action = UpgradePackage(InstallPackage("redis", NEWER), SERVERS)
    with yum_that(replica, DOES[does]):
        done = await loop.do(step(replica, action))
    assert (done.ok, done.message) == (True, f"redis-{NEWER} is installed, and redis runs with 3.2.6")
    after = processes(whole)
    changed = {each for each in before if before[each] != after[each]}
    assert changed == {(replica.name, "redis"), (replica.name, "redis-sentinel")}
    assert await old_programs(loop) == []


async def test_one_that_was_cut_short_is_seen_and_finished(loop: Passes, whole: Lab) -> None:
    """The packages are there, but their servers were not restarted."""
    for host in whole.hosts:
        host.run(f"yum -y -q --disableexcludes=main --setopt=tsflags=noscripts install redis-{NEWER}")
    assert len(await old_programs(loop)) == 7
    await upgraded(loop, whole, Operator(loop))


async def test_a_master_is_not_upgraded_also_where_it_has_become_that_in_the_last_moment(
    loop: Passes, whole: Lab
) -> None:
    master, _ = await roles(loop, whole)
    before = processes(whole)
    done = await loop.do(step(master, UpgradePackage(InstallPackage("redis", NEWER), SERVERS[:1])))
    assert (done.ok, done.reason) == (False, "NothingDone")
    assert done.message == "nothing was done: redis says that it is master, and only a replica is upgraded"
    assert (version(master), processes(whole)) == (OLDER, before)
