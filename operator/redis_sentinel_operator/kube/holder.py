"""Names for holders of the Lease that tell, to a successor on the same machine, whether the process still lives."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def own_name() -> str:
    """Return `<hostname>_<boot id>_<pid namespace>_<pid>_<start time>` of this process; unique for ever."""
    return f"{socket.gethostname()}_{_machine()}_{os.getpid()}_{_start_time(os.getpid())}"


def proved_dead(name: str) -> bool:
    """Whether the holder of that name has certainly ended: it ran in our pid namespace of this boot and is not there.

    False means not known (another machine, another container, a name of another form): the Lease must run out.
    """
    parts = name.rsplit("_", 4)
    if len(parts) != 5 or f"{parts[1]}_{parts[2]}" != _machine() or not parts[3].isdigit():
        return False
    return _start_time(int(parts[3])) != parts[4]


def _machine() -> str:
    boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    namespace = os.stat(_PROC / "self/ns/pid").st_ino
    return f"{boot}_{namespace}"


def _start_time(pid: int) -> str:
    """Return the kernel's start time of a process in clock ticks since boot, "" when there is none."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[18]
