"""What was read from the hosts. A fact is Known or Unknown; unknown is not absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """The value was read."""

    value: T


@dataclass(frozen=True, slots=True)
class Unknown:
    """The value could not be read; `message` is a sentence that says why, `reason` a condition's reason."""

    message: str
    reason: str = "HostUnreachable"


Fact: TypeAlias = Known[T] | Unknown


@dataclass(frozen=True, slots=True)
class OsFacts:
    """/etc/os-release."""

    id: str
    version_id: str
    boot_id: str = ""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file of the host. `text` may hold passwords: it is never shown."""

    path: str
    mode: int
    owner: str
    group: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A systemd unit, in systemd's words (`systemctl show`)."""

    name: str
    load: str  # loaded, not-found, masked ...
    active: str  # active, inactive, failed, activating, deactivating
    enabled: str  # enabled, disabled, static, masked, "" when there is none
    main_pid: int = 0

    @property
    def installed(self) -> bool:
        """Whether systemd has the unit."""
        return self.load == "loaded"

    @property
    def running(self) -> bool:
        """Whether it runs or is about to."""
        return self.active in ("active", "activating", "reloading")


@dataclass(frozen=True, slots=True)
class FirewalldRule:
    """One thing in firewalld, in its own words: `6379/tcp`, `service redis`, or a rich rule as firewalld prints it."""

    layer: Literal["runtime", "permanent"]
    zone: str
    words: str

    def __str__(self) -> str:
        return f"{self.layer} {self.zone} {self.words}"


@dataclass(frozen=True, slots=True)
class FirewallFacts:
    """What lets packets in.

    Of firewalld: `runtime` and `permanent` hold what the zone of the host's address lets in, in the words of
    `FirewalldRule` (and `target ACCEPT` for a zone that lets in all); `opened` is what the operator itself opened, in
    any zone, as the host keeps it. Of iptables: `rules` are those of the table filter in force, in order, as
    `iptables -S` prints them; `saved` is the file that is loaded at boot, None where there is none.
    """

    backend: Literal["firewalld", "iptables", "none"]
    zone: str = ""
    runtime: frozenset[str] = frozenset()
    permanent: frozenset[str] = frozenset()
    opened: frozenset[FirewalldRule] = frozenset()
    rules: tuple[str, ...] = ()
    saved: FileFacts | None = None


@dataclass(frozen=True, slots=True)
class DataFile:
    """A dump or append-only file in the data directory; size in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Process:
    """A redis-server or redis-sentinel process. `unit` is its systemd unit, "" when started by hand."""

    pid: int
    name: str  # redis-server, redis-sentinel, valkey-server ...
    unit: str
    sentinel: bool


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens on one of our ports."""

    port: int
    process: str
    pid: int


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A directive of redis.conf that we set: to which value, and what the file had before (None: no line)."""

    value: str
    shipped: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """/var/lib/redis-sentinel-operator/state.json: who owns the host.

    `owner` is `<uid of kube-system>/<namespace>/<name>`; `first_master` the address of the master that the bootstrap
    began with ("" where there was none); `keys` the directives of redis.conf that we set, by canonical name.
    """

    owner: str
    bootstrap_id: str = ""
    first_master: str = ""
    lease_epoch: int = 0
    keys: Mapping[str, KeyRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplicaLink:
    """A replica as its master's ROLE shows it."""

    address: str
    port: int
    offset: int


@dataclass(frozen=True, slots=True)
class RedisFacts:
    """A redis that answers. Replication in ROLE's and INFO's words; `config` is CONFIG GET of the declared keys.

    `version` is the redis whose protocol and directives it has: valkey says 7.2.4 there, and its own in
    `server_version`.
    """

    version: str
    run_id: str
    process_id: int
    role: Literal["master", "slave", "sentinel"]
    uptime: int
    config_file: str = ""
    loading: bool = False
    keys: int = 0  # DBSIZE over all databases
    offset: int = 0
    replicas: tuple[ReplicaLink, ...] = ()  # of a master
    master_address: str = ""  # of a replica
    master_port: int = 0
    link: str = ""  # master_link_status: up | down
    syncing: bool = False
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    used_memory: int = 0  # bytes
    aof_at_work: bool = False  # the append-only file is being rewritten, or is about to be
    aof_ok: bool = True  # its last rewrite succeeded
    server: str = "redis"  # or valkey
    server_version: str = ""  # "" where it is `version`


@dataclass(frozen=True, slots=True)
class Denied:
    """A redis that answers but does not let us in (NOAUTH, WRONGPASS, DENIED); `message` is its answer, scrubbed."""

    message: str


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as a sentinel sees it (SENTINEL SLAVES)."""

    address: str
    port: int
    flags: frozenset[str]
    link: str  # ok | err
    priority: int
    offset: int
    master_address: str = ""


@dataclass(frozen=True, slots=True)
class PeerView:
    """Another sentinel as a sentinel sees it (SENTINEL SENTINELS); `id` is its 40 hex digits."""

    id: str
    address: str
    port: int
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class SentinelView:
    """What one sentinel says of our master.

    `address`/`port` is its vote: GET-MASTER-ADDR-BY-NAME. `told_address` is what SENTINEL MASTER shows: the *old*
    master during a failover at the leader, together with the new `config_epoch` (sentinel.c 3.2.6 prints ri->addr).
    Times in milliseconds. `quorum_ok` is CKQUORUM's answer, None when not asked.
    """

    address: str
    port: int
    told_address: str
    config_epoch: int
    flags: frozenset[str]
    quorum: int
    down_after: int
    failover_timeout: int
    parallel_syncs: int
    num_slaves: int
    num_other_sentinels: int
    replicas: tuple[ReplicaView, ...] = ()
    peers: tuple[PeerView, ...] = ()
    quorum_ok: bool | None = None


@dataclass(frozen=True, slots=True)
class SentinelFacts:
    """A sentinel that answers. `view` is None when it does not know our master name; `masters` are those it knows."""

    version: str
    run_id: str
    process_id: int
    tilt: bool
    masters: tuple[str, ...]
    view: SentinelView | None
    config_file: str = ""
    my_id: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All that was read of one host in one pass.

    `redis` and `sentinel`: Known(None) = proved not to run (nobody listens), Known(Denied) = answers but refuses us.
    `files` holds the paths that were asked for; None = proved absent. `units` by unit name. `leftovers` are the .rpmnew
    and .rpmsave beside those files.
    """

    name: str
    address: str
    os: Fact[OsFacts]
    packages: Fact[Mapping[str, str]]  # name -> version-release, only redis-like packages
    files: Fact[Mapping[str, FileFacts | None]]
    units: Fact[Mapping[str, UnitFacts]]
    firewall: Fact[FirewallFacts]
    data: Fact[tuple[DataFile, ...]]
    processes: Fact[tuple[Process, ...]]
    listeners: Fact[tuple[Listener, ...]]
    claim: Fact[Claim | None]
    redis: Fact[RedisFacts | Denied | None]
    sentinel: Fact[SentinelFacts | Denied | None]
    leftovers: Fact[tuple[str, ...]] = Known(())


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One reading of all declared hosts, by host name. `at` is time.monotonic() when the reading began."""

    hosts: Mapping[str, HostFacts]
    at: float

    def unreadable(self) -> Mapping[str, Unknown]:
        """The hosts that the SSH probe could not read, with the reason (their os fact is the witness)."""
        return {name: host.os for name, host in self.hosts.items() if isinstance(host.os, Unknown)}
