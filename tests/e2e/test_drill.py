"""The act `drill`: the master is stopped, the sentinels replace it, it comes back as a replica, and all is measured."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest

from e2e.acting import answer, ask, changed_for_a_while, failovers_asked
from e2e.rig import Rig, is_healthy, master
from e2e.test_following import wait_for_event
from e2e.test_interrupted import accident
from e2e.test_switchover import settle
from lab.ledger import ledger
from lab.observe import commands_seen
from redis_sentinel_operator.operations.move import RESTORE
from redis_sentinel_operator.operations.procedures import PROCEDURES

log = logging.getLogger(__name__)
COMMANDS = {**PROCEDURES["drill"].commands, RESTORE: "strike the drill"}
REPORT = re.compile(
    r"(\S+) is the master at config epoch \d+\. Counted from the stop: the sentinels agreed that it is down after "
    r"([\d.]+) s, elected one of them after ([\d.]+) s, promoted the replica after ([\d.]+) s, status named it after "
    r"([\d.]+) s; (\S+) is its replica"
)


@pytest.mark.timeout(500)
def test_a_drill_under_writes_loses_none_and_tells_how_long_each_part_took(seed: Rig) -> None:
    settle(seed)
    old = master(seed.status())
    before = changed_for_a_while(seed)
    with commands_seen(seed.lab) as seen:
        with ledger(seed.lab, seed.password) as book:
            at = ask(seed, "drill -")
            told = answer(seed, at, 150)
            book.wait(30, seed.lab[master(seed.status())].address)
        assert failovers_asked(seen) == [], "the sentinels do it by themselves"
    found = REPORT.fullmatch(told["message"])
    assert found is not None, told
    new = master(seed.status())
    assert (told["result"], found[1], found[6]) == ("Done", new, old)
    detected, elected, promoted, published = map(float, found.group(2, 3, 4, 5))
    assert 5.0 <= detected <= elected <= promoted <= published, "down-after is 5 s"
    status = seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert seed.master_by_role() == [new] != [old]
    assert book.missing(seed.lab[new]) == []
    log.info("acknowledged %d, pause %.1f s: %s", len(book.acks), book.pause(), told["message"])
    entry = status["failovers"][-1]
    assert (entry["from"], entry["to"], entry["cause"], entry["result"]) == (old, new, "Drill", "Succeeded")
    wait_for_event(seed, "ActDone", f"drill -, asked for at {at}, is done: {told['message']}.")
    assert changed_for_a_while(seed) == before
    assert "operation" not in status


@pytest.mark.timeout(400)
def test_a_drill_is_refused_unless_all_is_well(seed: Rig) -> None:
    settle(seed)
    chief = master(seed.status())
    replica = next(host for host in seed.lab if host.name != chief)
    told = answer(seed, ask(seed, f"drill {replica.name}"))
    assert (told["result"], told["message"]) == (
        "Refused",
        f"a drill is for the master, which is {chief}: name that, or - for whoever it is",
    )
    with seed.redis(chief) as client:
        was = client.config_get("save")["save"]
        client.config_set("save", "")
        told = answer(seed, ask(seed, "drill -"))
        client.config_set("save", was)
    assert told["result"] == "Refused", told
    assert told["message"].startswith(f"something is to be done first: redis on {chief} keeps nothing on disk")
    seed.wait_healthy()
    assert seed.master_by_role() == [chief]
    assert "operation" not in seed.status()


POINTS = [(step, when) for step in COMMANDS if step != "back" for when in ("before", "after")]


@pytest.mark.long
@pytest.mark.timeout(500)
def test_killed_right_after_the_stop(seed: Rig, tmp_path: Path) -> None:
    _killed_at(seed, tmp_path, "stop", "after")


@pytest.mark.long
@pytest.mark.parametrize(("step", "when"), POINTS, ids=map("-".join, POINTS))
@pytest.mark.timeout(400)
def test_killed_at_any_step_of_a_drill(seed: Rig, tmp_path: Path, step: str, when: str) -> None:
    _killed_at(seed, tmp_path, step, when)


def _killed_at(rig: Rig, folder: Path, step: str, when: str) -> None:
    settle(rig)
    old = master(rig.status())
    rig.operator.stop()
    where: dict[str, Any] = {"before": COMMANDS[step], "at": "10000"} if when == "before" else {"at": COMMANDS[step]}
    dying = accident(rig, "kill", steps=folder / "steps", **where)
    with ledger(rig.lab, rig.password) as book:
        at = ask(rig, "drill -")
        dying.start("e2e.dying")
        dying.wait_until_ended(90)
        rig.operator.start()
        told = answer(rig, at, 150)
        assert told["result"] == "Done", told
        book.wait(30, rig.lab[master(rig.status())].address)
    status = rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well", 120)
    assert rig.master_by_role() == [master(status)] != [old]
    assert book.missing(rig.lab[master(status)]) == []
    assert (status["failovers"][-1]["from"], status["failovers"][-1]["cause"]) == (old, "Drill")
    assert "operation" not in status
