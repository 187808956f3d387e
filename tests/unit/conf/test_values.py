"""When two values mean the same to Redis, and where the EL families are told apart."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf.family import EL7, EL8, EL9, EL10, FAMILIES, Family, family
from redis_sentinel_operator.conf.values import any_address, reachable, same
from redis_sentinel_operator.model.fact import OsFacts


@pytest.mark.parametrize(
    ("name", "one", "other", "answer"),
    [
        ("maxmemory", "1gb", "1073741824", True),
        ("maxmemory", "1g", "1073741824", False),
        ("maxmemory", "1G", "1000000000", True),
        ("repl-timeout", "60", "060", True),
        ("repl-timeout", "60", "61", False),
        ("appendonly", "yes", "YES", True),
        ("bind", "127.0.0.1 10.0.0.1", "10.0.0.1 127.0.0.1", True),
        ("requirepass", "Secret", "secret", False),
        ("requirepass", "1k", "1000", False),
        ("masterauth", "x", "x", True),
    ],
)
def test_values_are_compared_by_meaning(name: str, one: str, other: str, answer: bool) -> None:
    assert same(name, one, other) is answer


@pytest.mark.parametrize(
    ("bind", "address", "answer"),
    [
        ("", "10.0.0.1", True),
        ("127.0.0.1", "10.0.0.1", False),
        ("0.0.0.0", "10.0.0.1", True),
        ("127.0.0.1 10.0.0.1", "10.0.0.1", True),
        ("* -::*", "10.0.0.1", True),
        ("0.0.0.0", "fd00::1", False),
        ("::", "fd00::1", True),
    ],
)
def test_where_a_bind_line_lets_a_host_be_reached(bind: str, address: str, answer: bool) -> None:
    assert reachable(bind, address) is answer
    assert any_address(address) in ("0.0.0.0", "::")


@pytest.mark.parametrize(
    ("os", "found"),
    [
        (OsFacts("centos", "7"), EL7),
        (OsFacts("rhel", "7.9"), EL7),
        (OsFacts("ol", "7.9"), EL7),
        (OsFacts("rocky", "8.10"), EL8),
        (OsFacts("almalinux", "9.6"), EL9),
        (OsFacts("centos", "10"), EL10),
        (OsFacts("rhel", "10.0"), EL10),
        (OsFacts("rhel", "11.0"), None),
        (OsFacts("centos", "6"), None),
        (OsFacts("debian", "12"), None),
        (OsFacts("fedora", "7"), None),
    ],
)
def test_the_family_of_a_system(os: OsFacts, found: Family | None) -> None:
    assert family(os) == found


def test_our_drop_in_sorts_after_the_packages() -> None:
    assert EL7.redis_drop_in > "/etc/systemd/system/redis.service.d/limit.conf"
    assert EL7.files == (EL7.redis_conf, EL7.sentinel_conf, EL7.redis_drop_in, EL7.sentinel_drop_in)


@pytest.mark.parametrize(
    ("one", "running", "module", "version"),
    [
        (EL7, "3.2.6", "", "3.2.6"),  # older than the EL's own: no feature that it lacks
        (EL8, "5.0.6", "", "5.0.3"),
        (EL8, "6.2.7", "", "5.0.3"),
        (EL8, "6.2.7", "redis:6", "6.0.9"),
        (EL9, "6.2.14", "", "6.2.7"),
        (EL9, "7.2.5", "redis:7", "7.0.12"),
        (EL10, "7.2.4", "", "7.2.4"),
        (EL10, "7.2.4", "unheard:of", "7.2.4"),
    ],
)
def test_no_feature_above_the_els_own_version(one: Family, running: str, module: str, version: str) -> None:
    assert one.features(running, module) == version


def test_the_families_differ_in_what_they_must() -> None:
    assert EL8.redis_conf == EL7.redis_conf
    assert EL9.redis_conf == "/etc/redis/redis.conf"
    assert EL10.units == ("valkey.service", "valkey-sentinel.service")
    assert all(each.redis_drop_in > f"/etc/systemd/system/{each.redis_unit}.d/limit.conf" for each in FAMILIES.values())
