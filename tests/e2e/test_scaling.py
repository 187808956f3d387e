"""A host joins a living cluster under writes, and leaves it again: nothing that was acknowledged is lost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from e2e.acting import answer, ask
from e2e.rig import NAME, Rig, Status, is_healthy, master
from e2e.test_families import row
from e2e.test_following import of_host
from e2e.test_interrupted import accident
from lab.faults import cut_off
from lab.hosts import Host
from lab.ledger import ledger
from lab.observe import commands_seen
from lab.seed import NAMESPACE

_SETTINGS = {"downAfterMilliseconds": 5000, "failoverTimeoutMilliseconds": 10000}  # no quorum: it is the majority


def hosts(rig: Rig, count: int) -> list[dict[str, Any]]:
    """The first hosts of the lab, each with redis and a sentinel."""
    return [{"name": host.name, "address": host.address} for host in list(rig.lab)[:count]]


def declare(rig: Rig, count: int, **changes: Any) -> None:
    """Declare the first hosts; four sentinels are an even number, which a person has to want."""
    rig.declare(**spec(rig, count), **changes)


def spec(rig: Rig, count: int) -> dict[str, Any]:
    """What is declared then."""
    unsafe = {"evenSentinels": True} if count % 2 == 0 else None
    return {"hosts": hosts(rig, count), "sentinel": _SETTINGS, "unsafe": unsafe}


def installed(rig: Rig, count: int) -> None:
    """Install so many hosts."""
    declare(rig, count)
    rig.operator.start()
    rig.wait_healthy()


def columns(rig: Rig) -> list[str]:
    """What `kubectl get rsc` shows."""
    line: str = rig.cp.kubectl("get", "rsc", NAME, "-n", NAMESPACE, "--no-headers")
    return line.split()[1:6]


def views(rig: Rig, count: int) -> list[tuple[int, int, int]]:
    """Quorum, other sentinels and replicas, as each of the first hosts' sentinels has them."""
    found = []
    for host in list(rig.lab)[:count]:
        with rig.sentinel(host.name) as client:
            told: Mapping[str, Any] = client.sentinel_master(NAME)
        found.append((told["quorum"], told["num-other-sentinels"], told["num-slaves"]))
    return found


def _all_know_each_other(rig: Rig, count: int, view: tuple[int, int, int]) -> None:
    """Sentinels find each other by what they publish every two seconds, and replicas at their next INFO."""
    rig.wait(lambda _: views(rig, count) == [view] * count, f"the sentinels' views {view}")


def is_out(host: Host) -> bool:
    """Whether nothing of ours runs on a host, would come up with it, or claims it."""
    units = [
        host.run(f"systemctl is-active {unit}; systemctl is-enabled {unit}", check=False) for unit in host.family.units
    ]
    claim = host.run("ls /var/lib/redis-sentinel-operator/state.json", check=False)
    return all(each.stdout.split() == ["inactive", "disabled"] for each in units) and claim.stdout == ""


def forget(host: Host) -> None:
    """Remove the data and the sentinel's file, as the README says, to add a host again."""
    host.run(f"rm -f {row(host).data_dir}/* {host.family.sentinel_conf}")


def done(rig: Rig) -> list[tuple[str, str]]:
    """Host and sentence of each change."""
    return [(str(line["host"]), str(line["what"])) for line in rig.operator.audit()]


@pytest.mark.timeout(700)
def test_a_host_joins_and_leaves_under_writes(bare: Rig) -> None:
    rig, new = bare, list(bare.lab)[3]
    installed(rig, 3)
    _all_know_each_other(rig, 3, (2, 2, 2))
    first = master(rig.status())
    with ledger(rig.lab, rig.password) as book:
        before, changes = rig.body(), len(done(rig))
        declare(rig, 4)
        status = rig.wait_healthy()
        joined = done(rig)[changes:]
        assert any("became 'Joining'" in line or "'state': 'Joining'" in line for line in rig.writes_since(before))
        assert of_host(status, new.name)["state"] == "Member"
        _all_know_each_other(rig, 4, (3, 3, 3))
        assert columns(rig) == [first, "4/4", "3/3", "4/4", "Healthy"]
        assert [what for _, what in joined[-4:]] == ["set quorum on the sentinel"] * 4, joined
        assert {host for host, _ in joined[:-4]} == {new.name}, "another host was changed before all knew each other"
        with rig.redis(new.name) as client:
            role = client.execute_command("ROLE")
            assert (role[0], role[1], role[3]) == ("slave", rig.lab[first].address, "connected")
        _leaves(rig, new)
        book.wait(30, rig.lab[first].address)
    assert master(rig.status()) == first
    assert book.missing(rig.lab[first]) == []


