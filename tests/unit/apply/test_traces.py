"""What is left of a configuration that a package kept as it went: all but the passwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from unit.apply.test_kernel_scripts import SHELLS, run, tool

KEPT = "# requirepass foobared\nport 6379\nmasteruser app\nsentinel monitor mine 192.0.2.1 6379 2\n"


@SHELLS
@pytest.mark.parametrize(
    "line",
    [
        'requirepass "it"',
        "masterauth it",
        'primaryauth "it"',  # valkey writes it so
        "sentinel auth-pass mine it",
        "  MasterAuth\tit",
    ],
)
def test_no_password_is_left_under_any_name_of_it(tmp_path: Path, shell: str, line: str) -> None:
    (tmp_path / "kept").mkdir()
    tool(tmp_path / "kept", "systemctl", "exit 0")
    saved = tmp_path / "redis.conf.rpmsave"
    saved.write_text(f"{KEPT}{line}\n")
    done = run(shell, "traces", tmp_path / "kept", f"{saved} {tmp_path}/no-such-file")
    assert (done.returncode, done.stderr) == (0, "")
    assert saved.read_text() == KEPT
