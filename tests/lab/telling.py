"""What the demo shows of kubectl and of the sentinels: a line once, and only what the eye needs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from lab.console import Console
from lab.operator import parsed

WIDE = ("NAME", "MASTER", "PHASE")
# the milestones of a failover; the rest (known sentinels, votes, states in between) is in the operator's log
MILESTONES = (
    *("+sdown", "-sdown", "+odown", "-odown", "+try-failover", "+elected-leader", "+promoted-slave", "+switch-master"),
    *("-failover-abort-no-good-slave", "-failover-abort-not-elected", "-failover-abort-slave-timeout"),
)


class Rows:
    """The rows of `kubectl get`, one after another: the heading once, a row when anything but its age changed."""

    def __init__(self) -> None:
        self._heading = ""
        self._row: list[str] = []

    def new(self, output: str) -> list[str]:
        """The lines to show of `output`, a table of one object; empty when nothing changed."""
        heading, *rows = output.splitlines() or [""]
        starts = [found.start() for found in re.finditer(r"\S+", heading)]
        names = heading.split()
        if not rows or (cells := _cells(rows[0], starts))[:-1] == self._row:
            return []
        self._row = cells[:-1]
        lines = [_line(names, names)] if heading.split() != self._heading.split() else []
        self._heading = heading
        return [*lines, _line(names, cells)]


def _cells(row: str, starts: list[int]) -> list[str]:
    """The cells of a row, empty ones as well: they begin where the words of the heading do."""
    return [row[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _line(names: list[str], cells: list[str]) -> str:
    widths = (16 if name in WIDE else len(name) + 2 for name in names)
    return "".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


class SentinelTeller:
    """Tells what the sentinels said since `since` (seconds since the epoch), out of the log that `read` gives."""

    def __init__(self, console: Console, read: Callable[[], str], since: float) -> None:
        self._console = console
        self._read = read
        self._since = since
        self._told: set[tuple[str, str]] = set()

    def tell(self) -> None:
        """Say what came since the last time, with the seconds since the beginning; nothing came: say nothing."""
        for line in parsed(self._read()):
            if line.get("channel") not in MILESTONES:
                continue
            after = datetime.fromisoformat(line["time"]).timestamp() - self._since
            said = line["message"].partition(": the sentinel on ")[2].replace(" says ", ": ", 1)
            if after < 0 or (line["time"], said) in self._told:
                continue
            if not self._told:
                self._console.say("   what the sentinels said, and how long after the stop:")
            self._told.add((line["time"], said))
            self._console.say(f"   {after:6.1f} s  {said}")
