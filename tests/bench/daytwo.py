"""What a switchover and a new password cost who writes, against a bare SENTINEL FAILOVER and a loop over ssh."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, compared
from bench.others import Others
from bench.switch import all_linked, force
from e2e.acting import answer, ask
from e2e.rig import NAME, Rig, is_healthy, master
from e2e.test_rotation import another, given, in_sync, put
from e2e.test_switchover import fill, settle
from lab.controlplane import ControlPlane
from lab.labs import Lab
from lab.ledger import ledger
from lab.machine import LabError
from lab.observe import commands_seen
from lab.operator import OperatorProcess
from lab.processes import wait_until

PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one change of the master under writes: the longest time without a write in ms, and plain writes lost."""

    pause: float
    lost: int


def day_two(lab: Lab, cp: ControlPlane, others: Others) -> list[Figure]:
    """Measure: first without data, then with a gigabyte on each server."""
    rig = Rig(lab, cp)
    rig.operator = OperatorProcess(cp)
    rig.declare()
    rig.operator.start()
    settle(rig)
    figures = _rotation(rig, others)
    for size in ("without_data", "with_1_gb"):
        if size == "with_1_gb":
            fill(rig, *rig.master_by_role())  # status may not tell yet what was done without the operator
        settle(rig)
        ours = _cost(rig, lambda: _switchover(rig))
        settle(rig)
        rig.operator.stop()
        bare = _cost(rig, lambda: _bare(rig))
        rig.operator.start()
        figures += [
            compared(f"switchover_pause_{size}", ours.pause, bare.pause),
            Figure(f"switchover_lost_{size}", ours.lost, "writes", bare.lost, at_most=0),
        ]
    return figures


def _cost(rig: Rig, change: Callable[[], str]) -> Cost:
    """Write while the master is changed. `change` returns who is master then."""
    with ledger(rig.lab, rig.password) as book:
        new = rig.lab[change()]
        book.wait(60, new.address)
        if not wait_until(lambda: all_linked(rig), PATIENCE):
            raise LabError(f"the replicas do not follow {new.name}")
    lost = [ack for ack in book.missing(new) if ack.kind == "plain"]
    return Cost(book.pause() * 1000, len(lost))


def _switchover(rig: Rig) -> str:
    told = answer(rig, ask(rig, "switchover -"), PATIENCE)
    if told["result"] != "Done":
        raise LabError(f"the switchover was not done: {told['message']}")
    return master(rig.wait(is_healthy, "all well", PATIENCE))


def _bare(rig: Rig) -> str:
    """What a person does who has no operator."""

    def moved() -> bool:
        return str(sentinel.sentinel_get_master_addr_by_name(NAME)[0]) != before

    with rig.sentinel(rig.lab.replicas[0].name) as sentinel:
        before = str(sentinel.sentinel_get_master_addr_by_name(NAME)[0])
        force(rig)
        if not wait_until(moved, PATIENCE):
            raise LabError("the sentinel does not switch")
        now = str(sentinel.sentinel_get_master_addr_by_name(NAME)[0])
    return next(host.name for host in rig.lab if host.address == now)


def _rotation(rig: Rig, others: Others) -> list[Figure]:
    """From the first server that has the new password to the last one, in milliseconds."""
    new = another()
    with commands_seen(rig.lab) as seen:
        version = put(rig, {"password": new})
        rig.wait(lambda s: in_sync(s, version), "the new password on all", PATIENCE)
        times = given(seen)
    old, rig.password = rig.password, new
    ours = (max(times) - min(times)) * 1000
    settle(rig)
    rig.operator.stop()
    alone = _by_hand(rig, others.known_hosts(), old)
    version = put(rig, {"password": old})
    rig.password = old
    rig.operator.start()
    rig.wait(lambda s: in_sync(s, version), "what the loop left undone: the files", PATIENCE)
    return [Figure("rotation_window_ms", round(ours, 1), "ms", at_most=1000), compared("rotation_window", ours, alone)]


def _by_hand(rig: Rig, known_hosts: Path, new: str) -> float:
    """The same by a loop over ssh, one host after the other, as a play with `serial: 1` does; in milliseconds."""
    with commands_seen(rig.lab) as seen:
        for host in rig.lab:
            redis = f"redis-cli -h {host.address} -a {rig.password}"
            command = f"{redis} CONFIG SET masterauth {new} && {redis} CONFIG SET requirepass {new}"
            if host in rig.lab.replicas:
                command += f" && redis-cli -h {host.address} -p 26379 SENTINEL SET {NAME} auth-pass {new}"
            ssh = ["ssh", "-i", str(rig.lab.private_key), "-o", f"UserKnownHostsFile={known_hosts}"]
            subprocess.run([*ssh, f"root@{host.address}", command], check=True, capture_output=True, timeout=30)
        times = given(seen)
    return (max(times) - min(times)) * 1000
