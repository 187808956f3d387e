"""Ways to a host for the tests themselves: as its admin at the console (fast), or really through SSH."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from lab.machine import LabError, find

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Completed:
    """How a command on a host ended."""

    returncode: int
    stdout: str
    stderr: str


def enter(leader: int, command: str | Sequence[str], stdin: str | None, timeout: float) -> Completed:
    """Run a command in the namespaces of process `leader`, as root, with a clean environment. Raises LabError."""
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    spaces = ["-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd"]
    environment = ["/usr/bin/env", "-i", _PATH, "HOME=/root", "LC_ALL=C.UTF-8"]
    try:
        done = subprocess.run(
            [find("nsenter"), *spaces, "--", *environment, *words],
            input=stdin if stdin is not None else "", capture_output=True, text=True, errors="replace",
            timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise LabError(f"{command!r} has not ended after {timeout:.0f} s") from late
    return Completed(done.returncode, done.stdout, done.stderr)


def ssh_banner(address: str, port: int = 22, timeout: float = 0.5) -> str:
    """The greeting of the SSH server, or an empty string."""
    try:
        with socket.create_connection((address, port), timeout=timeout) as link:
            link.settimeout(timeout)
            return link.recv(255).decode(errors="replace").strip()
    except OSError:
        return ""
