"""Versions: which is older, and which servers cannot read each other's dumps."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf.version import at_least, is_older, least, numbers, series, shown


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


@pytest.mark.parametrize(
    ("have", "wanted"),
    [
        ("3.2.6-2.el7", "3.2.6-3.el7"),
        ("3.2.6-2.el7", "3.2.12"),
        ("3.2.6-9.el7", "3.2.6-10.el7"),
        ("5.0.3-5.module+el8", "6.2.7-1.module+el8"),
        ("6.2.7-1.el9", "6.2.7-1.el9_2.1"),
        ("7.0~rc1-1", "7.0-1"),
        ("7.0-1", "7.0^20240101-1"),
        ("7.0a-1", "7.0.1-1"),
        ("7.0-1", "7.0a-1"),
    ],
)
def test_packages_are_older_as_rpm_orders_them(have: str, wanted: str) -> None:
    assert is_older(have, wanted)
    assert not is_older(wanted, have)
    assert not is_older(have, have)


def test_a_version_alone_is_not_older_than_any_of_its_releases() -> None:
    assert not is_older("3.2.6-2.el7", "3.2.6")
    assert not is_older("3.2.6-2.el7", "3.2.6-2_el7"), "what parts words does not count"


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
