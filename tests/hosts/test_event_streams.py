"""What the families' sentinels publish today is what was recorded: the streams of the unit tests still hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.streams import STORIES
from redis_sentinel_operator.model.event import SentinelEvent
from unit.follow.heard import MEANINGS, check_entries, check_understood, read


def recorded(family: str, folder: Path, until: str) -> dict[str, list[SentinelEvent]]:
    """The stories up to one, played now."""
    command = [sys.executable, "-m", "lab.streams", family, str(folder), until]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = list(STORIES)[: list(STORIES).index(until) + 1]
    return {name: read(folder / f"{name}.jsonl") for name in names}


@pytest.mark.long
@pytest.mark.timeout(180)
def test_failovers_of_today_are_told_as_the_recorded_ones(tmp_path: Path) -> None:
    stories = recorded("el10", tmp_path, "requested")
    for events in stories.values():
        check_understood(events)
    check_entries(stories)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", ["el7", "el8", "el9", "el10"])
def test_every_event_is_heard_today(family: str, tmp_path: Path) -> None:
    stories = recorded(family, tmp_path, list(STORIES)[-1])
    assert {event.channel for events in stories.values() for event in events} == set(MEANINGS)
    for events in stories.values():
        check_understood(events)
    check_entries(stories)
