"""An Ansible play of before, run again after a failover: it writes slaveof back and restarts all at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.others import Others
from e2e.rig import Rig, condition, is_healthy, master
from e2e.test_failover import kill
from lab.capture import Command
from lab.hosts import Host
from lab.observe import commands_seen
from lab.seed import seed_cluster

Play = Callable[[Rig, Path], object]
KEYS = {f"play:{number}": str(number) for number in range(100)}


def line_in_file(text: str, key: str, value: str) -> str:
    """What Ansible's lineinfile makes of it: the last line with that beginning becomes this one, or it is added."""
    lines = text.splitlines()
    found = [at for at, line in enumerate(lines) if line.startswith(f"{key} ")]
    if found:
        lines[found[-1]] = f"{key} {value}"
    else:
        lines.append(f"{key} {value}")
    return "\n".join(lines) + "\n"


def write(rig: Rig, host: Host) -> None:
    """The tasks of tests/bench/play.yml that change anything where all is installed: redis.conf and slaveof."""
    lines = {"bind": "0.0.0.0", "requirepass": rig.password, "masterauth": rig.password}
    lines |= {"repl-ping-slave-period": "10", "repl-timeout": "60"}
    if host != rig.lab.master01:
        lines["slaveof"] = f"{rig.lab.master01.address} 6379"
    text = host.run("cat /etc/redis.conf").stdout
    for key, value in lines.items():
        text = line_in_file(text, key, value)
    host.run("cat >/etc/redis.conf", stdin=text)


def by_hand(rig: Rig, work: Path) -> None:
    """All are down before the first is up again: which of them meets another on the way is no matter of chance.

    The master is down for a moment only: a dump that is older at its start need not be all that it had.
    """
    chief = rig.lab[master(rig.status())]
    others = [host for host in rig.lab if host != chief]
    rig.lab.at_once(lambda host: write(rig, host))
    rig.lab.at_once(lambda host: host.run("systemctl stop redis"), others)
    chief.run("systemctl stop redis && systemctl start redis")
    rig.lab.at_once(lambda host: host.run("systemctl start redis"), others)


def but_for_its_master(rig: Rig, work: Path) -> None:
    """On the host that it thinks to be the master nothing is to be changed, so redis is not restarted there."""
    rig.lab.at_once(lambda host: write(rig, host), rig.lab.replicas)
    rig.lab.at_once(lambda host: host.run("systemctl restart redis"), rig.lab.replicas)


def by_ansible(rig: Rig, work: Path) -> None:
    """The play itself, from the environment of the bench."""
    Others(Path(os.environ["BENCH_VENV"]), rig.lab, rig.password, work).ansible()


def after_a_failover(rig: Rig) -> str:
    """Let another than the play's master be master, with data; return which."""
    first = rig.lab.master01
    if master(rig.status()) == first.name:
        kill(first)
    rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3" and master(s) != first.name, "a failover", 120)
    old = master(rig.status())
    with rig.redis(old) as client:
        client.mset(KEYS)
        assert client.wait(3, 10000) == 3
    return old


def how(rig: Rig, old: str) -> str:
    first, files = rig.lab.master01, [host.name for host in rig.lab.replicas]
    return (
        f"{old} came up as a replica of {first.name} ({first.address}), as `slaveof {first.address} 6379` in "
        f"redis.conf of {', '.join(files[:-1])} and {files[-1]} says"
    )


def message(rig: Rig, old: str, outlook: str) -> str:
    return (
        f"The master {how(rig, old)}. Not the sentinels wrote that line: a person or a tool did, which undoes a "
        f"failover each time it is run; take slaveof out of it. {outlook}"
    )


def restored(old: str) -> str:
    return (
        "The sentinels cannot switch, as no replica was in touch with a master since it was started. "
        f"{old} still has all it was stopped with as master, so the operator makes it the master again that all "
        "sentinels name."
    )


def switched(*able: str) -> str:
    return (
        f"The operator changes no role: {' and '.join(able)} can be promoted, so the sentinels switch by themselves "
        "when their master has called itself a replica for 25 s."
    )


def slaveofs(commands: list[Command]) -> list[tuple[str, tuple[str, ...]]]:
    """Which hosts the operator gave which role."""
    return [(each.host, each.words[1:]) for each in commands if each.words[0].upper() == "SLAVEOF"]


def is_told(rig: Rig, text: str) -> None:
    """The log has it, and an Event."""
    assert text in {str(line.get("message", "")).partition(": ")[2] for line in rig.operator.lines()}


