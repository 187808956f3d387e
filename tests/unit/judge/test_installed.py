"""What is on a host beside what is declared: another version of the package, servers that no unit started."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.judge.installed import is_behind, other_version, started_by_hand
from redis_sentinel_operator.model.desired import DesiredHost, PackageWish
from redis_sentinel_operator.model.fact import HostFacts, Known, OsFacts, Process, RedisFacts, SentinelFacts
from redis_sentinel_operator.model.verdict import Finding
from unit.judge.clusters import AWAY, S1, M, alive, desired, facts

WHOLE = desired()


def declaring(version: str, name: str | None = None) -> DesiredHost:
    return replace(WHOLE.host(S1), package=replace(PackageWish(), version=version, name=name))


def having(**packages: str) -> HostFacts:
    return replace(alive(S1), os=Known(OsFacts("centos", "7")), packages=Known(packages))


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("3.2.6", ""),
        ("3.2.6-2.el7", ""),
        ("redis-3.2.6-2.el7", ""),
        ("", ""),
        ("3.2.6-3.el7", "redis 3.2.6-2.el7 is installed, package.version asks for 3.2.6-3.el7"),
        ("3.2", "redis 3.2.6-2.el7 is installed, package.version asks for 3.2"),
    ],
)
def test_another_version_than_the_declared_one(version: str, said: str) -> None:
    assert other_version(declaring(version), having(redis="3.2.6-2.el7")) == said


@pytest.mark.parametrize(
    ("changes", "behind"),
    [
        ({}, True),
        ({"version": "redis-3.2.12"}, True),
        ({"version": "3.2.6"}, False),
        ({"version": "3.2.6-1.el7"}, False),
        ({"version": "9:3.2.6-3.el7"}, False),
        ({"version": None}, False),
        ({"manage": "CheckOnly"}, False),
    ],
)
def test_which_host_is_behind_what_is_declared(changes: dict[str, Any], behind: bool) -> None:
    host = declaring("3.2.6-3.el7")
    host = replace(host, package=replace(host.package, **changes))
    assert is_behind(host, having(redis="3.2.6-2.el7")) is behind
    assert not is_behind(replace(host, state="Joining"), having(redis="3.2.6-2.el7"))
    assert not is_behind(host, having())
    assert not is_behind(host, None)


def test_another_package_or_none_is_no_other_version() -> None:
    assert other_version(declaring("1"), having()) == ""
    assert other_version(declaring("1"), replace(having(redis="2-1"), packages=AWAY)) == ""
    assert other_version(declaring("1", "redis6"), having(redis="2-1", redis6="1-7")) == ""


def by_hand(host: HostFacts, unit: str, config_file: str) -> HostFacts:
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    server = replace(host.redis.value, process_id=7, config_file=config_file)
    processes = (Process(7, "redis-server", unit, sentinel=False),)
    return replace(host, redis=Known(server), processes=Known(processes))


def test_a_server_that_no_unit_started_is_told_and_one_of_an_own_unit_is_not() -> None:
    hand = by_hand(alive(S1), "", "/opt/redis.conf")
    own = by_hand(alive(M), "redis-6379.service", "/opt/redis.conf")
    read = facts(hand, own, of=alive)
    assert started_by_hand(WHOLE, read) == {S1: "redis (process 7) with /opt/redis.conf"}
    assert preflight(WHOLE, read) == Finding(
        False,
        "NotByItsUnit",
        f"Not started by systemd: {S1}: redis (process 7) with /opt/redis.conf. That runs on as it is, but nothing "
        "brings it back with the machine. Where its file is the package's, the operator enables the package's unit; "
        "else make a unit for it.",
    )


def test_so_is_a_sentinel() -> None:
    host = alive(S1)
    assert isinstance(host.sentinel, Known) and isinstance(host.sentinel.value, SentinelFacts)
    watching = Known(replace(host.sentinel.value, process_id=9, config_file=""))
    host = replace(host, sentinel=watching, processes=Known((Process(9, "redis-sentinel", "", sentinel=True),)))
    assert started_by_hand(WHOLE, facts(host, of=alive)) == {S1: "sentinel (process 9)"}
