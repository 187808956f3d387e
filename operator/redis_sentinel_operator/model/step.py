"""A change on one host as data: the plan is a tuple of these, apply does them, the audit prints them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Literal, TypeAlias

from redis_sentinel_operator.model.departure import RemovePackage, RemoveTraces, SaveData
from redis_sentinel_operator.model.fact import FileFacts, FirewalldRule, KeyRecord
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.operation import MonitorAnew, OperationAction
from redis_sentinel_operator.model.package import PackageAction
from redis_sentinel_operator.model.secret import Secret


class Impact(IntEnum):
    """What a change does to clients, mildest first."""

    NONE = 0
    RELOAD = 1
    RESTART = 2
    FAILOVER = 3


class Need(StrEnum):
    """What must be true right before a step; checked again by the pass before each step."""

    CLAIM = "claim"  # the host is claimed by us (every step but the claim itself)
    SERVING = "serving"  # a master is Confirmed and no sentinel runs a failover, though they may call it down
    CONFIRMED = "confirmed"  # a master is Confirmed and no failover or o_down anywhere
    SUPERSEDED = "superseded"  # confirmed is another; this one, a master too, started after that and nobody names it
    UNDONE = "undone"  # a person's file made the master a replica, and no sentinel can promote another
    SPARE = "spare"  # the cluster can do without the host: sentinels, quorum, another replica; it is not the master
    CALM = "calm"  # the full gate: all sentinels agree, quorum, no flags, settled, links up


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """Write the owner into state.json, with the bootstrap it belongs to and the address of its first master."""

    owner: str
    bootstrap_id: str
    first_master: str = ""
    force: bool = False  # act adopt-claim


@dataclass(frozen=True, slots=True)
class ReleaseClaim:
    """Remove the owner from state.json: the host is nobody's again."""


@dataclass(frozen=True, slots=True)
class RememberKeys:
    """Write into state.json which directives of redis.conf are ours and what they were before: all of them."""

    keys: Mapping[str, KeyRecord]


@dataclass(frozen=True, slots=True)
class RememberNotes:
    """Write into state.json what was seen of the host and cannot be seen again later: all of it."""

    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ProveRewrite:
    """CONFIG REWRITE once, and note that redis could: it is how sentinels make a new role outlive a restart."""

    path: str
    port: int
    notes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EditConf:
    """Set directives of a file one by one, the rest of it stays; a value is written quoted as needed.

    `remove` are directives whose lines go. Mode 0640, owner redis:root, replaced atomically. `text` is the edited file
    as a whole, `base_sha256` the digest of the one it was made from: where the file is another by now, nothing is done.
    """

    path: str
    directives: Mapping[str, str | Secret]
    remove: tuple[str, ...] = ()
    owner: str = "redis"
    group: str = "root"
    text: Secret = field(default_factory=lambda: Secret(""))
    base_sha256: str = ""


@dataclass(frozen=True, slots=True)
class WriteSentinelConf:
    """Write sentinel.conf whole: only where there is no sentinel state worth keeping.

    `base_sha256` is the digest of the file that is replaced, "" when there was none; where it is another by now,
    nothing is done.
    """

    path: str
    text: Secret
    owner: str = "redis"
    group: str = "root"
    base_sha256: str = ""


