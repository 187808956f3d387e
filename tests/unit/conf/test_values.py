"""When two values mean the same to Redis, and where the EL families are told apart."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf.family import EL7, EL8, EL9, EL10, FAMILIES, Family, family
from redis_sentinel_operator.conf.values import any_address, folded, lines, plain, problem, reachable, same
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
        ("maxmemory-policy", "AllKeys-LRU", "allkeys-lru", True),
        ("unixsocketperm", "0770", "770", True),
        ("notify-keyspace-events", "KEA", "AKE", True),
        ("notify-keyspace-events", "Kg$lshzxe", "AK", True),
        ("notify-keyspace-events", "Ex", "xE", True),
        ("notify-keyspace-events", "Ex", "xK", False),
        ("notify-keyspace-events", "KEA", "KEAm", False),
        ("save", "900 1  300 10", "900 1 300 10", True),
        ("save", "900 1", "300 10", False),
        ("save", "", "900 1", False),
        ("client-output-buffer-limit", "replica 512mb 64mb 60", "normal 0 0 0 slave 536870912 67108864 60", True),
        ("client-output-buffer-limit", "slave 512mb 64mb 61", "normal 0 0 0 slave 536870912 67108864 60", False),
        ("client-output-buffer-limit", "pubsub 1 1 1", "normal 0 0 0", False),
        ("shutdown-on-sigterm", "now nosave", "NOSAVE NOW", True),
        ("latency-tracking-info-percentiles", "50 99.0", "50.0 99", True),
        ("dbfilename", "Dump.rdb", "dump.rdb", False),
        ("replica-priority", "10", "010", True),
        ("no-such-directive", "1kb", "1024", False),
    ],
)
def test_values_are_compared_by_meaning(name: str, one: str, other: str, answer: bool) -> None:
    assert same(name, one, other) is answer


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("maxmemory", "1gb", None),
        ("maxmemory", "1 gb", "'1 gb' is no number of bytes; write one such as 1073741824, 512mb or 1gb"),
        ("maxmemory-clients", "5%", None),
        ("repl-timeout", "60", None),
        ("repl-timeout", "1m", "'1m' is no whole number; write one"),
        ("repl-timeout", "\u0661", "'\u0661' is no whole number; write one"),
        ("list-max-ziplist-size", "-2", None),
        ("appendonly", "yes", None),
        ("appendonly", "True", '\'True\' is neither "yes" nor "no"; write one of them, in quotes'),
        ("appendfsync", "always", None),
        ("appendfsync", "sometimes", "'sometimes' is not known; write one of always, everysec, no"),
        ("loglevel", "", "'' is not known; write one of debug, nothing, notice, verbose, warning"),
        ("notify-keyspace-events", "KEA", None),
        ("notify-keyspace-events", "KEQ", "'KEQ' is not made of the letters $AEKdeghlmnstxz"),
        ("save", "", None),
        (
            "save",
            "900 1 300",
            '\'900 1 300\' is no pairs of seconds and changes; write them such as "900 1 300 10", or "" for no saving',
        ),
        ("client-output-buffer-limit", "replica 1mb 1mb 60", None),
        (
            "client-output-buffer-limit",
            "replica 1mb 1mb",
            "'replica 1mb 1mb' is no limits of client classes; write them "
            'such as "slave 512mb 128mb 60", of normal, slave and pubsub',
        ),
        ("unixsocketperm", "770", None),
        ("unixsocketperm", "rwx", "'rwx' is no file mode; write one such as 770"),
        ("oom-score-adj-values", "0 200 x", "'0 200 x' is no list of numbers; write them with a blank between"),
        ("logfile", "/any thing", None),
    ],
)
def test_a_value_that_makes_no_sense_is_told(name: str, value: str, said: str | None) -> None:
    assert problem(name, value) == said


def test_values_are_set_in_the_form_that_every_version_takes() -> None:
    assert plain("maxmemory", "1gb") == "1073741824"
    assert plain("maxmemory-clients", "5%") == "5%"
    assert plain("client-output-buffer-limit", "replica 1kb 1k 60") == "slave 1024 1000 60"
    assert plain("requirepass", "1gb") == "1gb"


def test_what_repeats_is_written_line_by_line_and_read_as_one() -> None:
    assert lines("save", "900 1 300 10") == (("900", "1"), ("300", "10"))
    assert lines("save", "") == (("",),)
    assert lines("bind", "10.0.0.1 ::1") == (("10.0.0.1", "::1"),)
    assert lines("masterauth", "a b") == (("a b",),)
    assert folded("save", [("900", "1"), ("",), ("60", "5", "30", "1")]) == "60 5 30 1"
    assert folded("client-output-buffer-limit", [("replica", "1", "1", "1"), ("slave", "2", "2", "2")]) == "slave 2 2 2"
    assert folded("maxmemory", []) is None


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
        (EL10, "9.1.2", "", "8.0"),
        (EL10, "9.1.2", "unheard:of", "8.0"),
    ],
)
def test_no_feature_above_the_els_own_version(one: Family, running: str, module: str, version: str) -> None:
    assert one.features(running, module) == version


def test_the_families_differ_in_what_they_must() -> None:
    assert EL8.redis_conf == EL7.redis_conf
    assert EL9.redis_conf == "/etc/redis/redis.conf"
    assert EL10.units == ("valkey.service", "valkey-sentinel.service")
    assert all(each.redis_drop_in > f"/etc/systemd/system/{each.redis_unit}.d/limit.conf" for each in FAMILIES.values())
