"""What is done with packages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from redis_sentinel_operator.model.secret import Secret


@dataclass(frozen=True, slots=True)
class InstallPackage:
    """yum install; `version` None = whatever the repositories give.

    `module` is a dnf stream to enable before, `repositories` the only ones to take it from (none: all enabled ones).
    """

    name: str
    version: str | None
    module: str | None = None
    repositories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FetchPackage:
    """Ask the repositories for a newer version and put it into yum's cache; nothing is installed."""

    package: InstallPackage


@dataclass(frozen=True, slots=True)
class Server:
    """A server on a host: its unit, its port, and the file that says why it does not start."""

    unit: str
    port: int
    sentinel: bool
    log: str = ""


@dataclass(frozen=True, slots=True)
class UpgradePackage:
    """yum install of a newer version on a host whose redis, if it has one, is a replica at that very moment.

    Those of the `servers` that run have the new program afterwards, whatever the package itself restarted.
    """

    package: InstallPackage
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class LockPackage:
    """Write yum's configuration whole, so that it excludes a package from updates (or not any more).

    `text` is secret, as a proxy's password may stand in it. `base_sha256` is the digest of the file that it was made
    from: where that is another by now, nothing is done. Owner, group and mode stay as they are.
    """

    path: str
    text: Secret
    base_sha256: str
    owner: str
    group: str
    mode: int


PackageAction: TypeAlias = InstallPackage | FetchPackage | UpgradePackage | LockPackage