def all_well(rig: Rig) -> str:
    """Wait for it; return who is master then. Nothing is lost anywhere."""
    status = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert "withdrawnSince" not in status["master"]
    assert rig.master_by_role() == [master(status)]
    for host in rig.lab:
        with rig.redis(host.name) as client:
            assert client.mget(KEYS) == list(KEYS.values())
    return master(status)


@pytest.mark.timeout(600)
def test_a_play_that_restarts_all_as_replicas_of_each_other(seed: Rig, tmp_path: Path) -> None:
    """Nobody has a master, and sentinels promote none of them: the master they name gets its role back.

    The sentinels have more patience than the restart of all takes on a busy machine: else they call it down.
    """
    old = after_a_failover(seed)
    sentinel = seed_cluster(seed.lab.config)["spec"]["sentinel"]
    seed.declare(sentinel={**sentinel, "downAfterMilliseconds": 15000})
    before, audited = seed.wait_quiet(), len(seed.operator.audit())
    failovers = before["status"].get("failovers", [])
    text = message(seed, old, restored(old))
    with commands_seen(seed.lab) as seen:
        by_hand(seed, tmp_path)
        seed.wait(lambda _: _is_stored(seed, before, text), "who undid the failover", 90)
        assert all_well(seed) == old
        said = seen.role_commands()
    (told, *_) = (each["status"] for each in seed.versions_since(before) if each["status"]["message"] == text)
    assert (told["phase"], condition(told, "MasterConfirmed")["reason"]) == ("Unavailable", "RoleUndone")
    is_told(seed, text)
    first, *others = slaveofs(said)
    assert first == (old, ("NO", "ONE"))
    assert {words for _, words in others} <= {(seed.lab[old].address, "6379")}
    assert {host for host, _ in others}.isdisjoint({old, seed.lab.master01.name})
    assert not [each for each in said if each.words[0].upper() == "SENTINEL"]
    (line,) = [line for line in seed.operator.audit()[audited:] if line["what"] == "make redis the master again"]
    assert (line["host"], line["result"]) == (old, "done")
    assert line["why"] == f"{how(seed, old)}; all sentinels name it, and none can promote another"
    assert seed.status().get("failovers", []) == failovers
    seed.declare()
    seed.wait_healthy()


def _is_stored(rig: Rig, before: Mapping[str, Any], text: str) -> bool:
    """Whether status has said so since then: what is mended at once stands there for a moment."""
    return any(each["status"]["message"] == text for each in rig.versions_since(before))


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_play_that_leaves_one_up_which_sentinels_promote(seed: Rig, tmp_path: Path) -> None:
    """The sentinels settle it after 25 s, the operator tells and waits."""
    old = after_a_failover(seed)
    first = seed.lab.master01.name
    text = message(seed, old, switched(first))
    with commands_seen(seed.lab) as seen:
        but_for_its_master(seed, tmp_path)
        seed.wait(lambda s: s["message"] == text, "who undid the failover", 60)
        status = seed.wait(lambda s: master(s) not in ("", old), "the sentinels' own switch", 90)
        assert slaveofs(seen.role_commands()) == []
    is_told(seed, text)
    assert all_well(seed) == master(status) == first
    last = seed.status()["failovers"][-1]
    assert (last["from"], last["to"]) == (old, first)
    assert last["message"].startswith(how(seed, old).partition(" in redis.conf")[0])


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_play_itself(seed: Rig, tmp_path: Path) -> None:
    """It depends on moments whom each of them meets on the way: either of the two ends, and told which."""
    seed.declare(package={"lock": False})  # else dnf finds no such package
    seed.wait_healthy()
    old = after_a_failover(seed)
    begins = message(seed, old, "")
    with commands_seen(seed.lab) as seen:
        by_ansible(seed, tmp_path)
        seed.wait(lambda s: s["message"].startswith(begins), "who undid the failover", 60)
        last = all_well(seed)
        given = slaveofs(seen.role_commands())
    told = {str(line.get("message", "")).partition(": ")[2] for line in seed.operator.lines()}
    if last == old:
        assert message(seed, old, restored(old)) in told
        assert given[0] == (old, ("NO", "ONE"))
    else:
        assert any(each.startswith(f"{begins}The operator changes no role: ") and last in each for each in told)
    assert (old, ("NO", "ONE")) not in given[1:]
    seed.declare()
    seed.wait_healthy()
