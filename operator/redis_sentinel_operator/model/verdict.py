"""What the facts mean: who is master, in which situation the cluster is, what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A majority of the spec's sentinels votes for it at the highest config epoch and ROLE there says master.

    `replicas` is how many are online by that ROLE; it does not make it another master.
    """

    host: str
    address: str
    port: int
    config_epoch: int
    replicas: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Uncertain:
    """Nobody is confirmed. `reason` is the reason of MasterConfirmed, `message` its sentence.

    `address` is the one that the reason is about, "" when it is about none. `demoted`: whatever the sentinels say, the
    last master calls itself a replica.
    """

    reason: str
    message: str
    address: str = ""
    demoted: bool = False


Mastership: TypeAlias = Confirmed | Uncertain


@dataclass(frozen=True, slots=True)
class MasterRecord:
    """The last confirmed master, as status keeps it. Times are RFC 3339, UTC."""

    host: str
    address: str
    port: int
    config_epoch: int
    since: str
    withdrawn_since: str = ""


@dataclass(frozen=True, slots=True)
class BootstrapRecord:
    """status.bootstrap: our one bootstrap of this resource. Times are RFC 3339; `completed_at` "" while it goes on."""

    id: str
    master: str
    started_at: str
    completed_at: str = ""


class Situation(StrEnum):
    """Which of the few lives a cluster is in; decides what the plan may hold at all."""

    UNREADABLE = "Unreadable"  # a fact that the decision needs could not be read
    BARE = "Bare"  # nothing of redis is alive or has data: bootstrap
    BOOTSTRAPPING = "Bootstrapping"  # our own bootstrap was begun and not ended
    STOPPED = "Stopped"  # wholly stopped with data or sentinel state: cold start
    ALIVE = "Alive"  # sentinels answer: follow and mend
    FOREIGN = "Foreign"  # data or processes that nobody may touch without a person


@dataclass(frozen=True, slots=True)
class Finding:
    """A judgement about one aspect: `ok` None = not known. Reason and message are from the message table."""

    ok: bool | None
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the judge says of one reading.

    `transition` holds a sentence for each sign that sentinel is at work (s_down/o_down of the master, a failover, tilt,
    a switch younger than the settle time); while it is not empty nothing is planned that may disturb.
    """

    master: Mastership
    situation: Situation
    situation_message: str
    transition: tuple[str, ...]
    quorum: Finding
    replication: Finding
    reachable: Finding
    claimed: Finding
    credentials: Finding = Finding(None, "NotReadYet", "")
    preflight: Finding = Finding(None, "NotReadYet", "")
    resumes: BootstrapRecord | None = None  # our bootstrap of which only the claims tell: status is to have it again
    undone: str = ""  # how somebody undid the last failover, while the sentinels have not settled it yet
    restores: str = ""  # the master of then, where it may be made the master again that all sentinels name
    situation_reason: str = ""  # of the message table, where the situation stalls: ForeignData, MasterNameDiffers
    master_for: float = 0.0  # seconds for which the confirmed master was it at least when the reading began
