"""Where built things are kept between runs and checkouts: `${XDG_CACHE_HOME:-~/.cache}/redis-sentinel-operator`.

An artefact is a directory named after what it is and its version. It is built beside its final place under a lock and
moved there by one rename, so a reader never sees half of one and a build that dies leaves nothing that looks whole.
A long chain is resumable by being several artefacts (source, binaries, packages): what is there is not built again.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lab.console import Console, default_console

_KEY = re.compile(r"[a-z0-9][A-Za-z0-9._+-]*")


def cache_root() -> Path:
    """The cache directory, made when absent."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base) / "redis-sentinel-operator"
    root.mkdir(parents=True, exist_ok=True)
    return root


def artefact(key: str, build: Callable[[Path], None], console: Console | None = None, what: str = "") -> Path:
    """The directory `key` of the cache; `build(directory)` fills it the first time, which is told as `what`.

    `key` names content and version (`redis-3.2.6-el7-2`): other content needs another key. Several processes may ask
    at once, one builds and the others wait and say so. Raises what `build` raises, and keeps nothing of that attempt.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"not an artefact key: {key!r}")
    console = console or default_console()
    target = cache_root() / key
    if target.is_dir():
        return target
    with _locked(cache_root() / f".{key}.lock", f"{key}, which another process builds", console):
        if not target.is_dir():
            _build(target, build, console, what or f"building {key}")
    return target


@contextmanager
def _locked(path: Path, what: str, console: Console) -> Iterator[None]:
    """Hold the lock `path`, saying what it waits for when it has to wait. The kernel frees a dead builder's lock."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        with console.step(f"waiting for {what}"):
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build(target: Path, build: Callable[[Path], None], console: Console, what: str) -> None:
    partial = target.with_name(f".{target.name}.partial")
    _remove_tree(partial)
    partial.mkdir(parents=True)
    try:
        with console.step(what):
            build(partial)
    except BaseException:
        _remove_tree(partial)
        raise
    partial.rename(target)


def _remove_tree(path: Path) -> None:
    """Remove a tree, first taking off what a killed build left mounted in it (never cross into a live /proc)."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((m for m in mounts if m.startswith(f"{path}/")), reverse=True):
        subprocess.run(["umount", mount], check=True)
    if path.exists():
        shutil.rmtree(path)
