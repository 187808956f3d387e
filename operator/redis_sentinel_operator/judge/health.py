"""The whole verdict over one reading: master, situation, signs of a transition, and a finding for each aspect."""

from __future__ import annotations

import math
from dataclasses import dataclass

from redis_sentinel_operator.judge import findings
from redis_sentinel_operator.judge.master import Sentinels, facts_of, mastership, views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.situation import situation
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, SentinelView
from redis_sentinel_operator.model.verdict import (
    BootstrapRecord,
    Confirmed,
    MasterRecord,
    Mastership,
    Situation,
    Uncertain,
    Verdict,
)

_SIGNS = {
    "s_down": "sees the master as down",
    "o_down": "agrees with others that the master is down",
    "failover_in_progress": "runs a failover",
    "force_failover": "was asked for a failover",
}
_DEAD = frozenset({"MasterStopped", "MasterUnreadable"})


@dataclass(frozen=True, slots=True)
class JudgeContext:
    """What the judge needs beside the reading.

    `owner` is our name in claims; `since_switch` seconds since the last switch that we saw (inf if none), `down_for`
    seconds since a majority of the sentinels calls the last master down (0 if they do not), `settle_min` seconds.
    """

    owner: str
    bootstrap: BootstrapRecord | None
    since_switch: float = math.inf
    down_for: float = 0.0
    settle_min: float = 10.0


def judge(desired: Desired, facts: ClusterFacts, last: MasterRecord | None, context: JudgeContext) -> Verdict:
    """Say what one reading means; total: whatever is missing in the facts is not known."""
    sentinels = {name: host.sentinel for name, host in facts.hosts.items()}
    redis = {name: host.redis for name, host in facts.hosts.items()}
    master = mastership(desired, sentinels, redis, last)
    found = situation(desired, facts, context.owner, context.bootstrap, last)
    # In a bootstrap the question begins with the first master: until then sentinels are still to come.
    asked = found.situation is Situation.ALIVE or isinstance(master, Confirmed)
    quorum = findings.quorum(desired, sentinels) if asked else findings.no_quorum_question()
    if tried_in_vain(desired, context.down_for):
        seen = views(desired, sentinels)
        quorum = findings.cannot_reach(desired, master, seen, redis.get(getattr(master, "host", ""))) or quorum
        master = dead_without_successor(desired, master, last)
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
        situation_reason=found.reason,
    )


def tried_in_vain(desired: Desired, down_for: float) -> bool:
    """Whether the sentinels had their time: two failover-timeouts, after which a second attempt has ended as well."""
    return down_for > 2 * desired.sentinel.failover_timeout / 1000


def dead_without_successor(desired: Desired, master: Mastership, last: MasterRecord | None) -> Mastership:
    """Return the sharper reason for a master that is dead for so long that no failover will come by itself."""
    if (
        not isinstance(master, Uncertain)
        or master.reason not in _DEAD
        or last is None
        or master.address != last.address
    ):
        return master
    seconds = f"{2 * desired.sentinel.failover_timeout / 1000:.0f}"
    message = say("MasterDeadNoSuccessor", host=last.host, address=last.address, port=last.port, seconds=seconds)
    return Uncertain("MasterDeadNoSuccessor", message, last.address)


def transition_signs(desired: Desired, sentinels: Sentinels, but: str = "") -> tuple[str, ...]:
    """Return a sentence for each sign that sentinel is at work; `but` is a host whose sentinel is left out."""
    signs: list[str] = []
    for host in desired.sentinel_hosts:
        facts = facts_of(sentinels.get(host.name))
        if facts is None or host.name == but:
            continue
        if facts.tilt:
            signs.append(f"the sentinel on {host.name} is in tilt mode")
        if facts.view is not None:
            signs += _signs_of(host.name, facts.view)
    seen = {name: view for name, view in views(desired, sentinels).items() if name != but}
    if len({(view.address, view.port, view.config_epoch) for view in seen.values()}) > 1:
        signs.append("the sentinels do not name the same master at the same config epoch")
    return tuple(signs)


def _signs_of(host: str, view: SentinelView) -> list[str]:
    signs = [f"the sentinel on {host} {words}" for flag, words in _SIGNS.items() if flag in view.flags]
    if view.told_address not in ("", view.address):
        signs.append(f"the sentinel on {host} is between {view.told_address} and {view.address}")
    return signs


def _unsettled(desired: Desired, context: JudgeContext) -> tuple[str, ...]:
    settle = settle_time(desired, context.settle_min)
    return (f"the last switch is younger than {settle:.0f} s",) if context.since_switch < settle else ()


def settle_time(desired: Desired, settle_min: float) -> float:
    """Return how many seconds a switch must be old before anything disturbing is done."""
    return max(settle_min, 2 * desired.sentinel.down_after / 1000)


def undivided(desired: Desired, sentinels: Sentinels, but: str = "") -> bool:
    """Whether every declared sentinel, `but` left out, answers and names one master at one config epoch."""
    wanted = {host.name for host in desired.sentinel_hosts if host.name != but}
    seen = {name: view for name, view in views(desired, sentinels).items() if name in wanted}
    named = {(view.address, view.port, view.config_epoch) for view in seen.values()}
    return seen.keys() == wanted and len(named) == 1