def _leaves(rig: Rig, host: Host) -> None:
    before, changes = rig.body(), len(done(rig))
    master_before = master(rig.status())
    declare(rig, 3)
    status = rig.wait_healthy()
    assert any("became 'Leaving'" in line for line in rig.writes_since(before))
    assert host.name not in [each["name"] for each in status["hosts"]]
    assert is_out(host)
    _all_know_each_other(rig, 3, (2, 2, 2))
    assert columns(rig) == [master_before, "3/3", "2/2", "3/3", "Healthy"]
    told = done(rig)[changes:]
    there = [each.name for each in list(rig.lab)[:3]]
    redis, sentinel = host.family.units
    assert sorted(told[:3]) == sorted((name, "set quorum on the sentinel") for name in there), told
    assert told[3:8] == [
        (host.name, f"disable {sentinel}.service"),
        (host.name, f"stop sentinel ({sentinel}.service)"),
        (host.name, f"disable {redis}.service"),
        (host.name, f"stop {redis} ({redis}.service)"),
        (host.name, "give up the claim"),
    ], told
    resets = [name for name, what in told[8:] if "SENTINEL RESET" in what]
    assert sorted(resets) == sorted(there), told


@pytest.mark.long
@pytest.mark.timeout(600)
def test_killed_after_each_step_of_joining_and_leaving(bare: Rig, tmp_path: Path) -> None:
    """The operator survives no step; each start finds what the one before left, and no step is done twice."""
    rig, new = bare, list(bare.lab)[3]
    installed(rig, 3)
    first = master(rig.status())
    rig.operator.kill()
    for count in (4, 3):
        steps = tmp_path / f"steps{count}"
        steps.touch()
        declare(rig, count)
        _survive(rig, steps, count)
        lines = steps.read_text().splitlines()
        assert len(lines) == len(set(lines)) >= 8, lines
    rig.operator.start()
    status = rig.wait_healthy()
    assert master(status) == first
    assert views(rig, 3) == [(2, 2, 2)] * 3
    assert is_out(new)


def _survive(rig: Rig, steps: Path, count: int) -> None:
    """Start an operator that dies after each step whenever it has died, until all is as declared."""
    dying = accident(rig, "kill", "each", steps)
    generation, deadline = rig.body()["metadata"]["generation"], time.monotonic() + 280

    def over(status: Status) -> bool:
        whole = is_healthy(status) and status.get("observedGeneration") == generation
        return whole and len(status["hosts"]) == count

    while not over(rig.status()):
        assert time.monotonic() < deadline, f"not healthy:\n{steps.read_text()}\n{dying.tail()}"
        if not dying.running:
            dying.start("e2e.dying")
        time.sleep(0.2)
    dying.kill()


@pytest.mark.long
@pytest.mark.timeout(500)
def test_a_master_leaves_after_a_switchover_and_a_host_that_is_gone_when_it_is_forgotten(bare: Rig) -> None:
    rig, last = bare, list(bare.lab)[3]
    rig.declare(hosts=hosts(rig, 4), sentinel=_SETTINGS, unsafe={"evenSentinels": True}, initialMaster=last.name)
    rig.operator.start()
    rig.wait_healthy()
    declare(rig, 3)
    status = rig.wait(lambda s: s["phase"] == "WaitingForYou", "a person is asked", 60)
    assert "switchover" in status["message"]
    assert of_host(status, last.name)["state"] == "Leaving"
    assert rig.master_by_role() == [last.name]
    time.sleep(11)  # a switchover begins when all is settled
    assert answer(rig, ask(rig, "switchover -"))["result"] == "Done"
    rig.wait_healthy()
    assert is_out(last)
    forget(last)
    _forgotten(rig, last)


def _ask_until_done(rig: Rig, act: str) -> None:
    """The master counts a replica that was cut off for repl-timeout longer."""
    deadline = time.monotonic() + 90
    while (told := answer(rig, ask(rig, act)))["result"] != "Done":
        assert told["message"].endswith("if not, ask again in a minute"), told
        assert time.monotonic() < deadline, told
        time.sleep(5)


def _forgotten(rig: Rig, last: Host) -> None:
    declare(rig, 4)
    rig.wait_healthy()
    with cut_off(last):
        declare(rig, 3)
        status = rig.wait(lambda s: s["phase"] == "WaitingForYou", "a person is asked", 90)
        assert f"forget-host {last.name}" in status["message"]
        refused = answer(rig, ask(rig, "forget-host redis_slave09"))
        assert (refused["result"], refused["message"]) == (
            "Refused",
            f"redis_slave09 is no host that is leaving (leaving: {last.name})",
        )
        with commands_seen(rig.lab) as seen:
            _ask_until_done(rig, f"forget-host {last.name}")
            status = rig.wait_healthy()
            resets = [
                each.host for each in seen.commands() if [w.upper() for w in each.words[:2]] == ["SENTINEL", "RESET"]
            ]
        assert sorted(resets) == sorted(host.name for host in list(rig.lab)[:3])
        assert last.name not in [each["name"] for each in status["hosts"]]
    assert views(rig, 3) == [(2, 2, 2)] * 3
