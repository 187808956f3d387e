"""Whatever ends a master: nothing that is acknowledged after the switch is lost, and no replica is offered as master.

Each scenario of the table runs under the ledger, with every command of the operator captured and every moment of
status looked at. Numbers of each run stand in the report of pytest (`-rP` shows them).
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from e2e.rig import Rig, Status, master
from e2e.scenarios import TABLE, Run, Scenario, powered_off, wait_for
from e2e.test_interrupted import all_well
from e2e.watching import Watch, role, watching
from lab.hosts import Host
from lab.ledger import Ack, Fate, Ledger, Reign, fates
from lab.observe import Command, commands_seen, ledger

QUICK = [each for each in TABLE if not each.long]
# What the operator may send at any time: it changes nothing.
_READING = {"INFO", "ROLE", "PING", "AUTH", "SELECT", "HELLO", "PSUBSCRIBE", "SUBSCRIBE", "QUIT"}
_READING_OF = {"CONFIG": {"GET"}, "CLIENT": {"SETNAME", "SETINFO", "LIST"}}
_SWITCHING_OF_SENTINEL = {"FAILOVER", "RESET", "REMOVE", "MONITOR", "SIMULATE-FAILURE", "DEBUG"}


def affects_writes(command: Command) -> bool:
    """Whether a command to a redis may change who takes writes or what becomes of them, or makes sentinels do that."""
    name, *rest = [word.upper() for word in command.words[:2]]
    if name == "SENTINEL":
        return bool(rest) and rest[0] in _SWITCHING_OF_SENTINEL
    return name not in _READING and not (rest and rest[0] in _READING_OF.get(name, ()))


@pytest.mark.timeout(300)
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
        began = time.time()
        scenario.act(run)
        status = rig.wait(lambda s: all_well(rig, s), "all well", 150)
        new = rig.lab[master(status)]
        book.wait(20, node=new.address)
        watch.led_to(new.address)
        seen.follow()
        ours = [each for each in seen.commands() if each.at >= began and affects_writes(each)]
        ours = [each for each in ours if not _is_of_a_peer(each, rig)]
    _switches_once_each(watch, scenario)
    _published_in_time(watch, status, known, scenario)
    assert watch.wrong == []
    early = [each for each in ours if not _may_be_sent(each, run.faults, watch.reigns())]
    assert early == [], "sent before the verdict was Confirmed at the new epoch"
    found = accounted(rig, book, watch.reigns(), new)
    sys.stdout.write(f"{scenario.name}: {told(book, found)}\n")
    assert found[Fate.LOST] == [], f"{len(found[Fate.LOST])} of {len(book.acks)} acknowledged writes are lost"


def _is_of_a_peer(command: Command, rig: Rig) -> bool:
    """Whether nobody was found who sent it, but it came from an address of a host, as sentinels' and replicas' do.

    The operator's tunnels end on the loopback, as redis listens there too.
    """
    source = command.client.rpartition(":")[0]
    return command.owner == "unknown" and any(host.address == source for host in rig.lab.hosts)


def _switches_once_each(watch: Watch, scenario: Scenario) -> None:
    switches = len(watch.reigns()) - 1
    least, most = scenario.switches
    assert least <= switches <= most, watch.offers


def _published_in_time(watch: Watch, status: Status, known: Sequence[Any], scenario: Scenario) -> None:
    """The time that status has for its own word, against the first word of a sentinel; the Service goes with it."""
    new = [each for each in status.get("failovers", []) if each not in known and each.get("result") == "Succeeded"]
    assert bool(new) or scenario.switches[0] == 0, status.get("failovers")
    for entry in new[-1:]:
        took = _at(entry["published"]) - _at(entry["switched"])
        assert took <= scenario.bound, f"published {took:.1f} s after the first +switch-master: {entry}"
    for reign in watch.reigns()[1:][-1:]:
        at, address = watch.led[-1]
        assert (address, at <= reign.since + scenario.bound) == (reign.address, True), (watch.led, watch.offers)


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _may_be_sent(command: Command, faults: Sequence[float], reigns: Sequence[Reign]) -> bool:
    """Whether a reign has begun between the last fault before a command and the command."""
    broken = max((at for at in faults if at <= command.at), default=0.0)
    return any(broken < reign.since <= command.at for reign in reigns)


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
