"""The act `switchover`: the wanted replica becomes master, no plain write is lost, all else is as it was."""

from __future__ import annotations

import logging
import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.acting import answer, ask, changed_for_a_while, failovers_asked, not_to_be_lost
from e2e.rig import Rig, is_healthy, master
from e2e.scenarios import wait_for
from e2e.test_families import cluster_of
from e2e.test_following import wait_for_event
from e2e.test_interrupted import accident
from lab.ledger import ledger
from lab.observe import commands_seen
from redis_sentinel_operator.operations.leftovers import PUT_BACK
from redis_sentinel_operator.operations.move import RESTORE
from redis_sentinel_operator.operations.procedures import PROCEDURES

log = logging.getLogger(__name__)
_SETTLED = 15.0  # seconds: no procedure begins within ten after the operator has seen a switch and ended its pass


@pytest.mark.timeout(500)
def test_a_switchover_under_writes_loses_none(seed: Rig) -> None:
    settle(seed)
    old = master(seed.status())
    new = next(host.name for host in reversed(list(seed.lab)) if host.name != old)
    before = changed_for_a_while(seed)
    with commands_seen(seed.lab) as seen:
        with ledger(seed.lab, seed.password) as book:
            at = ask(seed, f"switchover {new}")
            told = answer(seed, at)
            book.wait(30, seed.lab[new].address)
        assert (told["result"], told["verb"], told["arg"]) == ("Done", "switchover", new), told
        assert len(failovers_asked(seen)) == 1
    assert told["message"].startswith(f"{new} is the master at config epoch ")
    status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert master(status) == new
    assert seed.master_by_role() == [new]
    missing = book.missing(seed.lab[new])
    assert not_to_be_lost(seed, missing) == []
    log.info("acknowledged %d, lost %d by EVAL and MULTI, pause %.1f s", len(book.acks), len(missing), book.pause())
    assert changed_for_a_while(seed) == before
    assert "operation" not in status
    assert (status["failovers"][-1]["from"], status["failovers"][-1]["to"]) == (old, new)
    assert (status["failovers"][-1]["cause"], status["failovers"][-1]["result"]) == ("Ours", "Succeeded")
    wait_for_event(seed, "ActDone", f"switchover {new}, asked for at {at}, is done: {told['message']}.")


@pytest.mark.timeout(400)
def test_what_may_not_be_done_is_refused_and_nothing_is_changed(seed: Rig) -> None:
    settle(seed)
    old = master(seed.status())
    replicas = ", ".join(host.name for host in seed.lab if host.name != old)
    with commands_seen(seed.lab) as seen:
        for arg, message in {
            "redis_slave09": f"redis_slave09 is no host of spec.hosts that runs redis: name a replica ({replicas}), or "
            "- for the best one",
            old: f"{old} is the master already: name a replica ({replicas}), or - for the best one",
        }.items():
            told = answer(seed, ask(seed, f"switchover {arg}"))
            assert (told["result"], told["message"]) == ("Refused", message)
        assert failovers_asked(seen) == []
    assert "operation" not in seed.status()
    assert master(seed.status()) == old


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("family", ["el9", "el10"])
def test_newer_servers_lose_no_write_of_any_kind(family: str) -> None:
    """From 6.2 on the fence is a pause that ends by itself: by then the old master must be a replica."""
    with cluster_of(family) as rig:
        time.sleep(_SETTLED)
        old = master(rig.status())
        with ledger(rig.lab, rig.password) as book:
            told = answer(rig, ask(rig, "switchover -"))
            assert told["result"] == "Done", told
            book.wait(30, rig.lab[master(rig.status())].address)
        rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
        assert rig.master_by_role() == [master(rig.status())] != [old]
        assert book.missing(rig.lab[master(rig.status())]) == []
        log.info("%s: acknowledged %d, pause %.1f s", family, len(book.acks), book.pause())


POINTS = [
    ("switchover", step, when) for step in (*PROCEDURES["switchover"].commands, RESTORE) for when in ("before", "after")
]
# What becomes of it: only where the question was not sent yet does another operator not end up with a switch.
FAILS = {("ask", "before")}


