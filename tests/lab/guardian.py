"""What a part of a lab made goes when the process that drives it dies, however it dies.

The guardian is a process of its own that waits on a pipe. Nothing is ever written into that pipe but the word to leave:
when the driver ends without it, killed or crashed, the kernel closes the pipe and the guardian cleans up by name.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

from lab.model import LabConfig, lab_from_environment

_LEAVE = b"leave"


class Guardian:
    """Calls `target` ("module:function" of a LabConfig, callable more than once) when this process ends.

    `claim` is a locked file descriptor: the lock holds until the guardian has left as well, so nobody starts the lab
    anew while it still cleans up.
    """

    def __init__(self, target: str, config: LabConfig, claim: int) -> None:
        environment = os.environ | {
            "LAB_NAME": config.name,
            "LAB_SUBNET": str(config.subnet),
            "LAB_REPLICAS": str(len(config.hosts) - 1),
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab.guardian", target],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            pass_fds=(claim,),
            start_new_session=True,  # a Ctrl-C at the terminal is for the driver, not for who cleans up after it
        )

    def dismiss(self) -> None:
        """Everything is clean: the guardian leaves without doing anything."""
        self._process.communicate(_LEAVE)


def main(target: str) -> None:
    """Wait for the end of the driver, then clean up."""
    if sys.stdin.buffer.read() == _LEAVE:
        return
    module, _, function = target.partition(":")
    getattr(importlib.import_module(module), function)(lab_from_environment())


if __name__ == "__main__":
    main(sys.argv[1])
