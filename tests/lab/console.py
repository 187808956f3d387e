"""Saying what the lab does and what it waits for, to people at a terminal and to logs alike."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console as RichConsole

_running = threading.local()  # .steps: the steps that this thread is in, the innermost last


@dataclass(frozen=True, slots=True)
class Console:
    """Where progress goes: standard error, coloured at a terminal and plain elsewhere."""

    rich: RichConsole
    heartbeat: float = 15.0  # seconds between two lines of a step that takes long
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def say(self, text: str) -> None:
        """One line."""
        with self._lock:
            self.rich.print(text, markup=False, highlight=False)

    @contextmanager
    def step(self, what: str, waits_for: str = "") -> Iterator[None]:
        """Announce `what`, then how long it took; a long one says every quarter of a minute what it waits for.

        Of steps in steps only the innermost says so.
        """
        started = time.monotonic()
        self.say(f"{what} ..." + (f" (waits for {waits_for})" if waits_for else ""))
        over = threading.Event()
        steps = _steps()
        steps.append(over)
        beat = threading.Thread(target=self._beat, args=(what, waits_for, started, steps, over), daemon=True)
        beat.start()
        outcome = "failed after"
        try:
            yield
            outcome = "done in"
        finally:
            steps.remove(over)
            over.set()
            beat.join()
            self.say(f"{what}: {outcome} {time.monotonic() - started:.1f} s")

    def _beat(
        self, what: str, waits_for: str, started: float, steps: list[threading.Event], over: threading.Event
    ) -> None:
        while not over.wait(self.heartbeat):
            if steps[-1:] == [over]:
                reason = f", waits for {waits_for}" if waits_for else ""
                self.say(f"{what}: still at it, {time.monotonic() - started:.0f} s{reason}")


def _steps() -> list[threading.Event]:
    if not hasattr(_running, "steps"):
        _running.steps = []
    found: list[threading.Event] = _running.steps
    return found


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose columns are as wide as what is in them: a narrow terminal wraps them, nothing is cut."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def console_on(stream: TextIO) -> Console:
    """A console that writes to `stream`."""
    return Console(RichConsole(file=stream, soft_wrap=True))


def default_console() -> Console:
    """The console on standard error, as it is now (pytest swaps it)."""
    return console_on(sys.stderr)


@contextmanager
def step(what: str, waits_for: str = "") -> Iterator[None]:
    """`default_console().step(...)`."""
    with default_console().step(what, waits_for):
        yield