@dataclass(frozen=True, slots=True)
class WriteDropIn:
    """Write a unit drop-in of ours and daemon-reload."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class SetKernel:
    """Write a file of ours that sets the kernel at each boot, and set it now; what it refuses is noted until then.

    `now` are values by their path in /proc/sys or /sys.
    """

    path: str
    text: str
    now: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelFile:
    """Give a file another SELinux type, by a rule of the local policy so that it keeps it."""

    path: str
    type: str


@dataclass(frozen=True, slots=True)
class AllowPorts:
    """Give TCP ports the SELinux type that lets redis and sentinel use them, by rules of the local policy."""

    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StartUnit:
    """systemctl start --no-block, then prove it by PING on the port; `log` is the file that says why it does not.

    `restart`: it runs and is stopped first.
    """

    unit: str
    port: int
    sentinel: bool
    log: str = ""
    restart: bool = False


@dataclass(frozen=True, slots=True)
class StopUnit:
    """systemctl stop."""

    unit: str


@dataclass(frozen=True, slots=True)
class EnableUnits:
    """systemctl enable of all at once, as systemd reads everything anew after each; nothing is started."""

    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DisableUnits:
    """systemctl disable of all at once; nothing is stopped."""

    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EditFirewalld:
    """Open and then close in firewalld, in force and permanently apart, no reload.

    What is opened is noted on the host as ours; what is closed is no longer. `forget` is only struck off the note:
    others closed it, or put a range over it, which firewalld would split.
    """

    add: tuple[FirewalldRule, ...] = ()
    remove: tuple[FirewalldRule, ...] = ()
    forget: tuple[FirewalldRule, ...] = ()


@dataclass(frozen=True, slots=True)
class FillChain:
    """Fill our chain and lead to it, in one transaction: `text` is what iptables-restore (ip6tables-restore) reads."""

    tool: str
    text: str


@dataclass(frozen=True, slots=True)
class SaveChain:
    """Put our lines into the file that iptables.service loads at boot, where `iptables-restore --test` takes it.

    `text` is the edited file as a whole, `base_sha256` the digest of the one it was made from; mode and owner stay.
    """

    tool: str
    file: FileFacts
    text: str = field(repr=False)
    base_sha256: str = ""


@dataclass(frozen=True, slots=True)
class ConfigSet:
    """CONFIG SET on the running redis, proved by CONFIG GET."""

    values: Mapping[str, str | Secret]
    port: int


@dataclass(frozen=True, slots=True)
class SentinelSet:
    """SENTINEL SET of our master on one sentinel, proved by SENTINEL MASTER: `auth-pass` by its flags there."""

    master_name: str
    values: Mapping[str, str | Secret]
    port: int


@dataclass(frozen=True, slots=True)
class MakeReplica:
    """SLAVEOF on a running redis, with its role in the file and its clients sent away, in one transaction.

    It is done only as long as what it was planned on still holds: the redis is the same process (`run_id`) in the role
    it `was` in, and the sentinels confirm the master at `address` at that config epoch.
    """

    address: str
    port: int
    config_epoch: int
    run_id: str
    was: Literal["master", "slave"]


@dataclass(frozen=True, slots=True)
class RestoreMaster:
    """SLAVEOF NO ONE on the redis that all sentinels name, with its role in the file, in one transaction.

    It is done only as long as what it was planned on still holds: the redis is the same process (`run_id`), all
    sentinels name it at that config epoch, and none of them can promote another.
    """

    config_epoch: int
    run_id: str


@dataclass(frozen=True, slots=True)
class SentinelReset:
    """SENTINEL RESET of our master on one sentinel, so that it forgets the hosts that are gone.

    It is done only where, at that very moment, every wanted sentinel answers and agrees, none is in a failover, those
    hosts are down for all of them, and each of the others knows all that it should. `ghosts` are ids of sentinels that
    are gone and have to be down as well.
    """

    master_name: str
    port: int
    ghosts: tuple[str, ...] = ()


Action: TypeAlias = (
    TakeClaim
    | ReleaseClaim
    | RememberKeys
    | RememberNotes
    | ProveRewrite
    | PackageAction
    | EditConf
    | WriteSentinelConf
    | WriteDropIn
    | SetKernel
    | LabelFile
    | AllowPorts
    | StartUnit
    | StopUnit
    | HoldUnits
    | FreeUnits
    | EnableUnits
    | DisableUnits
    | SentinelReset
    | EditFirewalld
    | FillChain
    | SaveChain
    | ConfigSet
    | SentinelSet
    | MakeReplica
    | RestoreMaster
    | SaveData
    | RemovePackage
    | RemoveTraces
    | MonitorAnew
    | OperationAction
)


@dataclass(frozen=True, slots=True)
class Step:
    """One change: on which host, what, why, with which impact and needs.

    `what` and `why` are sentences of the audit line and of status.plan and hold no secret. Steps of equal `stage` on
    different hosts may run at the same time, lower stages first; on one host the order of the plan holds.
    """

    host: str
    what: str
    why: str
    action: Action
    stage: int
    impact: Impact = Impact.NONE
    needs: frozenset[Need] = frozenset({Need.CLAIM})


@dataclass(frozen=True, slots=True)
class ConfigDrift:
    """A directive that is not as declared; `pending_restart`: written, but the running server has another value."""

    key: str
    want: str
    have: str
    pending_restart: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the resource as it is cannot be acted on (Stalled, Blocked): reason and message of the condition.

    `condition` is the condition type that carries it beside Ready and Stalled.
    """

    condition: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a procedure would do on a host that only a look is taken at: told, never carried out."""

    host: str
    what: str
    why: str
    impact: Impact


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, or why nothing may be done.

    `waiting` holds sentences for what is left undone on purpose (a transition, an unreadable host, a dead master that
    waits for the switch). `refusal` is set when the hosts show that the resource may not be acted on (foreign data, a
    changed password): then there are no steps. A plan is `settled` when there is none of them.

    `supervised` is the sentence for a person who has the last word before the master is upgraded, "" for nobody.
    `asks` are sentences for what a person has to decide and nothing else waits for. `joined` are the joining hosts that
    are part of the cluster by now, `left` the leaving ones that are proved to be stopped and given up, `cleared` the
    gone ones that no sentinel remembers: names, all by what was read. `foreseen` is for a resource that only plans.
    """

    steps: tuple[Step, ...] = ()
    waiting: tuple[str, ...] = ()
    drift: Mapping[str, tuple[ConfigDrift, ...]] = field(default_factory=dict)
    refusal: Refusal | None = None
    asks: tuple[str, ...] = ()
    supervised: str = ""
    joined: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    cleared: frozenset[str] = frozenset()
    foreseen: tuple[Foreseen, ...] = ()

    @property
    def decision(self) -> tuple[str, str]:
        """What a person has to decide: a reason of the table, and a sentence; both "" for nothing."""
        if self.asks:
            return "HostLeaving", self.asks[0]
        return ("UpgradeWaits", self.supervised) if self.supervised else ("", "")

    @property
    def settled(self) -> bool:
        """Whether all is as declared."""
        return not self.steps and not self.waiting and self.refusal is None
