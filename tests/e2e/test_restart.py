"""The act `restart`: what a directive needs a restart for comes into force on the master too, after a switchover."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from e2e.acting import answer, ask, changed_for_a_while, failovers_asked, not_to_be_lost
from e2e.rig import Rig, is_healthy, master
from e2e.test_following import wait_for_event
from e2e.test_interrupted import accident
from e2e.test_switchover import settle
from lab.ledger import ledger
from lab.observe import commands_seen
from redis_sentinel_operator.operations.procedures import PROCEDURES

log = logging.getLogger(__name__)


@pytest.mark.timeout(600)
def test_the_master_is_restarted_last_and_no_acknowledged_plain_write_is_lost(seed: Rig) -> None:
    settle(seed)
    told = answer(seed, ask(seed, "restart -"))
    assert (told["result"], told["message"]) == (
        "Refused",
        "nothing waits for a restart: no entry in status.hosts[].config has pendingRestart true",
    )
    waits_for_a_restart(seed)
    old = master(seed.status())
    before = changed_for_a_while(seed)
    with commands_seen(seed.lab) as seen:
        with ledger(seed.lab, seed.password) as book:
            at = ask(seed, "restart -")
            told = answer(seed, at, 200)
            book.wait(30, seed.lab[master(seed.status())].address)
        _is_done(seed, old, told)
        assert len(failovers_asked(seen)) == 1
    missing = book.missing(seed.lab[master(seed.status())])
    assert not_to_be_lost(seed, missing) == []
    log.info("acknowledged %d, lost %d by EVAL and MULTI, pause %.1f s", len(book.acks), len(missing), book.pause())
    assert changed_for_a_while(seed) == before
    last = seed.status()["failovers"][-1]
    assert (last["from"], last["to"], last["cause"]) == (old, master(seed.status()), "Ours")
    wait_for_event(seed, "ActDone", f"restart -, asked for at {at}, is done: {told['message']}.")
    _as_before(seed)


@pytest.mark.long
@pytest.mark.parametrize(("step", "when"), [("ask", "after"), ("last", "before"), ("last", "after")])
@pytest.mark.timeout(500)
def test_killed_in_the_middle_of_a_restart(seed: Rig, tmp_path: Path, step: str, when: str) -> None:
    settle(seed)
    waits_for_a_restart(seed)
    old = master(seed.status())
    sentence = PROCEDURES["restart"].commands[step]
    seed.operator.stop()
    where: dict[str, Any] = {"before": sentence, "at": "10000"} if when == "before" else {"at": sentence}
    dying = accident(seed, "kill", steps=tmp_path / "steps", **where)
    with commands_seen(seed.lab) as seen, ledger(seed.lab, seed.password) as book:
        at = ask(seed, "restart -")
        dying.start("e2e.dying")
        dying.wait_until_ended(150)
        seed.operator.start()
        told = answer(seed, at, 200)
        assert len(failovers_asked(seen)) == 1
        book.wait(30, seed.lab[master(seed.status())].address)
    _is_done(seed, old, told)
    assert not_to_be_lost(seed, book.missing(seed.lab[master(seed.status())])) == []
    _as_before(seed)


def _databases(rig: Rig, host: str) -> int:
    with rig.redis(host) as client:
        return int(client.config_get("databases")["databases"])


def waits_for_a_restart(rig: Rig) -> None:
    """Declare one more database; the replicas get it by themselves, the master waits."""
    redis = rig.body()["spec"]["redis"]
    more = _databases(rig, master(rig.status())) + 1
    rig.declare(redis={**redis, "config": {**redis.get("config", {}), "databases": more}})
    status = rig.wait(lambda s: s.get("phase") == "WaitingForYou", "the master waits for a restart", 150)
    waits = {host["name"] for host in status["hosts"] for each in host.get("config", []) if each["pendingRestart"]}
    assert waits == {master(rig.status())}


def _is_done(rig: Rig, old: str, told: dict[str, Any]) -> None:
    status = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    new = master(status)
    assert (told["result"], told["message"]) == (
        "Done",
        f"every redis has in force what is declared; {new} is the master, before it was {old}",
    )
    assert rig.master_by_role() == [new] != [old]
    assert len({_databases(rig, host.name) for host in rig.lab}) == 1
    assert "operation" not in status


def _as_before(rig: Rig) -> None:
    """The declaration of the other tests; a database more than before stays."""
    rig.declare()
    rig.wait_healthy()
