"""Full is left, or the resource is deleted, in the middle of a recovery: nobody could take back that there is a master.

Before that it is given up; from the promotion on it is gone to its end, and no sentinel that it stopped stays stopped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.acting import ask
from e2e.midway import WITHOUT_ONE, points
from e2e.rig import Rig, is_healthy, master
from e2e.test_interrupted import accident
from e2e.test_midway import enter, full_again, is_held, wait_for_one_master, wait_until_back
from e2e.test_recover import dead_end, named, nobody_to_promote
from e2e.test_switchover import settle
from lab.ledger import ledger
from lab.processes import wait_until
from redis_sentinel_operator.operations.procedures import PROCEDURES

POINTS = list(points(*WITHOUT_ONE))


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.parametrize(("verb", "step", "entered"), POINTS, ids=map("-".join, POINTS))
def test_entered_after_any_step(seed: Rig, tmp_path: Path, verb: str, step: str, entered: str) -> None:
    settle(seed)
    old = master(seed.status())
    new = old if step == "start" else next(host.name for host in reversed(list(seed.lab)) if host.name != old)
    with seed.redis(old) as client:
        client.set("before", step)
        assert client.wait(3, 10000) == 3
    seed.operator.stop()
    sentence = PROCEDURES[verb].commands[step]
    held = accident(seed, "hold", sentence, tmp_path / "steps", "frozen")
    with nobody_to_promote(seed):
        seed.lab[old].run("systemctl stop redis")
        held.start("e2e.dying")
        dead_end(seed)
        at = ask(seed, f"{verb} {new}")
        held.wait_until(lambda: is_held(tmp_path / "steps", sentence), "the command", 120)
        enter(seed, entered)
        (tmp_path / "steps.go").touch()
        wait_until_back(seed, held, entered, at)
        assert wait_for_one_master(seed) == [new]
        assert wait_until(lambda: named(seed) == {(seed.lab[new].address, 6379)}, 30, 0.3), named(seed)
    with ledger(seed.lab, seed.password) as book:
        book.wait(30, seed.lab[new].address)
    held.kill()
    seed.operator.start()
    full_again(seed, entered)
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3" and "operation" not in s, "all well", 180)
    assert seed.master_by_role() == [new]
    with seed.redis(new) as client:
        assert client.get("before") == step
    assert book.missing(seed.lab[new]) == []
    seed.spoiled = "sentinels had replicas write their priority of 0 into their files"
