"""Scripts of steps that are cut between two of their commands, as where the machine or the connection goes away."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

from redis_sentinel_operator.apply import resp
from redis_sentinel_operator.connect.command import CommandResult
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import SessionLost

# What stands here ends a list, or is about the command before it: nothing may be put between.
_TIED = re.compile(r"\s*(?:[})]|fi\b|done\b|esac\b|else\b|elif\b|;;|$)|.*\$\?")
_GOES_ON = re.compile(r".*(?:\||&&|\\)\s*$")
_HERE = re.compile(r".*<<-?'?([A-Z]+)'?")
# To all of its process group: the script, what runs it and what it runs.
_COUNT = "rso_cut=$((${rso_cut:-0} + 1)); [ $rso_cut -lt %d ] || kill -KILL 0"


def cut(script: str, after: int) -> str:
    """The script that is killed before that command of it, counted as they come; where it has fewer, as it is."""
    line = _COUNT % after
    return "".join(
        f"{line}\n{each}\n" if at in _places(script) else f"{each}\n" for at, each in enumerate(_lines(script))
    )


def _lines(script: str) -> list[str]:
    return script.splitlines()


@cache
def _places(script: str) -> frozenset[int]:
    """The lines before which a command may stand."""
    lines, found, here = _lines(script), set(), ""
    for at, line in enumerate(lines):
        before = lines[at - 1] if at else ""
        if here:
            here = "" if line == here else here
            continue
        opens = _HERE.fullmatch(line.partition("#")[0].rstrip())
        here = opens[1] if opens else ""
        if at and not line.startswith("#") and not _TIED.match(line) and not _GOES_ON.match(before):
            found.add(at)
    return frozenset(at for at in found if _is_script([*lines[:at], ":", *lines[at:]]))


def _is_script(lines: list[str]) -> bool:
    told = subprocess.run(["sh", "-n"], input="\n".join(lines), text=True, capture_output=True, check=False)
    return told.returncode == 0


@contextmanager
def cut_short(link: HostLink, after: int) -> Iterator[list[bool]]:
    """The next script on the host is cut after so many commands; yields whether it was, and the ones after it."""
    cut_off: list[bool] = []

    async def run(script: str, *, stdin: bytes = b"", timeout: float) -> CommandResult:  # noqa: ASYNC109
        text = script if cut_off else await asyncio.to_thread(cut, script, after)
        try:
            result = await HostLink.run(link, text, stdin=stdin, timeout=timeout)
        except SessionLost:  # its shell was killed
            cut_off.append(True)
            raise
        cut_off.append(False)
        return result

    link.run = run  # type: ignore[method-assign]
    try:
        yield cut_off
    finally:
        del link.run


@contextmanager
def answer_lost(number: int, room: ModuleType = resp) -> Iterator[None]:
    """The answer to a command to redis or sentinel does not arrive: the first, the second ... of a room's steps."""
    ask, asked = room.ask, 0

    async def lose(client: object, *words: str) -> object:
        nonlocal asked
        answer = await ask(client, *words)
        asked += 1
        if asked == number:
            raise SessionLost("the connection ended before the answer came")
        return answer

    setattr(room, ask.__name__, lose)
    try:
        yield
    finally:
        setattr(room, ask.__name__, ask)
