"""What is declared, with every default resolved: the only form of the spec that the other rooms see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from redis_sentinel_operator.model.secret import Secret

Management = Literal["Full", "Paused", "Observe"]
FirewallManage = Literal["Auto", "Firewalld", "Iptables", "None"]
PackageManage = Literal["Install", "CheckOnly"]
DeletionPolicy = Literal["Retain", "Stop", "Uninstall"]
RespMode = Literal["Tunnel", "Direct"]
Aside = Literal["", "Maintenance", "Fenced"]


@dataclass(frozen=True, slots=True)
class ClusterRef:
    """One resource: where it is and which object it is (the uid changes when it is re-created)."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class BastionAccess:
    """A host that SSH goes through; the Secret's key logs in there as well."""

    address: str
    port: int = 22
    user: str = "root"


@dataclass(frozen=True, slots=True)
class SshAccess:
    """How a host is reached."""

    address: str
    port: int = 22
    user: str = "root"
    sudo: bool = False
    resp: RespMode = "Tunnel"
    bastion: BastionAccess | None = None


@dataclass(frozen=True, slots=True)
class PackageWish:
    """Which package a host shall have; `name` and `version` None = the family's own, any version.

    `module` is a dnf stream to enable before (`redis:6`); `repositories` the only ones to take it from (none: those
    that are enabled); `lock`: nobody's `yum update` changes it by the way.
    """

    manage: PackageManage = "Install"
    name: str | None = None
    version: str | None = None
    module: str | None = None
    repositories: tuple[str, ...] = ()
    lock: bool = True


@dataclass(frozen=True, slots=True)
class DesiredHost:
    """One declared host. `address` is where redis and sentinel listen, `ssh.address` where sshd does.

    `aside`: its redis and sentinel are to be stopped and left alone (Maintenance), or kept from starting (Fenced).
    """

    name: str
    address: str
    ssh: SshAccess
    redis: bool = True
    sentinel: bool = True
    replica_priority: int = 100
    failure_domain: str = ""
    package: PackageWish = PackageWish()
    aside: Aside = ""


@dataclass(frozen=True, slots=True)
class SentinelSettings:
    """The settings of the monitored master that the spec owns; times in milliseconds."""

    quorum: int
    down_after: int = 5000
    failover_timeout: int = 10000
    parallel_syncs: int = 1


@dataclass(frozen=True, slots=True)
class Desired:
    """One cluster as declared; every value effective."""

    ref: ClusterRef
    generation: int
    master_name: str
    management: Management
    hosts: tuple[DesiredHost, ...]
    initial_master: str
    sentinel: SentinelSettings
    redis_port: int = 6379
    sentinel_port: int = 26379
    redis_config: Mapping[str, str] = field(default_factory=dict)
    password: Secret | None = None
    password_version: str = ""  # resourceVersion of its Secret
    firewall: FirewallManage = "Auto"
    clients: tuple[str, ...] | None = None  # networks in canonical form (10.1.0.0/16); None: anybody may connect
    firewall_exclusive: bool = False
    endpoints: bool = True  # Services that follow the master are kept
    deletion_policy: DeletionPolicy = "Retain"
    allow_eviction: bool = False  # unsafe.allowEviction
    no_persistence: bool = False  # unsafe.noPersistence

    def host(self, name: str) -> DesiredHost:
        """Return the host of that name; KeyError when there is none."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise KeyError(name)

    def host_at(self, address: str) -> DesiredHost | None:
        """Return the host at an address, or None: an address of nobody we know."""
        return next((host for host in self.hosts if host.address == address), None)

    def address_of(self, name: str) -> str:
        """Return the address of a host, "" of one that is not declared (any more)."""
        return next((host.address for host in self.hosts if host.name == name), "")

    @property
    def redis_hosts(self) -> tuple[DesiredHost, ...]:
        """The hosts that run redis."""
        return tuple(host for host in self.hosts if host.redis)

    @property
    def sentinel_hosts(self) -> tuple[DesiredHost, ...]:
        """The hosts that run a sentinel: the voters."""
        return tuple(host for host in self.hosts if host.sentinel)

    @property
    def hosts_aside(self) -> tuple[DesiredHost, ...]:
        """The hosts that are to do nothing, on purpose."""
        return tuple(host for host in self.hosts if host.aside)

    @property
    def majority(self) -> int:
        """How many of the spec's sentinels are more than half."""
        return len(self.sentinel_hosts) // 2 + 1
