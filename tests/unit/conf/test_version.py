"""Versions: which is older, and which servers cannot read each other's dumps."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf.version import at_least, least, numbers, series, shown


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("3.2.6", (3, 2, 6)),
        ("3.2.6-2.el7", (3, 2, 6)),
        ("8.0.4-1.el10_0", (8, 0, 4)),
        ("7.2.4~rc1-1", (7, 2, 4)),
        ("999.999", (999, 999)),
        ("", ()),
        ("unstable", ()),
    ],
)
def test_the_numbers_of_a_version(version: str, found: tuple[int, ...]) -> None:
    assert numbers(version) == found


def test_ten_is_more_than_nine() -> None:
    assert at_least("6.2.10", "6.2.9") and not at_least("6.2.9", "6.2.10")
    assert least("6.2.10", "", "6.2.9") == "6.2.9"
    assert least("", "") == ""


def test_series_are_in_the_order_of_what_they_can_read() -> None:
    order = [
        series("redis", "3.2.12"),
        series("redis", "5.0.3"),
        series("redis", "6.2.7"),
        series("redis", "7.2.6"),
        series("valkey", "7.2.6"),
        series("valkey", "8.0.4"),
        series("valkey", "9.1.2"),
    ]
    found = [each for each in order if each is not None]
    assert found == sorted(found) and len(set(found)) == len(order)
    assert series("redis", "6.2.7") == series("redis", "6.2.14")
    assert series("redis", "") is None
    assert shown(found[-1]) == "valkey 9.1"
