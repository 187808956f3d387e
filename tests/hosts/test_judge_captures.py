"""The recorder of failovers and the judge on a failover of today: what the saved captures prove still holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.recording import fail_over, write
from lab.seedcluster import HandMade
from unit.judge.walking import check, load


@pytest.mark.timeout(240)
def test_a_hung_master_with_two_live_sentinels_is_one_switch(hand_made: HandMade, tmp_path: Path) -> None:
    capture = fail_over(hand_made, "hung", 2)
    path = tmp_path / "hung-2-live.json"
    write(capture, path)
    assert load(path) == json.loads(json.dumps(capture))
    assert len(capture["frames"]) >= 10
    assert (capture["how"], capture["live"], capture["old"]) == ("hung", 2, hand_made.master.address)
    check(load(path))
