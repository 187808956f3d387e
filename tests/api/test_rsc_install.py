"""kubectl-rsc is installed as its page says, and kubectl finds it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from handbook.blocks import blocks
from lab.binaries import binary
from lab.operator import ROOT


@pytest.mark.long
@pytest.mark.timeout(300)
def test_it_is_installed_as_the_page_says(tmp_path: Path) -> None:
    """All lines but the link into /usr/local/bin, for which PATH stands here."""
    (block,) = blocks(of=ROOT / "docs/kubectl-rsc.md")
    lines = [line for line in block.code.splitlines() if not line.startswith("sudo ")]
    assert len(lines) == block.code.count("\n") - 1
    (tmp_path / "kubectl").symlink_to(binary("kubectl"))
    places = (tmp_path / ".kubectl-rsc/bin", tmp_path, "/usr/bin", "/bin")
    environment = {"HOME": str(tmp_path), "PATH": os.pathsep.join(map(str, places)), "NO_COLOR": "1"}
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "switchover" in done.stdout
