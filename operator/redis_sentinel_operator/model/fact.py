"""What was read from the hosts. A fact is Known or Unknown; unknown is not absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from redis_sentinel_operator.model.operation import Operation

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
    """A dump or append-only file in the data directory; size in bytes.

    `age` is for how many seconds nobody has written to it, by the host's own clock; None: not known.
    """

    path: str
    size: int
    age: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Disk:
    """What the file system under a data directory has, in bytes; `free` is what others than root may use."""

    path: str
    free: int
    size: int


@dataclass(frozen=True, slots=True)
class Process:
    """A redis-server or redis-sentinel process. `unit` is its systemd unit, "" when started by hand.

    `open_files` is how many files it may have open at most, `umask` its file mode creation mask, `age` the seconds for
    which it ran when it was looked at; None: not known (EL7's kernel does not tell a umask). `replaced`: its program is
    there no more as it was when it started.
    """

    pid: int
    name: str  # redis-server, redis-sentinel, valkey-server ...
    unit: str
    sentinel: bool
    open_files: int | None = None
    umask: int | None = None
    age: float | None = field(default=None, compare=False)
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The machine and its kernel: settings by their path in /proc/sys or /sys, memory in bytes.

    `refused` are the settings that the kernel did not take from us since it was booted. `selinux` is `enforcing`,
    `permissive`, or "" where it is off; `semanage` whether its tool is there, `redis_ports` the TCP ports that were
    added to those which its policy lets redis use; `labels` are the types of the files that redis writes, by path.
    `disks` are those of the data directories of the packages, `held` the units that our fence keeps from starting.
    """

    settings: Mapping[str, str]
    memory: int = 0
    available: int = 0
    refused: frozenset[str] = frozenset()
    selinux: str = ""
    semanage: bool = False
    redis_ports: frozenset[int] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    disks: tuple[Disk, ...] = ()
    held: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listener:
    """Who listens on one of our ports, or which redis on another one."""

    port: int
    process: str
    pid: int


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A directive of redis.conf that we set: to which value, and what the file had before (None: no line).

    `begun` is the run id of the redis that had begun without that value, where CONFIG GET does not show what it has: as
    long as that one runs, it is pending.
    """

    value: str
    shipped: str | None
    begun: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """/var/lib/redis-sentinel-operator/state.json: who owns the host.

    `owner` is `<uid of kube-system>/<namespace>/<name>`; `first_master` the address of the master that the bootstrap
    began with ("" where there was none); `keys` the directives of redis.conf that we set, by canonical name; `notes`
    what could not be found out again: `redisUnit`, `redisFile`, `sentinelUnit` and `sentinelFile`, a person's own that
    the servers were seen to run with, and `rewritten`, the file that redis was seen to rewrite. `operation` is the
    procedure that changes something there for a while, or did and was not through.
    """

    owner: str
    bootstrap_id: str = ""
    first_master: str = ""
    lease_epoch: int = 0
    keys: Mapping[str, KeyRecord] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    operation: Operation | None = None


@dataclass(frozen=True, slots=True)
class ReplicaLink:
    """A replica as its master's ROLE shows it; `lag` is INFO's: seconds since it acknowledged anything."""

    address: str
    port: int
    offset: int
    lag: int = 0


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
    replid: str = ""  # of the stream of writes that the offset counts; "" before 4.0, which does not tell
    replicas: tuple[ReplicaLink, ...] = ()  # of a master
    master_address: str = ""  # of a replica
    master_port: int = 0
    link: str = ""  # master_link_status: up | down
    link_down: int = 0  # of a link that is down: seconds since; where it never was up since 1970 (3.2, 5.0) or -1 (6.2)
    syncing: bool = False
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    used_memory: int = 0  # bytes
    aof_at_work: bool = False  # the append-only file is being rewritten, or is about to be
    aof_ok: bool = True  # its last rewrite succeeded
    saved_ok: bool = True  # its last dump (BGSAVE) could be written
    aof_written_ok: bool = True  # its last write to the append-only file succeeded
    server: str = "redis"  # or valkey
    server_version: str = ""  # "" where it is `version`
    by_user: str = field(default="", repr=False)  # the password that its default user takes where requirepass is empty

    @property
    def password(self) -> str | None:
        """The password that it asks for, "" for none, None where that was not read."""
        return self.by_user or self.config.get("requirepass")


@dataclass(frozen=True, slots=True)
class Denied:
    """A redis that answers but does not let us in (NOAUTH, WRONGPASS, DENIED); `message` is its answer, scrubbed."""

    message: str


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as a sentinel sees it (SENTINEL SLAVES); `unlinked_for` in milliseconds, 0 while its link is up."""

    address: str
    port: int
    flags: frozenset[str]
    link: str  # ok | err
    priority: int
    offset: int
    master_address: str = ""
    unlinked_for: int = 0


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
    Times in milliseconds; `down_for` since it calls the master down by itself. `quorum_ok` is CKQUORUM's answer, None
    when not asked.
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
    down_for: int = 0


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
class Unreached:
    """A server of another host that a host could not connect to; `why` is a phrase."""

    address: str
    port: int
    why: str


@dataclass(frozen=True, slots=True)
class SurveyFacts:
    """What a host says when it is asked at length, which is seldom done.

    `ahead` are the bounds of how many seconds its clock is before the operator's. `listens` are those of our ports that
    were open on the host itself at that time. `restart` is Restart= of its redis unit, `free` what is free where the
    data lies, in bytes (None: not known). `ports` are those that SELinux lets redis use, None where it is off or nobody
    tells. `sentinels` are the first eight digits of the id and the address of each that is connected to a master,
    `clients` the addresses of all others that are connected to a redis.
    """

    ahead: tuple[float, float]
    listens: frozenset[int] = frozenset()
    unreached: tuple[Unreached, ...] = ()
    restart: str = ""
    free: int | None = None
    ports: frozenset[int] | None = None
    sentinels: frozenset[tuple[str, str]] = frozenset()
    clients: frozenset[str] = frozenset()


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
    machine: Fact[MachineFacts] = Unknown("it was not read")
    survey: Fact[SurveyFacts] = Unknown("it was not asked yet")


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """One reading of all declared hosts, by host name. `at` is time.monotonic() when the reading began."""

    hosts: Mapping[str, HostFacts]
    at: float

    def unreadable(self) -> Mapping[str, Unknown]:
        """The hosts that the SSH probe could not read, with the reason (their os fact is the witness)."""
        return {name: host.os for name, host in self.hosts.items() if isinstance(host.os, Unknown)}
