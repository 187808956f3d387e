"""The lab's cache never holds half a thing, and builds each thing once."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console as RichConsole

from lab.cache import artefact
from lab.console import Console, aligned, console_on

TESTS = Path(__file__).parents[1]
SLOW = """
import sys, time
from pathlib import Path
from lab.cache import artefact

def build(path):
    (path / "half").write_text("x")
    with open(sys.argv[1], "a") as log:
        log.write("built\\n")
    print("building", flush=True)
    sys.stdin.readline()
    (path / "whole").write_text("x")

artefact("thing-1", build)
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "redis-sentinel-operator"


def builder(log: Path) -> subprocess.Popen[str]:
    """A process that builds thing-1 and waits for a line before it finishes."""
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(TESTS)},
    )  # fmt: skip


def test_what_is_there_is_not_built_again(cache: Path) -> None:
    built: list[Path] = []
    first = artefact("thing-1", built.append)
    assert artefact("thing-1", built.append) == first == cache / "thing-1"
    assert len(built) == 1


def test_a_build_that_fails_leaves_nothing(cache: Path) -> None:
    def fail(path: Path) -> None:
        (path / "half").write_text("x")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        artefact("thing-1", fail)
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []
    assert (artefact("thing-1", lambda path: (path / "whole").touch()) / "whole").exists()


def test_a_build_that_is_killed_leaves_nothing_that_looks_whole(cache: Path, tmp_path: Path) -> None:
    with builder(tmp_path / "log") as process:
        assert process.stdout
        assert process.stdout.readline() == "building\n"
        process.send_signal(signal.SIGKILL)
    assert not (cache / "thing-1").exists()
    thing = artefact("thing-1", lambda path: (path / "whole").touch())
    assert [file.name for file in thing.iterdir()] == ["whole"]


def test_two_builders_build_once_and_the_second_says_what_it_waits_for(tmp_path: Path) -> None:
    with builder(tmp_path / "log") as one:
        assert one.stdout
        assert one.stdout.readline() == "building\n"
        with builder(tmp_path / "log") as two:
            assert two.stderr
            assert two.stderr.readline() == "waiting for thing-1, which another process builds ...\n"
            one.communicate("\n")
            _, told = two.communicate("\n")
    assert (one.returncode, two.returncode) == (0, 0)
    assert "waiting for thing-1, which another process builds: done in" in told
    assert (tmp_path / "log").read_text() == "built\n"


def test_a_step_says_what_it_does_and_how_long_it_took() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyError), console_on(stream).step("baking", "the oven"):
        raise KeyError
    first, last = stream.getvalue().splitlines()
    assert first == "baking ... (waits for the oven)"
    assert re.fullmatch(r"baking: failed after \d+\.\d s", last)


def test_of_steps_in_steps_only_the_innermost_says_that_it_lasts() -> None:
    stream = io.StringIO()
    console = Console(RichConsole(file=stream, soft_wrap=True), heartbeat=0.3)
    deadline = time.monotonic() + 50
    with console.step("dinner"), console_on(stream).step("soup"):
        with console.step("salt"):
            while stream.getvalue().count("salt: still at it") < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
        assert stream.getvalue().count("still at it") >= 2
        assert "dinner: still" not in stream.getvalue()
    with console.step("dessert"):
        while "dessert: still at it" not in stream.getvalue():
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_table_is_as_wide_as_it_must_be() -> None:
    assert aligned([("host", "is"), ("redis_master01" * 9, "on")]) == [
        f"{'host':126}  is",
        f"{'redis_master01' * 9}  on",
    ]


@pytest.mark.parametrize("key", ["", "a/b", "../x", ".hidden"])
def test_a_key_is_a_plain_name(key: str) -> None:
    with pytest.raises(ValueError, match="not an artefact key"):
        artefact(key, lambda path: None)
