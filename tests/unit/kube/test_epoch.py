"""The Lease's acquireTime as a number."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.kube.lease import epoch_of


@pytest.mark.parametrize(
    ("text", "epoch"),
    [
        (None, 0),
        ("", 0),
        ("yesterday", 0),
        ("1970-01-01T00:00:01.000002Z", 1_000_002),
        ("2026-11-22T18:00:00.999999Z", 1_795_370_400_999_999),
        ("2026-11-22T19:00:00.999999+01:00", 1_795_370_400_999_999),
        ("2099-01-01T00:00:00.000001Z", 4_070_908_800_000_001),  # beyond what a float keeps in microseconds
    ],
)
def test_it_is_microseconds_since_1970(text: str | None, epoch: int) -> None:
    assert epoch_of(text) == epoch
