"""make bench: run the benches, print the table, write results.json. `python -m bench VENV [PART ...]`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from redis.exceptions import RedisError

from bench.daytwo import day_two
from bench.figures import Figure, save, show
from bench.fleet import fleet
from bench.install import install
from bench.noop import noop
from bench.others import Others
from bench.switch import switch
from lab import labs
from lab.console import Console, default_console
from lab.controlplane import ControlPlane
from lab.machine import LabError
from lab.model import lab_config
from lab.seedcluster import PASSWORD

_NAME, _SUBNET = os.environ.get("BENCH_LAB", "bench 192.168.150.0/24").split()
CONFIG = lab_config(_NAME, _SUBNET)


def main(venv: str, *only: str) -> int:
    """Return 0 when all was measured; a missed goal is told, not an error: machines are noisy.

    A part that fails, or does not end within its time, costs no other part its figures.
    """
    console = default_console()
    figures: list[Figure] = []
    failed = 0
    for name, (bench, seconds) in BENCHES.items():
        if only and name not in only:
            continue
        try:
            with console.step(f"measuring {name}"), _at_most(seconds):
                found = bench(Path(venv), console)
        except (LabError, OSError, RedisError, subprocess.SubprocessError) as error:
            console.say(f"{name} was not measured: {error}")
            failed += 1
            continue
        save(found)
        figures += found
    show(figures)
    return 1 if failed else 0


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """Give up what takes longer. Raises LabError."""

    def give_up(_signal: int, _frame: object) -> None:
        raise LabError(f"it has not ended within {seconds} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _noop(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab:
        return asyncio.run(noop(lab, Others(venv, lab, PASSWORD, Path(work))))


def _install(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab, ControlPlane(CONFIG) as cp:
        return install(lab, cp, Others(venv, lab, PASSWORD, Path(work)))


def _fleet(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab, ControlPlane(CONFIG) as cp:
        return fleet(lab, cp, Path(work))


def _switch(venv: Path, console: Console) -> list[Figure]:
    with labs.hosts_lab(CONFIG) as lab, ControlPlane(CONFIG) as cp:
        return switch(lab, cp)


def _day_two(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab, ControlPlane(CONFIG) as cp:
        return day_two(lab, cp, Others(venv, lab, PASSWORD, Path(work)))


# Each with the seconds that it may take, about three times what it takes on two quiet cores.
BENCHES: dict[str, tuple[Callable[[Path, Console], list[Figure]], int]] = {
    "noop": (_noop, 300),
    "install": (_install, 600),
    "fleet": (_fleet, 900),
    "switch": (_switch, 1200),
    "daytwo": (_day_two, 900),
}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
