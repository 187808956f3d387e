"""What the kernel of this machine refuses the hosts of all labs, which share it, and how that is told."""

from __future__ import annotations

from pathlib import Path

_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")


def refuses() -> bool:
    """Whether the kernel refuses anything: nobody asks for what the machine of all labs has (a kubelet sets it)."""
    return _OVERCOMMIT.read_text().strip() != "1"


def at_next_boot() -> str:
    """What PreflightPassed says of a cluster on hosts of a lab where the kernel refuses something."""
    return (
        "The kernel does not take now what is written for the next boot: all hosts: vm.overcommit_memory is "
        f"{_OVERCOMMIT.read_text().strip()} instead of 1. The operator does not try again before. Boot the machines "
        "when it suits you; the kernel of a container is set on the machine under it."
    )
