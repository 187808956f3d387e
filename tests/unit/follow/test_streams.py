"""What the sentinels of all four families really publish: every event there is, understood, without a secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.onehost import PASSWORD
from lab.streams import STORIES
from redis_sentinel_operator.follow.grammar import Other, view
from redis_sentinel_operator.model.event import SentinelEvent
from unit.follow.heard import MEANINGS, check_entries, check_understood

Streams = Callable[..., list[SentinelEvent]]
ON_FAMILY = pytest.mark.parametrize("family", ["el7", "el8", "el9", "el10"])


@ON_FAMILY
def test_every_event_that_there_is_was_heard(family: str, stream: Streams) -> None:
    assert {event.channel for story in STORIES for event in stream(story, family)} == set(MEANINGS)


@ON_FAMILY
@pytest.mark.parametrize("story", STORIES)
def test_every_message_is_understood(family: str, story: str, stream: Streams) -> None:
    events = stream(story, family)
    assert events
    check_understood(events)


@ON_FAMILY
def test_what_names_no_server_is_what_the_table_says(family: str, stream: Streams) -> None:
    others = {event.channel for story in STORIES for event in stream(story, family) if view(event) == Other()}
    assert others == {"+tilt", "-tilt", "-script-error", "-script-timeout"}


@ON_FAMILY
def test_no_password_gets_through(family: str, stream: Streams) -> None:
    folder = Path(__file__).parent / "streams" / family
    raw = "".join((folder / f"{story}.jsonl").read_text() for story in STORIES)
    assert (PASSWORD in raw) is (family in ("el7", "el8"))  # 6.2.8 and later say ****** themselves
    assert [event for story in STORIES for event in stream(story, family) if PASSWORD in repr(event)] == []


@ON_FAMILY
def test_each_failover_of_the_whole_recording_is_one_entry(family: str, stream: Streams) -> None:
    check_entries({story: stream(story, family) for story in STORIES})
