"""Why an acknowledged write is missing: told from who acknowledged it, when, and who was master then."""

from __future__ import annotations

import math

import pytest

from lab.ledger import Ack, Fate, Reign, fate

A, B = "10.0.0.1", "10.0.0.2"
FIRST = Reign(A, -math.inf)
SWITCH = [FIRST, Reign(B, 100.0)]
BACK = [*SWITCH, Reign(A, 200.0)]
RESTARTED = [FIRST, Reign(A, 100.0)]


@pytest.mark.parametrize(
    ("reigns", "node", "at", "expected"),
    [
        ([FIRST], A, 50.0, Fate.LOST),
        (SWITCH, A, 50.0, Fate.DIED),
        (SWITCH, A, 101.0, Fate.DEPOSED),
        (SWITCH, B, 99.0, Fate.LOST),  # promoted, and not yet told of
        (SWITCH, B, 101.0, Fate.LOST),
        (BACK, A, 50.0, Fate.DIED),
        (BACK, A, 150.0, Fate.DEPOSED),
        (BACK, A, 201.0, Fate.LOST),
        (BACK, B, 150.0, Fate.DIED),
        (BACK, B, 201.0, Fate.DEPOSED),
        (RESTARTED, A, 50.0, Fate.DIED),
        (RESTARTED, A, 101.0, Fate.LOST),
    ],
)
def test_why_it_is_missing(reigns: list[Reign], node: str, at: float, expected: Fate) -> None:
    assert fate(Ack("k", "1", "plain", at, node), reigns) is expected
