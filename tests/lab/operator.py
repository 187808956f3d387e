"""The operator as a process of its own, under the ServiceAccount of deploy/: started, read, killed, frozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.machine import LabError

ROOT = Path(__file__).parents[2]


class OperatorProcess:
    """One run after another of the operator; the log of all runs is one file of JSON lines.

    `environment` is what `ControlPlane.operator_environment` gives; `port` is for its own HTTP.
    """

    def __init__(
        self, environment: dict[str, str], log: Path, port: int, settings: dict[str, str] | None = None
    ) -> None:
        self.log = log
        self.port = port
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "operator"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RSO_HTTP_PORT": str(port),
            **environment,
            **(settings or {}),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> OperatorProcess:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self, module: str = "redis_sentinel_operator") -> OperatorProcess:
        """Start it; the log goes on in the same file."""
        self.kill()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module],
                env=self._environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def wait(self, seconds: float) -> int:
        """Wait until it ends by itself and return its exit code. Raises subprocess.TimeoutExpired."""
        return self._running().wait(seconds)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self, seconds: float = 30.0) -> int:
        """SIGTERM, and wait until it is gone; its exit code."""
        process = self._running()
        process.terminate()
        code = process.wait(seconds)
        self._process = None
        return code

    def freeze(self) -> None:
        """SIGSTOP: as a machine that is suspended."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    def lines(self) -> list[dict[str, Any]]:
        """All log lines of all runs as data; a line that is no JSON is {"message": line}."""
        return list(_parsed(self.log.read_text(errors="replace"))) if self.log.exists() else []

    def audit(self) -> list[dict[str, Any]]:
        """The audit lines: one for each change on a host."""
        return [line for line in self.lines() if line.get("logger", "").endswith(".audit")]

    def tail(self, count: int = 30) -> str:
        """The last lines of the log, for the message of a test that gave up."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:]) if self.log.exists() else ""

    def wait_until(self, condition: Callable[[], Any], what: str, seconds: float) -> Any:
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
            time.sleep(0.1)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LabError("the operator is not running")
        return self._process


def _parsed(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            found = {"message": line}
        yield found if isinstance(found, dict) else {"message": line}
