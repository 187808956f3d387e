"""Whatever ends a master: nothing that is acknowledged after the switch is lost, and no replica is offered as master.

Each scenario of the table runs under the ledger, with every command of the operator captured and every moment of
status looked at. Numbers of each run stand in the report of pytest (`-rP` shows them).
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from e2e.rig import Rig, Status, master
from e2e.scenarios import TABLE, Run, Scenario, powered_off, wait_for
from e2e.test_interrupted import all_well
from e2e.watching import Watch, role, watching
from lab.hosts import Host
from lab.ledger import Ack, Fate, Ledger, Reign, fates
from lab.observe import commands_seen, ledger

QUICK = [each for each in TABLE if not each.long]
_AT_ONCE = 15.0  # seconds; how fast it is, is measured by the bench: tests run on busy machines
_ENDS_OR_BEGINS = ("start redis (", "stop redis", "restart redis")


@pytest.mark.timeout(700)
@pytest.mark.parametrize("scenario", QUICK, ids=lambda each: each.name)
def test_nothing_acknowledged_after_the_switch_is_lost(seed: Rig, scenario: Scenario) -> None:
    prove(seed, scenario)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("scenario", TABLE, ids=lambda each: each.name)
def test_the_whole_table(seed: Rig, scenario: Scenario) -> None:
    prove(seed, scenario)


def prove(rig: Rig, scenario: Scenario) -> None:
    """Run a scenario under the ledger, until all is well again, and look at all that was seen."""
    known = rig.status().get("failovers", [])
    with (
        commands_seen(rig.lab) as seen,
        ledger(rig.lab, rig.password) as book,
        watching(rig) as watch,
    ):
        run = Run(rig, rig.lab[master(rig.status())], book, seen.follow)
        began, said = time.time(), len(rig.operator.lines())
        scenario.act(run)
        status = rig.wait(lambda s: all_well(rig, s), "all well", 150)
        new = rig.lab[master(status)]
        book.wait(20, node=new.address)
        watch.led_to(new.address)
        seen.follow()
        ours = [each for each in seen.commands() if each.at >= began and each.affects_writes]
        lines = rig.operator.lines()[said:]
    _switches_once_each(watch, scenario)
    _published_in_time(watch, status, known, scenario)
    _evidence_is_published_at_once(lines, watch.reigns())
    assert watch.wrong == []
    early = [each for each in ours if not _may_be_done(each.at, run.faults, watch.reigns())]
    assert early == [], "sent before the verdict was Confirmed at the new epoch"
    assert _wrong_restarts(rig, lines, run.faults, watch.reigns()) == []
    found = accounted(rig, book, watch.reigns(), new)
    sys.stdout.write(f"{scenario.name}: {told(book, found)}; a replica seen offered for {watch.longest:.2f} s\n")
    assert found[Fate.LOST] == [], f"{len(found[Fate.LOST])} of {len(book.acks)} acknowledged writes are lost"
    late = [each for each in found[Fate.DEPOSED] if _after_the_switch(each.at, watch.reigns()) > scenario.serves_on]
    assert late == [], "taken by a master that was to be gone"


def _after_the_switch(at: float, reigns: Sequence[Reign]) -> float:
    """How long the reign of then had lasted, in seconds."""
    return at - max(reign.since for reign in reigns if reign.since <= at)


def _switches_once_each(watch: Watch, scenario: Scenario) -> None:
    switches = len(watch.reigns()) - 1
    least, most = scenario.switches
    assert least <= switches <= most, watch.offers


def _published_in_time(watch: Watch, status: Status, known: Sequence[Any], scenario: Scenario) -> None:
    """The time that status has for its own word, against the first word of a sentinel; the Service goes with it.

    Of every switch; but one that the next one overtook within that time need not have been published any more.
    """
    new = [each for each in status.get("failovers", []) if each not in known and each.get("result") == "Succeeded"]
    assert bool(new) or scenario.switches[0] == 0, status.get("failovers")
    switched = [_at(entry.get("switched", entry["at"])) for entry in new]
    for entry, began, ended in zip(new, switched, [*switched, math.inf][1:], strict=True):
        due = began + scenario.bound
        assert ended <= due or _at(entry["published"]) <= due, f"not published within {scenario.bound} s: {entry}"
    reigns = watch.reigns()
    for (before, reign), ended in zip(pairwise(reigns), [*(each.since for each in reigns[2:]), math.inf], strict=False):
        due = reign.since + scenario.bound
        led = [at for at, address in watch.led if address == reign.address and before.since <= at <= due]
        same = reign.address == before.address
        assert led or same or ended <= due, f"the Service did not lead to {reign.address} by {due:.1f}: {watch.led}"


def _evidence_is_published_at_once(lines: Sequence[dict[str, Any]], reigns: Sequence[Reign]) -> None:
    """Each switch stands in status and behind the Service as soon as the operator saw it, by its own clock."""
    published = [line for line in lines if "published" in line]
    late = [line for line in published if line["took"] > _AT_ONCE]
    assert late == []
    for before, reign in pairwise(reigns):
        if before.address != reign.address:
            where = {line["published"] for line in published if line["address"] == reign.address}
            assert where == {"status", "endpoint"}, (reign, published)


def _wrong_restarts(
    rig: Rig, lines: Sequence[dict[str, Any]], faults: Sequence[float], reigns: Sequence[Reign]
) -> list[str]:
    """What the operator did by SSH to a redis that takes writes or may yet be the one, as its audit has it."""
    return [
        f"{line['time']} {line['host']}: {line['what']}"
        for line in lines
        if line.get("logger", "").endswith(".audit") and _ends_or_begins_a_redis(line)
        if not _may_be_done(_at(line["time"]), faults, reigns)
        or rig.lab[line["host"]].address == _reigning(_at(line["time"]), reigns)
    ]


def _ends_or_begins_a_redis(line: dict[str, Any]) -> bool:
    return line["impact"] in {"Restart", "Failover"} or line["what"].startswith(_ENDS_OR_BEGINS)


def _reigning(at: float, reigns: Sequence[Reign]) -> str:
    return next(reign.address for reign in reversed(reigns) if reign.since <= at)


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _may_be_done(moment: float, faults: Sequence[float], reigns: Sequence[Reign]) -> bool:
    """Whether a reign has begun between the last fault before a moment and that moment."""
    broken = max((at for at in faults if at <= moment), default=0.0)
    return any(broken < reign.since <= moment for reign in reigns)


def accounted(rig: Rig, book: Ledger, reigns: Sequence[Reign], new: Host) -> dict[Fate, list[Ack]]:
    """The missing writes by fate. A server that was started anew has lost what it had not saved: a new reign."""
    shown = new.run("systemctl show -p ExecMainStartTimestampMonotonic redis").stdout
    started = time.time() - time.monotonic() + int(shown.partition("=")[2]) / 1e6
    if started > max(reigns[-1].since, book.began):
        reigns = [*reigns, Reign(new.address, started)]
    return fates(book.missing(new), reigns)


def told(book: Ledger, found: dict[Fate, list[Ack]]) -> str:
    """The numbers of a run in one line."""
    counts = ", ".join(f"{len(acks)} {fate}" for fate, acks in found.items())
    nodes = ", ".join(f"{count} by {node}" for node, count in Counter(ack.node for ack in book.acks).items())
    return f"{len(book.acks)} acknowledged ({nodes}); missing: {counts}; longest pause {book.pause():.1f} s"


# -- with and without the operator


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_five_paired_runs_with_the_operator_off(seed: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    """A master that is powered off and comes back: the operator loses nothing that sentinel alone does not lose."""
    for number in range(1, 6):
        for operator in (True, False):
            seed.wait(lambda s: all_well(seed, s), "all well", 150)
            line = f"run {number}, operator {'on ' if operator else 'off'}: {_powered_off(seed, operator)}"
            with capsys.disabled():
                sys.stdout.write(f"\n{line}")


def _powered_off(rig: Rig, operator: bool) -> str:
    old = rig.lab[master(rig.status())]
    if not operator:
        rig.operator.stop()
    try:
        with ledger(rig.lab, rig.password) as book:
            run = Run(rig, old, book, lambda: None)
            powered_off(run)
            switched = book.first(run.named())
            wait_for(lambda: role(old, rig.password) == "slave", "the old master as a replica")
            deposed = time.time()
            new = next(host for host in rig.lab.hosts if run.is_master(host))
            book.wait(20, node=new.address)
        found = accounted(rig, book, [Reign(old.address, 0.0), Reign(new.address, switched)], new)
    finally:
        if not operator:
            rig.operator.start()
    assert found[Fate.LOST] == []
    return f"{told(book, found)}; the old master a replica {deposed - book.began:.1f} s after the beginning"
