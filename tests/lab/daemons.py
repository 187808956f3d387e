"""Background processes of a lab that are known by pid *and* start time, so that nobody else's process is ever ended.

Records lie in a directory, so another process (`lab down`, the reaper of a driver that died) can end them as well.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.machine import LabError

STOP_SECONDS = 20.0
_children: dict[int, subprocess.Popen[bytes]] = {}  # of this process, to be reaped by whoever stops them


class DaemonDied(LabError):
    """A background process ended by itself; the message carries the end of its log."""


class Daemons:
    """The processes recorded in `directory`: NAME.pid, with the output of each in NAME.log."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, name: str, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
        """Start `command` in a session of its own and record it as `name`. Returns the pid."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.directory / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
        _children[child.pid] = child
        record = {"pid": child.pid, "started": start_time(child.pid)}
        (self.directory / f"{name}.pid").write_text(json.dumps(record))
        return child.pid

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
        """End `name`: SIGTERM, then SIGKILL after `seconds`. Quiet when it does not run."""
        pid = self.pid(name)
        if pid is not None:
            end(pid, seconds)
            if pid in _children:
                _children.pop(pid).wait()
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def stop_all(self, seconds: float = STOP_SECONDS) -> None:
        """End every recorded process, the youngest first."""
        records = sorted(self.directory.glob("*.pid"), key=lambda p: p.stat().st_mtime_ns, reverse=True)
        for record in records:
            self.stop(record.stem, seconds)

    def pid(self, name: str) -> int | None:
        """The pid of `name` while that very process runs (a zombie does not)."""
        try:
            record = json.loads((self.directory / f"{name}.pid").read_text())
        except FileNotFoundError:
            return None
        pid = int(record["pid"])
        if pid in _children and _children[pid].poll() is not None:
            del _children[pid]  # it ended by itself
        return pid if start_time(pid) == record["started"] else None


def start_time(pid: int) -> int | None:
    """When `pid` started, in clock ticks since the boot; None when there is no such process (field 22 of proc(5))."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def end(pid: int, seconds: float) -> None:
    """SIGTERM to `pid`, SIGKILL after `seconds` (at once when 0), and wait until it is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for signum, patience in [(signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)][seconds == 0 :]:
            signal.pidfd_send_signal(handle, signum)
            if _gone(handle, patience):
                return
    except ProcessLookupError:
        return
    finally:
        os.close(handle)
    raise TimeoutError(f"process {pid} survives SIGKILL")


def _gone(handle: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    poller = select.poll()
    poller.register(handle, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if poller.poll(left * 1000):
            return True
    return False
