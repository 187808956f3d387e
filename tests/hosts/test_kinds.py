"""A host of each EL family in one lab: what its server is and does, and what the probe reads there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lab.families import FAMILIES, Family
from lab.hosts import Host
from lab.labs import Lab, hosts_lab
from lab.processes import wait_until
from lab.workers import worker_lab

pytestmark = pytest.mark.timeout(240)
KINDS = worker_lab(*os.environ.get("KINDS_LAB", "kinds 192.168.160.0/24").split(), families=tuple(FAMILIES))
SHIPPED = {
    "el7": ("bind 127.0.0.1", "dir /var/lib/redis", "/etc/redis.conf", "/etc/redis-sentinel.conf"),
    "el8": ("bind 127.0.0.1", "dir /var/lib/redis", "/etc/redis.conf", "/etc/redis-sentinel.conf"),
    "el9": ("bind 127.0.0.1 -::1", "dir /var/lib/redis", "/etc/redis/redis.conf", "/etc/redis/sentinel.conf"),
    "el10": ("bind 127.0.0.1 -::1", "dir ./", "/etc/valkey/valkey.conf", "/etc/valkey/sentinel.conf"),
}
ALL = pytest.mark.parametrize("name", FAMILIES)


@pytest.fixture(scope="module")
def kinds() -> Iterator[Lab]:
    """A bare host of each family, in the order of FAMILIES."""
    with hosts_lab(KINDS) as lab:
        yield lab


def host_of(kinds: Lab, name: str) -> tuple[Host, Family]:
    """A host of the family, bare or with what the tests before left."""
    host = kinds.hosts[list(FAMILIES).index(name)]
    return host, host.family


@ALL
def test_a_host_says_which_el_it_is(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    told = host.run(
        ". /etc/os-release; echo ${VERSION_ID%%.*}; rpm -q --whatprovides system-release; cat /etc/redhat-release"
    )
    major, package, title = told.stdout.splitlines()
    assert (int(major), title) == (family.major, family.title)
    assert package == f"{family.vendor}-release-{family.release_version}.noarch"
    listed = host.run(
        f"yum -q list --showduplicates {family.redis.name} | awk '/{family.redis.name}/ {{print $2}}'"
    ).stdout
    assert sorted(set(listed.split())) == [f"{family.redis.version}-{release}.{family.dist}" for release in ("2", "3")]


@ALL
def test_the_package_starts_nothing_and_ships_what_el_ships(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    server, (bind, directory, conf, sentinel) = family.redis.name, SHIPPED[name]
    host.run(f"yum -y -q install {family.server()}")
    told = host.run(
        f"systemctl is-enabled {server} {server}-sentinel; systemctl is-active {server} {server}-sentinel", check=False
    )
    assert told.stdout.split() == ["disabled", "disabled", "inactive", "inactive"]
    assert host.run(f"rpm -V {server}").stdout == ""
    assert host.run(f"systemctl show -p LimitNOFILE {server}").stdout == "LimitNOFILE=10240\n"
    lines = host.run(f"grep -E '^(bind|protected-mode|logfile|dir) ' {conf}").stdout.splitlines()
    assert sorted(lines) == [bind, directory, f"logfile /var/log/{server}/{server}.log", "protected-mode yes"]
    lines = host.run(f"grep -E '^(sentinel monitor|dir|logfile)' {sentinel}").stdout.splitlines()
    assert sorted(lines) == [
        "dir /tmp",
        f"logfile /var/log/{server}/sentinel.log",
        "sentinel monitor mymaster 127.0.0.1 6379 2",
    ]
    assert family.redis.version in host.run(f"{server}-server --version").stdout


@ALL
def test_an_update_restarts_what_runs(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    server = family.redis.name
    host.run(f"yum -y -q install {family.server()} && systemctl enable -q {server} && systemctl start {server}")
    before = _pids(host, server)
    host.run(f"yum -y -q update {server}")
    assert wait_until(lambda: _pids(host, server)[0] not in (before[0], "MainPID=0"), 60.0, 0.1)
    assert _pids(host, server)[1] == before[1] == "MainPID=0"
    assert host.run(f"rpm -q {server}").stdout.startswith(family.server("3"))
    host.run(f"yum -y -q remove {server}")
    assert host.run(f"pgrep -c {server}-server", check=False).stdout == "0\n"


def _pids(host: Host, server: str) -> list[str]:
    return host.run(f"systemctl show -p MainPID {server} {server}-sentinel").stdout.split()
