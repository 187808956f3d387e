"""A master that comes back after the switch: a replica at once, unless the sentinels went back to it meanwhile."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.rig import Rig, master
from e2e.scenarios import Run, table, wait_for
from e2e.test_failover import kill
from e2e.test_interrupted import accident, all_well, is_stopped
from e2e.watching import role
from lab.hosts import Host
from lab.ledger import Fate, Reign, fates
from lab.observe import commands_seen, ledger
from lab.operator import OperatorProcess
from lab.seedcluster import MASTER_NAME

DEMOTION = "make redis a replica of"
GATE = "/bin/sh /run/wait-for-go"


@contextmanager
def late(host: Host, before: str = "/bin/sleep 20") -> Iterator[None]:
    """A redis that ends inside is on its way up again from then on, and is there after the sentinels have switched.

    As a machine that boots: the operator never sees it at rest, so that it does not start it in its right role.
    `before` is the command that it waits for.
    """
    folder = "/run/systemd/system/redis.service.d"
    host.run(f"mkdir -p {folder} && printf '[Service]\\nExecStartPre={before}\\nRestart=always\\n' >{folder}/zzz.conf")
    host.run("systemctl daemon-reload")
    try:
        yield
    finally:
        host.run(f"rm {folder}/zzz.conf && systemctl daemon-reload")


def gated(host: Host) -> None:
    """Let what waits for the GATE wait until it is opened."""
    host.run("rm -f /run/go && echo 'until [ -e /run/go ]; do sleep 0.02; done' >/run/wait-for-go")


def demotions(seed: Rig, audited: int) -> list[dict[str, Any]]:
    """What the operator did to a redis that came back as a master, of its audit from a line on."""
    return [line for line in seed.operator.audit()[audited:] if line["what"].startswith(DEMOTION)]


@pytest.mark.timeout(400)
def test_a_master_that_comes_back_is_made_a_replica_at_once(seed: Rig) -> None:
    """By the operator: the sentinels wait eight seconds and more from when they see it, and it writes on."""
    old = seed.lab[master(seed.status())]
    gated(old)
    audited = len(seed.operator.audit())
    with late(old, GATE):
        kill(old)
        status = seed.wait(lambda s: master(s) not in ("", old.name), "a successor in status", 80)
        time.sleep(5)  # so that whole seconds tell that it starts after the switch
        old.run("touch /run/go")
        wait_for(lambda: role(old, seed.password) == "slave", "the old master made a replica", 60)
        seed.operator.wait_until(lambda: demotions(seed, audited), "an audit line of it", 60)
    seed.wait(lambda s: all_well(seed, s), "all well", 120)
    assert [(line["host"], line["result"]) for line in demotions(seed, audited)] == [(old.name, "done")]
    assert f"{status['master']['address']} 6379" in old.run("grep '^slaveof' /etc/redis.conf").stdout


@pytest.mark.timeout(400)
def test_so_is_one_that_comes_back_within_a_second_of_the_switch(seed: Rig) -> None:
    """Whole seconds do not tell whether it started after the switch; the age of its process does."""
    old = seed.lab[master(seed.status())]
    gated(old)
    known_less_well = max(0.75, 2 * a_pass_takes(seed.operator))  # by what a reading takes is the age of the process
    audited = len(seed.operator.audit())
    with late(old, GATE):
        kill(old)
        status = seed.wait(lambda s: master(s) not in ("", old.name), "a successor in status", 80)
        time.sleep(known_less_well)
        old.run("touch /run/go")
        wait_for(lambda: role(old, seed.password) == "slave", "the old master as a replica", 60)
        seed.operator.wait_until(lambda: demotions(seed, audited), "an audit line of it", 60)
    line = demotions(seed, audited)[0]
    assert (line["host"], line["result"]) == (old.name, "done")
    assert line["why"] == f"it came back as a master, and {master(status)} is one since before it started"
    seed.wait(lambda s: all_well(seed, s), "all well", 120)


def a_pass_takes(operator: OperatorProcess) -> float:
    """Seconds that the next pass takes, on a machine that may be busy; nothing is to be done in it."""

    def so_far() -> tuple[float, int]:
        took = re.findall(r"^rso_pass_seconds_sum\{.*\} (\S+)$", operator.metrics(), re.MULTILINE)
        return sum(map(float, took)), operator.passes()

    before, count = so_far()
    operator.wait_until(lambda: so_far()[1] > count, "another pass", 60)
    after, later = so_far()
    return (after - before) / (later - count)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_switch_back_to_it_while_that_step_is_paused_is_not_harmed(seed: Rig, tmp_path: Path) -> None:
    seed.operator.stop()
    frozen = accident(seed, "freeze", "never", tmp_path / "steps", "frozen", before=DEMOTION)
    frozen.start("e2e.dying")
    try:
        frozen.wait_until(lambda: _is_calm(frozen), "calm", 60)
        old = seed.lab[master(seed.status())]
        with commands_seen(seed.lab) as seen, ledger(seed.lab, seed.password) as book:
            run = Run(seed, old, book, seen.follow)
            with late(old):
                kill(old)
                new = run.successor()
                switched = time.time()
                frozen.wait_until(lambda: is_stopped(frozen.pid), "the pause before the step", 60)
            _switch_back(run, old)
            back = time.time()
            book.wait(30, node=old.address)
            audited = len(frozen.audit())
            frozen.resume()
            frozen.wait_until(lambda: len(frozen.audit()) > audited, "the end of the step", 60)
            line = frozen.audit()[audited]
            assert line["what"].startswith(DEMOTION)
            assert line["result"].startswith(f"failed: nothing was done: {old.name} is master at config epoch"), line
            book.wait(20, node=old.address)
            assert seen.role_commands() == []
        reigns = [Reign(old.address, -math.inf), Reign(new.address, switched), Reign(old.address, back)]
        assert fates(book.missing(old), reigns)[Fate.LOST] == []
        seed.wait(lambda s: all_well(seed, s) and master(s) == old.name, "all well with it as master", 120)
    finally:
        frozen.kill()
        seed.operator.start()


def _is_calm(operator: OperatorProcess) -> bool:
    return any("all is as declared" in str(line.get("message")) for line in operator.lines())


def _switch_back(run: Run, old: Host) -> None:
    """The sentinels make it a replica by themselves, and a person asks for it as master again."""
    wait_for(lambda: role(old, run.rig.password) == "slave", "the sentinels' own demotion")
    run.redis(old, "CONFIG", "SET", "slave-priority", "1")
    leader = run.sentinels[0]
    wait_for(lambda: _promotable(run, leader, old), "a replica that can be promoted")
    run.sentinel(leader, "FAILOVER", MASTER_NAME)
    wait_for(lambda: run.is_master(old), "the switch back")
    run.redis(old, "CONFIG", "SET", "slave-priority", "100")


def _promotable(run: Run, leader: Host, host: Host) -> bool:
    found = run.sentinel(leader, "SLAVES", MASTER_NAME)
    rows = [table(row) for row in found] if isinstance(found, list) else []
    mine = next((row for row in rows if row["ip"] == host.address), {})
    return (mine.get("master-link-status"), mine.get("slave-priority"), mine.get("flags")) == ("ok", "1", "slave")
