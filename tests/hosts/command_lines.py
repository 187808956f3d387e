"""Every command line that holds a word: also those of the package's own helpers, which the canary lets pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from lab.hosts import Host


@contextmanager
def watching_command_lines(word: str, host: Host) -> Iterator[set[str]]:
    """Collect the command lines on a host that hold the word, while the block runs.

    Of that host alone: on others of this machine another suite may stop a redis as its package does, which shows it.
    """
    found: set[str] = set()
    ended = Event()
    leader = host.leader
    assert leader is not None
    processes = Path(f"/proc/{leader.pid}/root/proc")

    def watch() -> None:
        while not ended.wait(0.003):
            for each in processes.glob("[0-9]*/cmdline"):
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
