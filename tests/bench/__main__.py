"""make bench: run the benches, print the table, write results.json. `python -m bench VENV [noop] [install] [fleet]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.figures import Figure, save, show
from bench.fleet import fleet
from bench.install import install
from bench.noop import noop
from bench.others import Others
from lab import labs
from lab.console import Console, default_console
from lab.controlplane import ControlPlane
from lab.machine import LabError
from lab.model import lab_config
from lab.seedcluster import PASSWORD

CONFIG = lab_config("bench", "192.168.150.0/24")


def main(venv: str, *only: str) -> int:
    """Return 0 when all was measured; a missed goal is told, not an error: machines are noisy."""
    console = default_console()
    chosen = {name: bench for name, bench in BENCHES.items() if not only or name in only}
    figures: list[Figure] = []
    try:
        for name, bench in chosen.items():
            with console.step(f"measuring {name}"):
                figures += bench(Path(venv), console)
    except LabError as error:
        console.say(f"the bench ends here: {error}")
        return 1
    save(figures)
    show(figures)
    return 0


def _noop(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab:
        return asyncio.run(noop(lab, Others(venv, lab, PASSWORD, Path(work))))


def _install(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab, ControlPlane(CONFIG) as cp:
        return install(lab, cp, Others(venv, lab, PASSWORD, Path(work)))


def _fleet(venv: Path, console: Console) -> list[Figure]:
    with tempfile.TemporaryDirectory() as work, labs.hosts_lab(CONFIG) as lab, ControlPlane(CONFIG) as cp:
        return fleet(lab, cp, Path(work))


BENCHES: dict[str, Callable[[Path, Console], list[Figure]]] = {"noop": _noop, "install": _install, "fleet": _fleet}

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
