"""Prometheus and promtool: Debian 12's own package, unpacked and not installed, so that no service of it is there."""

from __future__ import annotations

from pathlib import Path

from lab.cache import artefact
from lab.console import Console, default_console
from lab.machine import run


def prometheus_programs(console: Console | None = None) -> Path:
    """A directory with `prometheus` and `promtool`. Fetched and cached. Raises LabError."""

    def build(directory: Path) -> None:
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "download", "prometheus"], cwd=directory)
        package = next(directory.glob("*.deb"))
        run(["dpkg-deb", "--extract", package, directory])
        package.unlink()

    tree = artefact("prometheus-2.42-bookworm-1", build, console or default_console(), "fetching Debian's Prometheus")
    return tree / "usr/bin"
