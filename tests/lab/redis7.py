"""A Redis 7.0, which no family of the lab has: Debian 12's own package, unpacked and not installed."""

from __future__ import annotations

from pathlib import Path

from lab.cache import artefact
from lab.console import Console, default_console
from lab.machine import run

PACKAGES = ("redis-tools", "libjemalloc2", "liblzf1", "libatomic1")  # the server is one program with its tools


def redis_7(console: Console | None = None) -> Path:
    """A tree with usr/bin/redis-server and its libraries. Fetched and cached. Raises LabError."""

    def build(directory: Path) -> None:
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "download", *PACKAGES], cwd=directory)
        for package in directory.glob("*.deb"):
            run(["dpkg-deb", "--extract", package, directory])
            package.unlink()
        programs = directory / "usr/bin"
        (programs / "redis-check-rdb").rename(programs / "redis-server")  # it is what its name says

    return artefact("redis-7.0-bookworm-1", build, console or default_console(), "fetching Debian's Redis 7.0")
