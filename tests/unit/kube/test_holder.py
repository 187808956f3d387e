"""Names of holders: whether a process that bore one has certainly ended. With real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from redis_sentinel_operator.kube.holder import own_name, proved_dead

PRINT_NAME = "from redis_sentinel_operator.kube.holder import own_name; print(own_name(), flush=True); input()"


def test_a_living_process_is_not_dead_and_a_killed_one_is() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PRINT_NAME],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            name = process.stdout.readline().strip()
            assert not proved_dead(name)
            process.send_signal(signal.SIGSTOP)
            assert not proved_dead(name)  # frozen is not dead
        finally:
            process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert proved_dead(name)  # not yet reaped by us
    assert proved_dead(name)


def test_this_process_lives() -> None:
    assert not proved_dead(own_name())


def test_a_pid_that_was_given_again_is_another_process() -> None:
    name, _, start = own_name().rpartition("_")
    assert proved_dead(f"{name}_{int(start) - 1}")


def test_nothing_is_known_of_other_machines_containers_and_names() -> None:
    host, boot, namespace, pid, start = own_name().rsplit("_", 4)
    gone = "4194304"  # above the largest pid there can be
    assert proved_dead("_".join((host, boot, namespace, gone, start)))
    assert not proved_dead("_".join((host, "another-boot", namespace, gone, start)))
    assert not proved_dead("_".join((host, boot, "4026530000", gone, start)))
    for strange in ("", "somebody", f"{host}_{boot}_{namespace}_x{pid}_{start}", "_" * 9):
        assert not proved_dead(strange)
