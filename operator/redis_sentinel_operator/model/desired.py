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
Recovery = Literal["Manual", "Automatic"]
RespMode = Literal["Tunnel", "Direct"]
Aside = Literal["", "Maintenance", "Fenced"]
Membership = Literal["Joining", "Member", "Leaving"]


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
    """One host. `address` is where redis and sentinel listen, `ssh.address` where sshd does.

    `aside`: its redis and sentinel are to be stopped and left alone (Maintenance), or kept from starting (Fenced).
    `state`: one that is Joining is declared and not part of the cluster yet, one that is Leaving is not declared any
    more and not proved to be stopped yet.
    `own_priority`: the spec says which replica priority it has. `failure_domain` "": it is alone.
    """

    name: str
    address: str
    ssh: SshAccess
    redis: bool = True
    sentinel: bool = True
    replica_priority: int = 100
    own_priority: bool = False
    failure_domain: str = ""
    package: PackageWish = PackageWish()
    aside: Aside = ""
    state: Membership = "Member"


@dataclass(frozen=True, slots=True)
class GoneHost:
    """A host that has left, but which sentinels still remember."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class SentinelSettings:
    """The settings of the monitored master that the spec owns; times in milliseconds."""

    quorum: int
    down_after: int = 5000
    failover_timeout: int = 10000
    parallel_syncs: int = 1


@dataclass(frozen=True, slots=True)
class Desired:
    """One cluster as declared; every value effective.

    `hosts` are all that are read: the declared ones in their order, then those that are leaving. `gone` are not read.
    """

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
    delete_data: bool = False  # the annotation delete-data has the name of the resource
    supervised: bool = False  # updateStrategy: an upgrade waits for a person before the master is replaced
    allow_eviction: bool = False  # unsafe.allowEviction
    no_persistence: bool = False  # unsafe.noPersistence
    gone: tuple[GoneHost, ...] = ()
    shared_failure_domain: bool = False  # unsafe.sharedFailureDomain
    recovery: Recovery = "Manual"  # whether sentinels that do not get over something are mended without being asked

    @property
    def hands_off(self) -> str:
        """Why no host is changed, "" where `management` lets the operator."""
        return "" if self.management == "Full" else f"management is {self.management}: nothing is changed on any host"

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
    def leaving(self) -> tuple[DesiredHost, ...]:
        """The hosts that are not declared any more and still have to be stopped."""
        return tuple(host for host in self.hosts if host.state == "Leaving")

    @property
    def joining(self) -> tuple[DesiredHost, ...]:
        """The hosts that are declared and not part of the cluster yet."""
        return tuple(host for host in self.hosts if host.state == "Joining")

    @property
    def staying(self) -> tuple[DesiredHost, ...]:
        """The declared hosts."""
        return tuple(host for host in self.hosts if host.state != "Leaving")

    @property
    def redis_hosts(self) -> tuple[DesiredHost, ...]:
        """The declared hosts that run redis, or are to."""
        return tuple(host for host in self.staying if host.redis)

    @property
    def every_redis(self) -> tuple[DesiredHost, ...]:
        """All hosts that may run a redis of this cluster: whoever looks for a second master asks these."""
        return tuple(host for host in self.hosts if host.redis)

    @property
    def sentinel_hosts(self) -> tuple[DesiredHost, ...]:
        """The voters: the declared sentinels of hosts that have joined."""
        return tuple(host for host in self.hosts if host.sentinel and host.state == "Member")

    @property
    def wanted_sentinels(self) -> tuple[DesiredHost, ...]:
        """The declared hosts that run a sentinel, or are to."""
        return tuple(host for host in self.staying if host.sentinel)

    @property
    def every_sentinel(self) -> tuple[DesiredHost, ...]:
        """All hosts that may run a sentinel of this cluster."""
        return tuple(host for host in self.hosts if host.sentinel)

    @property
    def hosts_aside(self) -> tuple[DesiredHost, ...]:
        """The hosts that are to do nothing, on purpose."""
        return tuple(host for host in self.hosts if host.aside)

    @property
    def majority(self) -> int:
        """How many of the voters are more than half."""
        return len(self.sentinel_hosts) // 2 + 1

    @property
    def sentinels_needed(self) -> int:
        """How many sentinels must work for a failover: a majority, and the quorum."""
        return max(self.majority, self.sentinel.quorum)
