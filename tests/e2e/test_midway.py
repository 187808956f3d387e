"""Full is left, or the resource is deleted, in the middle of a procedure: that takes its own way back first.

What it has changed for a while is as before, nothing that it stopped stays stopped, and no acknowledged write is lost.
A rotation is gone to its end: all servers have one password.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.acting import ask, changed_for_a_while
from e2e.midway import OF_A_MASTER, points
from e2e.rig import NAME, Rig, is_healthy, master
from e2e.test_adopt import manage
from e2e.test_families import cluster_of
from e2e.test_interrupted import accident
from e2e.test_switchover import settle
from e2e.undertakings import UNDERTAKINGS
from lab.ledger import ledger
from lab.operator import OperatorProcess
from lab.processes import wait_until
from lab.seed import NAMESPACE

STATE = "/var/lib/redis-sentinel-operator/state.json"
BOUND = 120.0
POINTS = list(points(*OF_A_MASTER))
_ROLES = ["master", "slave", "slave", "slave"]


@pytest.mark.timeout(300)
def test_deleted_in_the_middle_of_a_drill(seed: Rig) -> None:
    """Once the master is stopped: the sentinels switch, and it is a replica of the new one before the resource goes."""
    settle(seed)
    old = master(seed.status())
    with ledger(seed.lab, seed.password) as book:
        ask(seed, "drill -")
        seed.wait(lambda s: (s.get("operation") or {}).get("step") == "watch", "the stop", 60)
        took = seed.delete(seconds=BOUND)
        assert took < BOUND
        (new,) = wait_for_one_master(seed)
        book.wait(30, seed.lab[new].address)
    assert new != old
    assert role(seed, old) == "slave"
    assert book.missing(seed.lab[new]) == []
    assert [host.run(f"test -e {STATE}", check=False).returncode for host in seed.lab] == [1] * 4
    seed.declare()
    seed.wait_healthy(120)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("verb", "step", "entered"), POINTS, ids=map("-".join, POINTS))
def test_entered_after_any_step(
    request: pytest.FixtureRequest, tmp_path: Path, verb: str, step: str, entered: str
) -> None:
    with _cluster(request, verb, step) as rig:
        _prove(rig, tmp_path, verb, step, entered)


@contextmanager
def _cluster(request: pytest.FixtureRequest, verb: str, step: str) -> Iterator[Rig]:
    """Before Redis 6 no server knows two passwords."""
    if (verb, step) == ("rotation", "admit"):
        with cluster_of("el9") as rig:
            yield rig
    else:
        yield request.getfixturevalue("bare" if UNDERTAKINGS[verb].fresh else "seed")


def _prove(rig: Rig, folder: Path, verb: str, step: str, entered: str) -> None:
    case = UNDERTAKINGS[verb](rig, verb)
    sentence = case.sentence(step)
    case.prepare(step)
    before = changed_for_a_while(rig)
    rig.operator.stop()
    held = accident(rig, "hold", sentence, folder / "steps", "frozen")
    with ledger(rig.lab, rig.password) as book:
        at = case.begin(book)
        held.start("e2e.dying")
        held.wait_until(lambda: is_held(folder / "steps", sentence), "the command", 120)
        enter(rig, entered)
        (folder / "steps.go").touch()
        wait_until_back(rig, held, entered, at)
        case.left(book)
        (chief,) = wait_for_one_master(rig)
        book.wait(30, rig.lab[chief].address)
    assert wait_until(lambda: roles(rig) == _ROLES, 30, 0.3), roles(rig)
    missing = book.missing(rig.lab[chief])
    assert [ack for ack in missing if ack.kind == "plain"] == []
    assert changed_for_a_while(rig) == before
    held.kill()
    rig.operator.start()
    full_again(rig, entered, **case.declared)
    case.end()
    rig.wait(lambda s: is_healthy(s) and "operation" not in s, "all well", 180)
    rig.spoiled = rig.spoiled or case.spoils


def enter(rig: Rig, entered: str) -> None:
    """Leave Full, or begin to delete."""
    if entered == "Retain":
        rig.cp.kubectl("delete", "rsc", NAME, "-n", NAMESPACE, "--wait=false")
    else:
        manage(rig, f'"{entered}"')


def full_again(rig: Rig, entered: str, **changes: Any) -> None:
    """Go on with Full, or declare the cluster anew."""
    if entered == "Retain":
        rig.declare(**changes)
    else:
        manage(rig, "null")


def wait_until_back(rig: Rig, held: OperatorProcess, entered: str, at: str) -> None:
    """Wait until the procedure has ended, by its answer (if it was asked for) or with the resource."""
    started = time.monotonic()
    if entered == "Retain":
        rig.cp.kubectl("wait", "rsc", NAME, "-n", NAMESPACE, "--for=delete", f"--timeout={BOUND:.0f}s", seconds=130)
    else:

        def over(status: dict[str, Any]) -> bool:
            answers = [each for each in status.get("acts", []) if each["at"] == at and each["result"] != "Running"]
            return (bool(answers) or not at) and "operation" not in status

        rig.wait(over, "the way back", BOUND)
    assert time.monotonic() - started < BOUND, held.tail()


def wait_for_one_master(rig: Rig) -> list[str]:
    assert wait_until(lambda: len(rig.master_by_role()) == 1, 60, 0.3), rig.master_by_role()
    return rig.master_by_role()


def role(rig: Rig, host: str) -> str:
    with rig.redis(host) as client:
        return str(client.execute_command("ROLE")[0])


def roles(rig: Rig) -> list[str]:
    return sorted(role(rig, host.name) for host in rig.lab)


def is_held(steps: Path, what: str) -> bool:
    """Whether a step whose sentence begins so has been done."""
    return steps.exists() and any(f": {what}" in line for line in steps.read_text().splitlines())
