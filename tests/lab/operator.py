"""The operator as a process of its own, under the ServiceAccount of deploy/: started, read, killed, frozen."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from lab.controlplane import ControlPlane
from lab.machine import LabError
from lab.processes import descendants, wait_until

ROOT = Path(__file__).parents[2]
ACCOUNT = "redis-sentinel-operator"  # its namespace and its ServiceAccount

_APART = ("/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
_PASSES = re.compile(r"^rso_pass_seconds_count\{.*\} (\S+)$", re.MULTILINE)
NAMES = ("operator", "second", "dying", "frozen")  # each has a port of its own


def pass_counts(metrics: str) -> list[int]:
    """How many passes each cluster has had, as /metrics tells it."""
    return [int(float(count)) for count in _PASSES.findall(metrics)]


class OperatorProcess:
    """One run after another of the operator with the rights of deploy/; the log of all runs is one file of JSON lines.

    What is asked of the log is what was written since this object was made: another test's runs may be in the file. It
    is one of the control plane's daemons, so it ends with the lab in every case. `name` is one of NAMES. `apart`: it
    sees no other process, as in a Pod, so it cannot tell that another holder of the Lease has died.
    """

    def __init__(
        self, cp: ControlPlane, name: str = "operator", settings: dict[str, str] | None = None, *, apart: bool = False
    ) -> None:
        self._daemons, self._name = cp.daemons, name
        self._prefix = _APART if apart else ()
        self.log = cp.daemons.directory / f"{name}.log"
        self._begin = self.log.stat().st_size if self.log.exists() else 0
        self.port = cp.config.api_port + 10 + NAMES.index(name)
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT / 'tests'}",
            "PYTHONPYCACHEPREFIX": sys.pycache_prefix or "",
            "RSO_HTTP_PORT": str(self.port),
            **cp.operator_environment(ACCOUNT, ACCOUNT),
            **(settings or {}),
        }

    def __enter__(self) -> OperatorProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, module: str = "redis_sentinel_operator") -> OperatorProcess:
        """Start it; the log goes on in the same file."""
        self.kill()
        self._daemons.start(self._name, [*self._prefix, sys.executable, "-m", module], self._environment)
        return self

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._daemons.alive(self._name)

    @property
    def pid(self) -> int:
        """Its process id. Raises LabError when it does not run."""
        pid = self._daemons.pid(self._name)
        if pid is None:
            raise LabError(f"the operator is not running; its log ends:\n{self.tail()}")
        return pid

    def has_passed(self) -> bool:
        """Whether this run of it has ended a pass; until then status is what an earlier run stored."""
        return "\nrso_last_pass_timestamp_seconds{" in self.metrics()

    def passes(self) -> int:
        """How many passes this run of it has ended, of all clusters. The log has only those that decided something."""
        return sum(pass_counts(self.metrics()))

    def metrics(self) -> str:
        """What /metrics tells; "" while it does not listen yet."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone, with its port."""
        below = descendants(self.pid) if self._prefix and self.running else []
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
        self._daemons.stop(self._name)
        for process in below:  # who sees no other process is told by the kernel that its parent has ended
            process.kill()

    def stop(self, seconds: float = 30.0) -> None:
        """SIGTERM, and wait until it is gone."""
        if self._prefix and self.running:  # of the process that it sees as the first of all
            for process in descendants(self.pid):
                process.signal(signal.SIGTERM)
            wait_until(lambda: not self.running, seconds)
        self._daemons.stop(self._name, seconds)

    def wait_until_ended(self, seconds: float) -> None:
        """Wait until it has ended by itself. Raises LabError when it has not in time."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                raise LabError(f"the operator has not ended within {seconds:.0f} s; its log ends:\n{self.tail()}")
            time.sleep(0.05)

    def freeze(self) -> None:
        """SIGSTOP: as a machine that is suspended."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def lines(self) -> list[dict[str, Any]]:
        """All log lines of its runs as data; a line that is no JSON is {"message": line}."""
        return list(parsed(self._text()))

    def audit(self) -> list[dict[str, Any]]:
        """The audit lines: one for each change on a host."""
        return [line for line in self.lines() if line.get("logger", "").endswith(".audit")]

    def tail(self, count: int = 30) -> str:
        """The last lines of the log, for the message of a test that gave up."""
        return "\n".join(self._text().splitlines()[-count:])

    def _text(self) -> str:
        if not self.log.exists():
            return ""
        with self.log.open(errors="replace") as log:
            log.seek(self._begin)
            return log.read()

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float, every: float = 0.1) -> Any:
        """Wait until `condition()` is true and return it; raises LabError with the log's end when it is not in time."""
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if not self.running:
                raise LabError(f"the operator ended while waiting for {what}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not come within {seconds:.0f} s; the operator's log ends:\n{self.tail()}")
            time.sleep(every)


def parsed(text: str) -> Iterator[dict[str, Any]]:
    """The lines of an operator's log as data; a line that is no JSON is {"message": line}."""
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            found = {"message": line}
        yield found if isinstance(found, dict) else {"message": line}
