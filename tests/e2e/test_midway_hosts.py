"""Full is left, or the resource is deleted, while a host joins or leaves: nothing more is done, and nothing is lost.

That is no procedure: nothing was changed for a while, so there is nothing to put back. What is there stays as it is,
and goes on from there as soon as it may; a deletion gives up every claim, also that of the host which is on its way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.midway import ENTERED, ON_ITS_WAY
from e2e.rig import NAME, Rig, Status, is_healthy, master
from e2e.test_interrupted import accident
from e2e.test_midway import BOUND, STATE, enter, full_again
from e2e.test_scaling import declare, installed, is_out, spec, views
from lab.ledger import ledger
from lab.operator import OperatorProcess
from lab.processes import wait_until
from lab.seed import NAMESPACE

POINTS = [(way, step, entered) for way, steps in ON_ITS_WAY.items() for step in steps for entered in ENTERED]
_IDS = ["-".join((way, step.rstrip(" (").replace(" ", "-"), entered)) for way, step, entered in POINTS]


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.parametrize(("way", "step", "entered"), POINTS, ids=_IDS)
def test_entered_after_any_step(bare: Rig, tmp_path: Path, way: str, step: str, entered: str) -> None:
    rig, other = bare, list(bare.lab)[3]
    was, wanted = (3, 4) if way == "join" else (4, 3)
    installed(rig, was)
    chief = master(rig.status())
    rig.operator.stop()
    steps = tmp_path / "steps"
    held = accident(rig, "hold", step, steps, "frozen")
    with ledger(rig.lab, rig.password) as book:
        declare(rig, wanted)
        held.start("e2e.dying")
        held.wait_until(lambda: count(steps, step) == ON_ITS_WAY[way][step], "the step", 120)
        done, heard = steps.read_text(), _lines(steps.with_suffix(".heard"))
        enter(rig, entered)
        if entered != "Retain":  # there the pass is given up where it is
            wait_until(lambda: _lines(steps.with_suffix(".heard")) > heard, 20, 0.05)
            steps.with_suffix(".go").touch()
        _is_left_alone(rig, held, entered)
        assert steps.read_text() == done, "something was begun after that"
        assert rig.master_by_role() == [chief]
        book.wait(10, rig.lab[chief].address)
        held.kill()
        rig.operator.start()
        if (way, entered) == ("leave", "Retain"):  # a new resource knows of no host that it does not name
            full_again(rig, entered, **spec(rig, was))
            _is_whole(rig, was)
            declare(rig, wanted)
        else:
            full_again(rig, entered, **spec(rig, wanted))
        _is_whole(rig, wanted)
        book.wait(10, rig.lab[chief].address)
    assert rig.master_by_role() == [chief]
    assert book.missing(rig.lab[chief]) == []
    majority = wanted // 2 + 1
    assert views(rig, wanted) == [(majority, wanted - 1, wanted - 1)] * wanted
    assert is_out(other) is (way == "leave")


def count(steps: Path, what: str) -> int:
    """On how many hosts a step whose sentence begins so has been done."""
    return steps.read_text().count(f": {what}") if steps.exists() else 0


def _lines(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def _is_left_alone(rig: Rig, held: OperatorProcess, entered: str) -> None:
    """Wait until it is heard, and two passes more; of a resource that is gone there is no claim."""
    if entered == "Retain":
        rig.cp.kubectl("wait", "rsc", NAME, "-n", NAMESPACE, "--for=delete", f"--timeout={BOUND:.0f}s", seconds=130)
        assert [host.run(f"test -e {STATE}", check=False).returncode for host in rig.lab] == [1] * 4
        return
    phase = {"Paused": "Paused", "Observe": "Observing"}[entered]
    rig.wait(lambda s: s["phase"] == phase, phase, 60)
    passes = held.passes()
    assert wait_until(lambda: held.passes() >= passes + 2, 60, 0.5)


def _is_whole(rig: Rig, count: int) -> None:
    def over(status: Status) -> bool:
        return is_healthy(status) and len(status["hosts"]) == count and status["ready"] == f"{count}/{count}"

    rig.wait(over, "all as declared", 180)
