"""The directive table: rows by any name, versions, live or restart, defaults, owners and nearest names."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.conf.table import ALIASES, TABLE, Kind, Owner, directive, live, nearest, version_of


@pytest.mark.parametrize(
    ("name", "version", "answer"),
    [
        ("repl-timeout", "3.2.6", True),
        ("masterauth", "3.2.6", True),
        ("bind", "3.2.6", False),
        ("bind", "6.0.16", False),
        ("bind", "6.2.14", True),
        ("port", "7.2.6", True),
        ("databases", "7.2.6", False),
        ("dir", "6.2.14", True),
        ("dir", "7.0.15", False),
        ("io-threads", "6.2.14", False),
        ("io-threads", "9.1.2", True),
        ("hash-max-listpack-value", "7.0.15", True),
        ("tls-port", "7.0.15", False),
        ("no-such-directive", "3.2.6", False),
    ],
)
def test_what_a_running_redis_takes(name: str, version: str, answer: bool) -> None:
    assert live(name, version) is answer


@pytest.mark.parametrize(
    ("name", "version", "answer"),
    [
        ("repl-timeout", "3.2.6", True),
        ("lazyfree-lazy-expire", "3.2.6", False),
        ("lazyfree-lazy-expire", "5.0.6", True),
        ("gopher-enabled", "6.2.14", True),
        ("gopher-enabled", "7.0.15", False),
        ("replica-ignore-maxmemory", "3.2.12", False),
        ("tls-cert-file", "6.2.14", True),
    ],
)
def test_which_versions_have_a_directive(name: str, version: str, answer: bool) -> None:
    found = directive(name)
    assert found is not None
    assert found.known_to(version) is answer


@pytest.mark.parametrize(
    ("name", "version", "value"),
    [
        ("repl-timeout", "3.2.6", "60"),
        ("repl-diskless-sync", "6.2.14", "no"),
        ("repl-diskless-sync", "7.0.15", "yes"),
        ("save", "3.2.6", ""),
        ("save", "7.0.15", "3600 1 300 100 60 10000"),
        ("maxmemory", "9.1.2", "0"),
        ("include", "3.2.6", None),
    ],
)
def test_the_default_of_a_version(name: str, version: str, value: str | None) -> None:
    found = directive(name)
    assert found is not None
    assert found.default(version) == value


@pytest.mark.parametrize(
    ("name", "owner", "why"),
    [
        ("maxmemory", Owner.FREE, ""),
        ("dir", Owner.DATA, ""),
        ("REPLICAOF", Owner.SENTINEL, "the sentinels decide who follows whom"),
        ("requirepass", Owner.OURS, "spec.auth.passwordSecretRef says it"),
        ("daemonize", Owner.REFUSED, "systemd runs redis"),
        ("cluster-enabled", Owner.REFUSED, "Redis Cluster and Sentinel exclude each other"),
        ("tls-port", Owner.REFUSED, "TLS is not supported yet"),
    ],
)
def test_whose_a_directive_is(name: str, owner: Owner, why: str) -> None:
    found = directive(name)
    assert found is not None
    assert (found.owner, found.why) == (owner, why)


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("repl-timeuot", "repl-timeout"),
        ("max-memory", "maxmemory"),
        ("hash-max-listpack-entrys", "hash-max-listpack-entries"),
        ("xyzzy", None),
    ],
)
def test_the_nearest_name(name: str, like: str | None) -> None:
    assert nearest(name) == like


def test_every_row_makes_sense() -> None:
    assert len(TABLE) > 160
    for name, row in TABLE.items():
        assert row.since >= (3, 2), name
        assert row.since < row.until, name
        assert bool(row.why) is (row.owner in (Owner.OURS, Owner.SENTINEL, Owner.REFUSED)), name
        assert row.defaults or row.kind is Kind.LINES or name.endswith("*"), name
        if row.owner is Owner.FREE and row.kind is Kind.WORD:
            assert {value for _, value in row.defaults} <= row.words, name
    assert not set(ALIASES) & set(TABLE)


@pytest.mark.parametrize(
    ("text", "version"), [("3.2.6", (3, 2)), ("7.0.15-1", (7, 0)), ("255.255.255", (255, 255)), ("", (0, 0))]
)
def test_a_version_is_its_first_two_numbers(text: str, version: tuple[int, int]) -> None:
    assert version_of(text) == version
