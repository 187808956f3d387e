"""Which machines are refused before anything is installed on them, and in which words."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

PREPARE = (Path(__file__).parents[2] / "lab" / "prepare.sh").read_text()
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] if os.geteuid() == 0 else []
# Root in a mount namespace of its own, in which the machine has another os-release. Nothing there can be installed.
ELSEWHERE = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c"]
ELSEWHERE += ['mount --bind "$0" /etc/os-release && exec env PATH=/usr/bin:/bin bash']


def prepare(*within: str | Path) -> tuple[int, str, str]:
    """Run it; its exit status, and what it said on standard output and standard error."""
    done = subprocess.run([*within, "bash"], check=False, input=PREPARE, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def test_who_is_not_root_is_refused() -> None:
    said = "The lab boots machines, so it needs root: run it as root (make test-unit does not).\n"
    assert prepare(*NOBODY) == (2, "", said)


@pytest.mark.parametrize(
    ("release", "told"),
    [
        ('PRETTY_NAME="Ubuntu 24.04.2 LTS"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n', "Ubuntu 24.04.2 LTS"),
        ('PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\nVERSION_ID="13"\n', "Debian GNU/Linux 13 (trixie)"),
        ('PRETTY_NAME="Another 12"\nID=another\nVERSION_ID="12"\n', "Another 12"),
        ("", "another system"),
    ],
    ids=["Ubuntu", "Debian 13", "12 of another", "nothing is told"],
)
def test_another_system_is_refused(tmp_path: Path, release: str, told: str) -> None:
    other = tmp_path / "os-release"
    other.write_text(release)
    said = f"The lab was made for Debian 12 and this is {told}: run it on a Debian 12 machine or VM.\n"
    assert prepare(*ELSEWHERE, other) == (2, "", said)
