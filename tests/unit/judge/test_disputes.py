"""Who is master while it is in dispute or only seems to be: what real servers answered (lab.disputes), judged."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from lab.disputes import DISPUTES
from redis_sentinel_operator.model.verdict import Confirmed
from unit.judge.walking import Walked, load, walk

FOLDER = Path(__file__).parent / "disputes"
CAPTURES = {f"{path.parent.name}/{path.stem}": load(path) for path in sorted(FOLDER.glob("*/*.json"))}
ON_CAPTURE = pytest.mark.parametrize("name", CAPTURES)


M, S1, S2, S3 = "redis_master01", "redis_slave01", "redis_slave02", "redis_slave03"
TOLD = {
    "el7/split": [f"{M}@0", "SentinelsUnreachable", f"{M}@0"],
    "el10/split": [f"{M}@0", "SentinelsUnreachable", f"{M}@0"],
    "el7/tilt": [f"{M}@0", "SentinelsUnreachable", "SentinelTilt", f"{M}@0"],
    "el10/tilt": [f"{M}@0", "SentinelsUnreachable", "SentinelTilt", f"{M}@0"],
    "el7/two-masters": [f"{M}@0"],
    "el10/two-masters": [f"{M}@0"],
    "el7/concurrent": [f"{M}@0", "SwitchGoingOn", "SentinelsDisagree", "SwitchGoingOn", f"{S2}@2"],
    "el10/concurrent": [f"{M}@0", "SwitchGoingOn", f"{S1}@1", "SwitchGoingOn", f"{S3}@2"],
    # a sentinel that was told anew is told the epoch by one that was not yet
    "el7/epoch-reset": [f"{S2}@2", "SwitchGoingOn", f"{S2}@2"],
    "el10/epoch-reset": [f"{S3}@2", "SwitchGoingOn", f"{S3}@0"],
    "el7/stale": [f"{S2}@2", "SwitchGoingOn", "OlderEpoch", "SentinelsDisagree", f"{S2}@0"],
    "el10/stale": [f"{S3}@0", "SentinelsDisagree", "OlderEpoch", "SentinelsDisagree", f"{S3}@0"],
    "el7/retemplated": [f"{S2}@0", "SwitchGoingOn", f"{S3}@3"],
    "el10/retemplated": [f"{S3}@0", "SwitchGoingOn", f"{M}@3"],
}


def told(capture: Mapping[str, Any]) -> list[str]:
    """What was judged, one after the other: `host@epoch`, or the reason why nobody is confirmed."""
    return [key for key, _ in groupby(_said(each) for each in walk(capture))]


def _said(each: Walked) -> str:
    return f"{each.found.host}@{each.found.config_epoch}" if isinstance(each.found, Confirmed) else each.found.reason


def test_there_is_a_capture_of_each_dispute_on_the_oldest_and_the_newest_servers() -> None:
    assert set(CAPTURES) == set(TOLD) == {f"{family}/{name}" for family in ("el7", "el10") for name in DISPUTES}


@pytest.mark.parametrize("name", TOLD)
def test_what_is_judged_of_a_dispute(name: str) -> None:
    assert told(CAPTURES[name]) == TOLD[name]


@ON_CAPTURE
def test_nobody_is_confirmed_without_a_majority_at_the_highest_epoch_and_role(name: str) -> None:
    for each in walk(CAPTURES[name]):
        if isinstance(each.found, Confirmed):
            assert each.found.address == each.evident, f"{each.at} ms: the answers prove {each.evident or 'nobody'}"


@ON_CAPTURE
def test_an_older_epoch_is_believed_only_when_all_sentinels_say_the_same(name: str) -> None:
    last = -1
    for each, (_, sentinels, redis) in zip(walk(CAPTURES[name]), CAPTURES[name]["frames"], strict=True):
        if not isinstance(each.found, Confirmed):
            continue
        if each.found.config_epoch < last:
            calm = [each.found.address, each.found.address, each.found.config_epoch, False]
            assert [[*answer[:3], answer[4]] for answer in sentinels.values()] == [calm] * 3
            flags = {flag for answer in sentinels.values() for flag in answer[3].split(",")}
            assert flags <= {"master", "disconnected"}
            assert sorted(redis.values()) == ["master", "slave", "slave", "slave"]
        last = each.found.config_epoch


# -- what makes each capture worth something


def frames(name: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [(sentinels, redis) for _, sentinels, redis in CAPTURES[name]["frames"]]


def votes(sentinels: Mapping[str, Any]) -> list[tuple[str, int]]:
    return [(answer[0], answer[2]) for answer in sentinels.values() if isinstance(answer, list) and answer]


def test_two_masters_by_role_are_in_it() -> None:
    for name in ("el7/two-masters", "el10/two-masters"):
        assert max(list(redis.values()).count("master") for _, redis in frames(name)) == 2


def test_one_epoch_with_two_addresses_that_both_say_master_is_in_it() -> None:
    """One sentinel votes for each, and one more for the old master's epoch: three opinions."""
    disputed = [
        list(redis.values()).count("master")
        for sentinels, redis in frames("el7/concurrent")
        if len({address for address, epoch in votes(sentinels) if epoch == 1}) == 2
    ]
    assert disputed
    assert max(disputed) >= 2


def test_a_majority_for_a_server_that_is_a_replica_is_in_it() -> None:
    for name in ("el7/stale", "el10/stale"):
        hosts = {address: host for host, address in CAPTURES[name]["hosts"].items()}
        wrong = [
            address
            for sentinels, redis in frames(name)
            for address, _ in votes(sentinels)
            if votes(sentinels).count((address, 0)) == 3 and redis[hosts[address]] == "slave"
        ]
        assert wrong, "all three sentinels never named a replica"


def test_tilt_and_a_lone_sentinel_are_in_it() -> None:
    for family in ("el7", "el10"):
        tilted = [
            sum(answer[4] for answer in s.values() if isinstance(answer, list)) for s, _ in frames(f"{family}/tilt")
        ]
        assert max(tilted) == 2
        assert 1 in [len(votes(sentinels)) for sentinels, _ in frames(f"{family}/split")]


def test_a_sentinel_that_was_written_anew_of_another_master_is_in_it() -> None:
    for name in ("el7/retemplated", "el10/retemplated"):
        assert any(len(set(votes(s))) == 2 and sorted(epoch for _, epoch in votes(s))[0] == 0 for s, _ in frames(name))
