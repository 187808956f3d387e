"""What is shown first: `make demo`, from the first command to the last, on a lab of its own."""

from __future__ import annotations

import os
import subprocess

import pytest

from lab.operator import ROOT

LAB = ("LAB_NAME=shown", "LAB_SUBNET=192.168.39.0/24")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_the_demo_shows_what_it_promises_and_takes_all_away() -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("KEEP", "LAB_", "NODE"))}
    done = subprocess.run(
        ["make", "demo", *LAB], check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=380
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    last = said.rstrip().splitlines()[-1]
    assert last == f"all came as promised; to look around: make demo KEEP=1 {LAB[1]} {LAB[0]}"
    assert said.count(" reads: written on the master\n") == 4, said
    assert "role:slave" in said and "link:up" in said, said
    assert [name for name in os.listdir("/sys/class/net") if name.endswith("-shown") or "-shown-" in name] == []
