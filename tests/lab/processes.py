"""Processes that the lab started, remembered across Python processes without ever meaning another's."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its pid, and the start time (clock ticks since boot) that tells it from a later one of that pid."""

    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        fields = _stat(self.pid)
        return bool(fields) and int(fields[19]) == self.started and fields[0] != "Z"

    @property
    def state(self) -> str:
        """Its state letter as in ps (T is stopped); empty when it is gone."""
        return _stat(self.pid)[0] if self.alive else ""

    @property
    def name(self) -> str:
        """Its command name, at most 15 characters; empty when it is gone."""
        return _read(self.pid, "comm").strip()

    @property
    def cgroup(self) -> str:
        """Its control group in systemd's hierarchy; empty when it is gone."""
        for line in _read(self.pid, "cgroup").splitlines():
            if line.startswith("0::") or ":name=systemd:" in line:
                return line.rpartition(":")[2]
        return ""

    def signal(self, number: int) -> None:
        """Send a signal if it is still the process that was meant."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def stop(self, timeout: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds; returns when it is gone."""
        self.signal(signal.SIGTERM)
        if not wait_until(lambda: not self.alive, timeout):
            self.kill()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        self.signal(signal.SIGKILL)
        wait_until(lambda: not self.alive, 30.0)

    def save(self, path: Path) -> None:
        """Remember it in a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self)))


def spawn(
    command: Sequence[str],
    log: Path,
    *,
    stdin: int | None = None,
    env: dict[str, str] | None = None,
    append: bool = False,
) -> Process:
    """Start a process in a session of its own, its output going to `log`. Whoever ends it calls :func:`reap`."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0) if stdin is None else (os.POSIX_SPAWN_DUP2, stdin, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    environment = os.environ if env is None else env
    return process(os.posix_spawn(command[0], list(command), environment, file_actions=actions, setsid=True))


def reap(pid: int) -> None:
    """Collect a child that has ended, so that no zombie stays; another's process is none of our business.

    A process shows as a zombie while other threads of it still end, and what it holds is free only after them.
    """
    with suppress(ChildProcessError):
        wait_until(lambda: os.waitpid(pid, os.WNOHANG) != (0, 0), 10.0)


def process(pid: int) -> Process:
    """The process that has `pid` now. Raises ProcessLookupError."""
    fields = _stat(pid)
    if not fields:
        raise ProcessLookupError(pid)
    return Process(pid, int(fields[19]))


def saved(path: Path) -> Process | None:
    """What :meth:`Process.save` remembered, or None."""
    try:
        return Process(**json.loads(path.read_text()))
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def children(pid: int) -> list[int]:
    """The direct children of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def descendants(pid: int) -> list[Process]:
    """All processes below a process, parents before children."""
    found: list[Process] = []
    for child in children(pid):
        with suppress(ProcessLookupError):
            found.append(process(child))
            found += descendants(child)
    return found


def wait_until(condition: Callable[[], object], timeout: float, every: float = 0.02) -> bool:
    """Whether `condition` came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return bool(condition())
        time.sleep(every)
    return True


def _stat(pid: int) -> list[str]:
    """The words of /proc/PID/stat after the command name: [0] is the state, [19] the start time."""
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, file: str) -> str:
    """A file of /proc/PID, or an empty string when the process is gone."""
    try:
        return Path(f"/proc/{pid}/{file}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
