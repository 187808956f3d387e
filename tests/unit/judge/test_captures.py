"""Real failovers of Redis 3.2.6, recorded every 50 ms from leader and observers (lab.recording), judged again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from redis_sentinel_operator.model.verdict import Confirmed, Uncertain
from unit.judge.walking import check, load, walk

FOLDER = Path(__file__).parent / "captures"
CAPTURES = {path.stem: load(path) for path in sorted(FOLDER.glob("*.json"))}


def test_there_are_captures_of_each_way_with_three_and_with_two_live_sentinels() -> None:
    found = {(capture["how"], capture["live"]) for capture in CAPTURES.values()}
    ways = {(how, live) for how in ("stopped", "killed", "hung") for live in (2, 3)}
    assert found == ways | {("asked", 3)}


@pytest.mark.parametrize("name", CAPTURES)
def test_one_switch_never_back_and_uncertain_only_without_evidence(name: str) -> None:
    check(CAPTURES[name])


@pytest.mark.parametrize("name", CAPTURES)
def test_a_capture_is_small_and_its_frames_differ(name: str) -> None:
    assert (FOLDER / f"{name}.json").stat().st_size < 150_000
    frames = CAPTURES[name]["frames"]
    assert all(a[1:] != b[1:] for a, b in pairwise(frames))


def between(capture: Mapping[str, Any]) -> list[int]:
    """Return the frames in which a sentinel tells the old address and votes for the new one: the leader's moment."""
    return [
        at
        for at, sentinels, _ in capture["frames"]
        if any(answer[0] != answer[1] for answer in sentinels.values() if isinstance(answer, list) and answer)
    ]


@pytest.mark.parametrize("name", CAPTURES)
def test_the_capture_holds_the_leader_between_two_masters(name: str) -> None:
    assert between(CAPTURES[name]), "no frame with old address and new epoch: it proves nothing about the leader"


def test_some_capture_holds_a_leader_that_is_ahead_of_all_observers() -> None:
    """Its higher epoch makes the old master uncertain at once, although a majority still votes for it."""
    reasons = [
        each.found.reason
        for capture in CAPTURES.values()
        for each in walk(capture)
        if isinstance(each.found, Uncertain) and each.found.address == capture["new"]
    ]
    assert "SwitchGoingOn" in reasons


@pytest.mark.parametrize("name", CAPTURES)
def test_the_new_master_is_confirmed_while_the_failover_still_ends(name: str) -> None:
    """The leader shows failover_in_progress for seconds after the promotion: publishing does not wait for it."""
    capture = CAPTURES[name]
    first = next(
        each.at for each in walk(capture) if isinstance(each.found, Confirmed) and each.found.address == capture["new"]
    )
    assert first <= max(between(capture))


def test_a_hung_master_that_comes_back_as_a_second_master_changes_nothing() -> None:
    for live in (2, 3):
        capture = CAPTURES[f"hung-{live}-live"]
        roles = [list(redis.values()).count("master") for _, _, redis in capture["frames"]]
        assert max(roles) == 2, "the old master never answered ROLE master beside the new one"
