"""The whole verdict over one reading: master, situation, signs of a transition, and a finding for each aspect."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from redis_sentinel_operator.judge import findings, stale
from redis_sentinel_operator.judge.master import Redises, Sentinels, mastership, redis_of, views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.proposal import proposal
from redis_sentinel_operator.judge.restoring import Outlook, outlook
from redis_sentinel_operator.judge.signs import transition_signs
from redis_sentinel_operator.judge.situation import situation
from redis_sentinel_operator.judge.undone import named_host, undone
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, RedisFacts
from redis_sentinel_operator.model.verdict import (
    BootstrapRecord,
    Confirmed,
    Finding,
    MasterRecord,
    Mastership,
    Situation,
    Uncertain,
    Verdict,
)

_DEAD = frozenset({"MasterStopped", "MasterUnreadable"})


@dataclass(frozen=True, slots=True)
class JudgeContext:
    """What the judge needs beside the reading.

    `owner` is our name in claims; `since_switch` seconds since the last switch that we saw (inf if none), `down_for`
    seconds since a majority of the sentinels calls the last master down (0 if they do not), `settle_min` seconds;
    `last_for` seconds for which the last master was it at least when the reading began (0 if not known);
    `aborted`: every failover that they began since came to nothing; `undone_for` is `down_for` once status tells that
    the master came up as a replica, 0 before.
    """

    owner: str
    bootstrap: BootstrapRecord | None
    since_switch: float = math.inf
    down_for: float = 0.0
    settle_min: float = 10.0
    last_for: float = 0.0
    aborted: bool = False
    undone_for: float = 0.0


def judge(desired: Desired, facts: ClusterFacts, last: MasterRecord | None, context: JudgeContext) -> Verdict:
    """Say what one reading means; total: whatever is missing in the facts is not known."""
    sentinels = {name: host.sentinel for name, host in facts.hosts.items()}
    redis = {name: host.redis for name, host in facts.hosts.items()}
    master = mastership(desired, sentinels, redis, last)
    how = undone(desired, facts, master)
    then = outlook(desired, facts, named_host(desired, master), last, context.undone_for) if how else Outlook("")
    master = _undone(master, how, then) if how else master
    found = situation(desired, facts, context.owner, context.bootstrap, last)
    # In a bootstrap the question begins with the first master: until then sentinels are still to come.
    asked = found.situation is Situation.ALIVE or isinstance(master, Confirmed)
    quorum = findings.quorum(desired, sentinels) if asked else findings.no_quorum_question()
    if in_vain(desired, context.down_for, aborted=context.aborted):
        quorum = findings.cannot_reach(desired, master, views(desired, sentinels)) or quorum
    quorum = _stale(desired, sentinels, context, quorum)
    if tried_in_vain(desired, context.down_for):
        master = dead_without_successor(desired, master, last, redis)
    master = _demoted(master, redis_of(redis, last.host) if last is not None else None)
    return Verdict(
        master=master,
        situation=found.situation,
        situation_message=found.message,
        transition=(*transition_signs(desired, sentinels), *_unsettled(desired, context)),
        quorum=quorum,
        replication=findings.replication(desired, facts, master),
        reachable=findings.reachable(desired, facts),
        claimed=findings.claimed(desired, facts, context.owner),
        credentials=findings.credentials(desired, facts),
        preflight=findings.preflight(desired, facts),
        resumes=found.resumes,
        undone=how,
        restores=named_host(desired, master) if then.now else "",
        situation_reason=found.reason,
        master_for=context.last_for if _is_last(master, last) else 0.0,
    )


def _stale(desired: Desired, sentinels: Sentinels, context: JudgeContext, quorum: Finding) -> Finding:
    """Return what is said of sentinels that stay behind; right after a switch they have not heard of it yet."""
    if quorum.ok is not True or context.since_switch < settle_time(desired, context.settle_min):
        return quorum
    return stale.told(desired, sentinels) or quorum


def _demoted(master: Mastership, last: RedisFacts | None) -> Mastership:
    """Note that the last master is a replica now: of two sentinels in a failover each makes the other's master one."""
    if isinstance(master, Uncertain) and last is not None and last.role == "slave":
        return replace(master, demoted=True)
    return master


def _is_last(master: Mastership, last: MasterRecord | None) -> bool:
    """Whether the confirmed master is the last one in the same reign."""
    if not isinstance(master, Confirmed) or last is None:
        return False
    return (master.address, master.port, master.config_epoch) == (last.address, last.port, last.config_epoch)


def _undone(master: Mastership, how: str, then: Outlook) -> Mastership:
    """Return the sharper reason for a master that came up as a replica."""
    if not isinstance(master, Uncertain):
        return master
    return Uncertain("RoleUndone", say("RoleUndone", detail=how, outlook=then.sentence), master.address)


def tried_in_vain(desired: Desired, down_for: float) -> bool:
    """Whether the sentinels had their time: two failover-timeouts, after which a second attempt has ended as well."""
    return down_for > 2 * desired.sentinel.failover_timeout / 1000


def in_vain(desired: Desired, down_for: float, *, aborted: bool) -> bool:
    """Whether the sentinels, who call the master down, have found no successor: a master that serves is used again."""
    return down_for > 0 and (aborted or tried_in_vain(desired, down_for))


def dead_without_successor(
    desired: Desired, master: Mastership, last: MasterRecord | None, redis: Redises
) -> Mastership:
    """Return the sharper reason for a master that is dead for so long that no failover will come by itself."""
    if (
        not isinstance(master, Uncertain)
        or master.reason not in _DEAD
        or last is None
        or master.address != last.address
    ):
        return master
    seconds = f"{2 * desired.sentinel.failover_timeout / 1000:.0f}"
    which = proposal(desired, last.address, redis)
    message = say(
        "MasterDeadNoSuccessor", host=last.host, address=last.address, port=last.port, seconds=seconds, proposal=which
    )
    return Uncertain("MasterDeadNoSuccessor", message, last.address)


def _unsettled(desired: Desired, context: JudgeContext) -> tuple[str, ...]:
    settle = settle_time(desired, context.settle_min)
    return (f"the last switch is younger than {settle:.0f} s",) if context.since_switch < settle else ()


def settle_time(desired: Desired, settle_min: float) -> float:
    """Return how many seconds a switch must be old before anything disturbing is done."""
    return max(settle_min, 2 * desired.sentinel.down_after / 1000)
