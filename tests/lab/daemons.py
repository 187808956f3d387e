"""Background processes of a lab by name, so that another process (`lab down`, a guardian) can find and end them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.machine import LabError
from lab.processes import reap, saved, spawn

STOP_SECONDS = 20.0


class DaemonDied(LabError):
    """A background process ended by itself; the message carries the end of its log."""


class Daemons:
    """The processes recorded in `directory`: NAME.pid, with the output of each in NAME.log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
        """Start `command` in a session of its own and record it as `name`. Returns the pid."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        started = spawn(
            [str(word) for word in command],
            self.directory / f"{name}.log",
            env=None if environment is None else dict(environment),
            append=True,
        )
        started.save(self.directory / f"{name}.pid")
        return started.pid

    def alive(self, name: str) -> bool:
        """Whether the process recorded as `name` runs."""
        return self.pid(name) is not None

    def require(self, *names: str) -> None:
        """Raises DaemonDied when one of `names` does not run any more."""
        for name in names:
            if not self.alive(name):
                raise DaemonDied(f"{name} ended by itself; the end of its log:\n{self.log_tail(name)}")

    def log_tail(self, name: str, lines: int = 12) -> str:
        """The last lines of the log of `name`."""
        log = self.directory / f"{name}.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def stop(self, name: str, seconds: float = STOP_SECONDS) -> None:
        """End `name`: SIGTERM, then SIGKILL after `seconds` (at once when 0). Quiet when it does not run."""
        found = saved(self.directory / f"{name}.pid")
        if found is not None:
            found.stop(seconds) if seconds else found.kill()
            reap(found.pid)
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def stop_all(self, seconds: float = STOP_SECONDS) -> None:
        """End every recorded process, the youngest first."""
        records = sorted(self.directory.glob("*.pid"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
        for record in records:
            self.stop(record.stem, seconds)

    def pid(self, name: str) -> int | None:
        """The pid of `name` while that very process runs (a zombie does not)."""
        found = saved(self.directory / f"{name}.pid")
        return found.pid if found is not None and found.alive else None