@pytest.mark.parametrize(("verb", "step", "when"), [("switchover", "fence", "after"), ("switchover", "ask", "after")])
@pytest.mark.timeout(500)
def test_killed(seed: Rig, tmp_path: Path, verb: str, step: str, when: str) -> None:
    """The two worst moments: writes are stopped and nobody was asked; a sentinel was asked and nobody knows."""
    _killed_at(seed, tmp_path, verb, step, when)


@pytest.mark.long
@pytest.mark.parametrize(("verb", "step", "when"), POINTS, ids=map("-".join, POINTS))
@pytest.mark.timeout(400)
def test_killed_at_any_step(seed: Rig, tmp_path: Path, verb: str, step: str, when: str) -> None:
    _killed_at(seed, tmp_path, verb, step, when)


def _killed_at(rig: Rig, folder: Path, verb: str, step: str, when: str) -> None:
    settle(rig)
    old = master(rig.status())
    new = next(host.name for host in rig.lab.replicas if host.name != old)
    before = changed_for_a_while(rig)
    sentence = PUT_BACK if step == RESTORE else PROCEDURES[verb].commands[step]
    rig.operator.stop()
    where: dict[str, Any] = {"before": sentence, "at": "10000"} if when == "before" else {"at": sentence}
    dying = accident(rig, "kill", steps=folder / "steps", **where)
    with commands_seen(rig.lab) as seen, ledger(rig.lab, rig.password) as book:
        at = ask(rig, f"{verb} {new}")
        dying.start("e2e.dying")
        dying.wait_until_ended(150)
        rig.operator.start()
        told = answer(rig, at)
        fails = (step, when) in FAILS
        assert told["result"] == ("Failed" if fails else "Done"), told
        assert len(failovers_asked(seen)) == (0 if fails else 1)
        book.wait(30, rig.lab[old if fails else new].address)
    status = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert master(status) == (old if fails else new)
    assert rig.master_by_role() == [master(status)]
    missing = book.missing(rig.lab[master(status)])
    assert not_to_be_lost(rig, missing) == []
    assert changed_for_a_while(rig) == before
    assert "operation" not in status


def settle(rig: Rig) -> None:
    """Wait until a switchover may begin: after an earlier test's switch that takes its time."""
    rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    status = rig.status()
    told = [
        status["master"]["since"],
        *(each["published"] for each in status.get("failovers", []) if "published" in each),
    ]
    time.sleep(max(0.0, max(datetime.fromisoformat(each).timestamp() for each in told) + _SETTLED - time.time()))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_gigabyte_is_sent_to_all_and_no_plain_write_is_lost(bare: Rig) -> None:
    """3.2 sends all of it to each replica of the new master; the pause does not wait for that."""
    bare.declare()
    bare.operator.start()
    bare.wait_healthy()
    settle(bare)
    pauses = {}
    for gigabytes in (0, 1):
        if gigabytes:
            fill(bare, master(bare.status()))
            settle(bare)
        with ledger(bare.lab, bare.password) as book:
            told = answer(bare, ask(bare, "switchover -"), 200)
            assert told["result"] == "Done", told
            book.wait(30, bare.lab[master(bare.status())].address)
            bare.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 300)
        new = master(bare.status())
        assert bare.master_by_role() == [new]
        assert not_to_be_lost(bare, book.missing(bare.lab[new])) == []
        pauses[gigabytes] = book.pause()
    with bare.redis(new) as client:
        assert client.info("memory")["used_memory"] >= 1 << 30
    log.info("longest pause without data %.1f s, with 1 GB %.1f s", pauses[0], pauses[1])


def fill(rig: Rig, chief: str) -> None:
    """One GiB in values of a megabyte, on all servers."""
    with rig.redis(chief) as client:
        for number in range(1024):
            client.set(f"bulk:{number}", secrets.token_bytes(1 << 20))
        wait_for(lambda: client.wait(3, 2000) == 3, "all of it on all replicas", 120)
