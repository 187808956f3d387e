"""In the middle of a procedure the master dies, and the operator may stand still: nothing stays changed."""

from __future__ import annotations

import logging
import time
from itertools import groupby
from pathlib import Path

import pytest

from e2e.acting import changed_for_a_while, failovers_asked
from e2e.rig import NAME, Rig, master
from e2e.scenarios import wait_for
from e2e.test_failover import kill
from e2e.test_interrupted import accident, all_well, is_stopped
from e2e.test_scenarios import accounted, told
from e2e.undertakings import UNDERTAKINGS
from lab.hosts import Host
from lab.ledger import Fate, Ledger, Reign, ledger
from lab.observe import commands_seen

log = logging.getLogger(__name__)
MOMENTS = [
    # Before a sentinel was asked, right after it, and when the sentinels have to do it by themselves.
    ("switchover", "fence"),
    ("switchover", "ask"),
    ("drill", "stop"),
    # The new master, while the former one is about to be restarted, or has just been.
    ("restart", "ask"),
    ("restart", "last"),
    # Replicas have the new password for their master already, and when all servers have it but no file.
    ("rotation", "follow"),
    ("rotation", "switch"),
    # One replica has the newer package; and the new master when all have it.
    ("upgrade", "replicas"),
    ("upgrade", "last"),
    # The host that joins is a replica and has no sentinel.
    ("join", "start redis ("),
]
FROZEN = 60.0


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.parametrize("still", [0.0, FROZEN], ids=["held", "frozen-60-seconds"])
@pytest.mark.parametrize(("verb", "step"), MOMENTS, ids=[f"{verb}-{step.split()[0]}" for verb, step in MOMENTS])
def test_the_master_dies_in_the_middle(
    request: pytest.FixtureRequest, tmp_path: Path, verb: str, step: str, still: float
) -> None:
    """What was planned before is not done on what was known before; writes are lost by the death alone."""
    rig: Rig = request.getfixturevalue("bare" if UNDERTAKINGS[verb].fresh else "seed")
    this = UNDERTAKINGS[verb](rig, verb)
    this.prepare(step)
    old = rig.lab[master(rig.status())]
    before = changed_for_a_while(rig, this.count)
    rig.operator.stop()
    steps, sentence = tmp_path / "steps", this.sentence(step)
    process = accident(rig, "freeze" if still else "hold", sentence, steps)
    with commands_seen(rig.lab) as seen, ledger(rig.lab, rig.password) as book:
        at = this.begin(book)
        process.start("e2e.dying")
        try:
            wait_for(lambda: _has_come(steps, sentence), f"the {step} of the {verb}", 150)
            began = time.monotonic()
            if still:
                wait_for(lambda: is_stopped(process.pid), "the freeze", 10)
            dies = _who_dies(rig, old, verb, step)
            wait_for(lambda: _named(rig) != dies.address, "the sentinels to switch", 60)
            time.sleep(max(0.0, still - (time.monotonic() - began)))
            steps.with_suffix(".go").touch()
            process.resume()
            this.over(at)
            this.left(book)
            assert len(failovers_asked(seen)) <= 1
        finally:
            process.kill()
        rig.operator.start()
        this.end()
        book.password = rig.password
        status = rig.wait(lambda s: all_well(rig, s), "all well", 200)
        new = rig.lab[master(status)]
        book.wait(20, node=new.address)
    lost = accounted(rig, book, _reigns(book), new)
    log.info("%s %s: %s", verb, step, told(book, lost))
    assert lost[Fate.LOST] == []
    assert changed_for_a_while(rig, this.count) == before
    assert "operation" not in status
    rig.spoiled = rig.spoiled or this.spoils


def _has_come(steps: Path, sentence: str) -> bool:
    finished = steps.read_text().splitlines() if steps.exists() else []
    return any(line.partition(": ")[2].startswith(sentence) for line in finished)


def _who_dies(rig: Rig, old: Host, verb: str, step: str) -> Host:
    """Kill who is master then; in a drill it was stopped by us already."""
    if verb == "drill":
        return old
    if step == "ask":
        wait_for(lambda: _named(rig) != old.address, "the switch that was asked for", 60)
    dies = next(host for host in rig.lab.hosts if host.address == _named(rig))
    kill(dies)
    return dies


def _named(rig: Rig) -> str:
    """The address of the master by a sentinel, which is not that of a host that joins."""
    with rig.sentinel(rig.lab.replicas[1].name) as client:
        return str(client.sentinel_get_master_addr_by_name(NAME)[0])


def _reigns(book: Ledger) -> list[Reign]:
    """Who acknowledged writes one after the other."""
    acks = sorted(book.acks, key=lambda ack: ack.at)
    changes = [(node, next(acks).at) for node, acks in groupby(acks, key=lambda ack: ack.node)]
    return [Reign(node, at if number else 0.0) for number, (node, at) in enumerate(changes)]
