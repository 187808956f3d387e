"""Every command line that holds a word: also those of the package's own helpers, which the canary lets pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread


@contextmanager
def watching_command_lines(word: str) -> Iterator[set[str]]:
    """Collect the command lines on this machine and its lab hosts that hold the word, while the block runs."""
    found: set[str] = set()
    ended = Event()

    def watch() -> None:
        while not ended.wait(0.003):
            for each in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
                except OSError:
                    continue
                if word in line:
                    found.add(line)

    thread = Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
