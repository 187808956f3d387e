"""The watchman of a lab that shall not outlive its maker: it ends the lab when the maker's end of a pipe closes.

The kernel closes the pipe however the maker dies, `kill -9` included. The watchman is a session of its own, so that a
signal to the maker's process group does not reach it.
"""

from __future__ import annotations

import os
import signal
import sys

from lab.model import LabConfig
from lab.processes import Process, reap, spawn, wait_until

_held: dict[str, tuple[int, Process]] = {}  # by lab: the write end, open for as long as this process lives


def start_reaper(config: LabConfig, token: str) -> None:
    """Start the watchman of lab `config`; `token` tells this raising of the lab from a later one of that name."""
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "lab.reaper", config.name, token]
    environment = {**os.environ, "PYTHONPATH": _path()}
    _held[config.name] = (writer, spawn(command, config.state / "reaper.log", stdin=reader, env=environment))
    os.close(reader)


def dismiss_reaper(config: LabConfig) -> None:
    """Let the watchman of a lab go that this process has taken down itself."""
    if config.name in _held:
        writer, watchman = _held.pop(config.name)
        os.close(writer)
        wait_until(lambda: not watchman.alive, 10.0)
        reap(watchman.pid)


def _path() -> str:
    """Where `lab` is found, for a Python that does not run in this directory."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main() -> None:
    """Wait for the maker's end, then take the lab away if it is still that one."""
    from lab.labs import config_of, down, token_of

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    name, token = sys.argv[1:3]
    os.chdir("/")
    sys.stdin.buffer.read()
    if token_of(name) == token:
        down(config_of(name))


if __name__ == "__main__":
    main()
