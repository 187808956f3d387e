"""What tools of GitOps make of an object: kstatus, by which Flux and kpt wait, and Argo CD's Lua interpreter.

Both are the libraries themselves, in a small program of a Go module of its own.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cache import artefact
from lab.console import Console
from lab.golang import go_build, go_command
from lab.machine import LabError

_MODULE = Path(__file__).with_name("health")


@dataclass(frozen=True, slots=True)
class Health:
    """Words and sentences of both: `kstatus` is Current, InProgress, Failed or Terminating, `argo` Healthy and such."""

    kstatus: str
    argo: str
    kstatus_message: str
    argo_message: str


def health_program(console: Console | None = None) -> Path:
    """The program. Built and cached. Raises LabError."""
    digest = hashlib.sha256(b"".join((_MODULE / name).read_bytes() for name in ("main.go", "go.sum"))).hexdigest()[:8]

    def build(directory: Path) -> None:
        go_build(go_command(console), ".", directory / "health", _MODULE)

    return artefact(f"health-{digest}", build, console, "compiling kstatus and gopher-lua") / "health"


def health(script: Path, objects: Iterable[Mapping[str, Any]]) -> list[Health]:
    """What kstatus and the health script of Argo CD say of each object. Raises LabError."""
    given = json.dumps(list(objects))
    done = subprocess.run(
        [str(health_program()), str(script)], input=given, capture_output=True, text=True, timeout=50, check=False
    )
    if done.returncode:
        raise LabError(f"{script.name}: {done.stderr.strip()}")
    return [
        Health(said["kstatus"]["status"], said["argo"]["status"], said["kstatus"]["message"], said["argo"]["message"])
        for said in json.loads(done.stdout)
    ]
