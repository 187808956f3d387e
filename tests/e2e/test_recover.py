"""The act `recover`: the master is gone and no failover can succeed, so a person says which redis is to be master."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from e2e.acting import answer, ask, failovers_asked
from e2e.rig import NAME, Rig, condition, is_healthy, master
from e2e.test_following import events
from e2e.test_switchover import settle
from lab.ledger import ledger
from lab.observe import commands_seen
from lab.processes import wait_until

TOO_EARLY = (
    "a failover may still succeed: the sentinels have 20 s from when they call the master down. Ask again when "
    "MasterConfirmed has the reason MasterDeadNoSuccessor, or when QuorumHealthy has had the reason QuorumLost for "
    "that long"
)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_stopped_master_itself_comes_back_with_all_that_was_acknowledged(seed: Rig) -> None:
    settle(seed)
    old = master(seed.status())
    told = answer(seed, ask(seed, f"recover {old}"))
    assert (told["result"], told["message"]) == (
        "Refused",
        f"{old} is the confirmed master, so there is nothing to recover",
    )
    with nobody_to_promote(seed), ledger(seed.lab, seed.password) as book:
        with commands_seen(seed.lab) as seen:
            unit = seed.lab[old].family.units[0]
            seed.lab[old].run(f"systemctl stop {unit}")
            seed.wait(lambda s: _reason(s) == "MasterStopped", "the dead master told", 40)
            told = answer(seed, ask(seed, f"recover {old}"))
            assert (told["result"], told["message"]) == ("Refused", TOO_EARLY)
            dead_end(seed)
            assert seed.lab[old].run(f"systemctl is-active {unit}", check=False).stdout == "inactive\n"
            told = answer(seed, ask(seed, "recover redis_slave09"))
            names = ", ".join(host.name for host in seed.lab if host.name != old)
            assert told["message"] == (
                f"redis_slave09 is no host of spec.hosts that runs redis: name {old} to start it again with what is on "
                f"its disk, or the replica that is to be master ({names})"
            )
            at, told = asked_between_attempts(seed, f"recover {old}")
            message = f"redis on {old} runs again as the master, with what was on its disk"
            assert (told["result"], told["message"]) == ("Done", message)
            assert failovers_asked(seen) == []
            assert seen.role_commands() == []
        book.wait(30, seed.lab[old].address)
    status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert master(status) == old
    assert seed.master_by_role() == [old]
    assert book.missing(seed.lab[old]) == []
    assert "operation" not in status
    assert f"recover {old}, asked for at {at}, is done: {message}." in events(seed, "ActDone")


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_replica_is_promoted_and_all_sentinels_follow_it(seed: Rig) -> None:
    settle(seed)
    old = master(seed.status())
    new = next(host.name for host in reversed(list(seed.lab)) if host.name != old)
    epoch = seed.status()["master"]["configEpoch"]
    with seed.redis(old) as client:
        client.set("before", "kept")
        assert client.wait(3, 10000) == 3
    with nobody_to_promote(seed):
        seed.lab[old].run(f"systemctl kill -s KILL {seed.lab[old].family.units[0]}")
        dead_end(seed)
        _, told = asked_between_attempts(seed, f"recover {new}")
        assert told["result"] == "Done", told
        assert told["message"].startswith(f"{new} is the master at config epoch ")
    status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert master(status) == new
    assert status["master"]["configEpoch"] > epoch
    assert seed.master_by_role() == [new]
    assert named(seed) == {(seed.lab[new].address, 6379)}
    with seed.redis(new) as client:
        assert client.get("before") == "kept"
    assert "operation" not in status
    last = status["failovers"][-1]
    assert (last["from"], last["to"], last["cause"]) == (old, new, "Recover"), last


@contextmanager
def nobody_to_promote(rig: Rig) -> Iterator[None]:
    """No replica may be promoted, and every sentinel has read that; as before at the end."""
    now = master(rig.status())
    names = [host.name for host in rig.lab if host.name != now]
    _prioritise(rig, names, 0)
    seen = [host.name for host in rig.lab.replicas]
    assert wait_until(lambda: all(_priorities(rig, host) == {0} for host in seen), 30, 0.2)
    try:
        yield
    finally:
        _prioritise(rig, names, 100)


def _prioritise(rig: Rig, names: list[str], priority: int) -> None:
    for name in names:
        with rig.redis(name) as client:
            client.config_set("slave-priority", priority)


def _priorities(rig: Rig, host: str) -> set[int]:
    with rig.sentinel(host) as client:
        return {int(row["slave-priority"]) for row in client.sentinel_slaves(NAME)}


def named(rig: Rig) -> set[tuple[str, int]]:
    found = set()
    for host in rig.lab.replicas:
        with rig.sentinel(host.name) as client:
            found.add(tuple(client.sentinel_get_master_addr_by_name(NAME)))
    return found


def asked_between_attempts(rig: Rig, act: str) -> tuple[str, dict[str, Any]]:
    """Ask, and again where a sentinel was just in one of its attempts in vain: the act's time, and its last word."""
    while True:
        at = ask(rig, act)
        told = answer(rig, at, 120)
        if "is in a failover" not in told["message"]:
            return at, told
        assert told["result"] == "Refused", told


def dead_end(rig: Rig) -> None:
    rig.wait(lambda s: _reason(s) == "MasterDeadNoSuccessor", "the dead end told", 60)
    time.sleep(1)  # a failover that a sentinel has just begun anew comes to nothing


def _reason(status: dict[str, object]) -> str:
    return str(condition(status, "MasterConfirmed").get("reason"))
