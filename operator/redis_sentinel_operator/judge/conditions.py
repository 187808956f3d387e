"""From what is known to conditions and phase, with the meaning that kstatus gives them.

Ready says whether the cluster can be used. Reconciling and Stalled exist only while they are True: the operator (or
sentinel) works on it and it will pass; nothing goes on without a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from redis_sentinel_operator.judge.aside import healthy
from redis_sentinel_operator.judge.health import dead_without_successor, in_vain, tried_in_vain
from redis_sentinel_operator.judge.messages import (
    CLAIMED,
    CONFIG,
    CREDENTIALS,
    ENDPOINTS,
    MASTER,
    PREFLIGHT,
    QUORUM,
    REACHABLE,
    READY,
    RECONCILING,
    REPLICATION,
    STALLED,
    row,
    say,
    says_detail,
    stalls,
)
from redis_sentinel_operator.judge.telling import not_yet, sentence
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.report import Report, StepResult
from redis_sentinel_operator.model.verdict import (
    BootstrapRecord,
    Confirmed,
    Finding,
    MasterRecord,
    Mastership,
    Situation,
    Verdict,
)

Status = Literal["True", "False", "Unknown"]
_SWITCHING = frozenset({"SwitchGoingOn", "RoleDisagrees"})
# What stops the work on one host while the others of a living cluster go on.
_OF_ONE_HOST = frozenset([
    "HostKeyUnknown", "HostKeyChanged", "AuthenticationFailed", "SudoRefused", "ForwardingRefused", "PortTaken",
    "PackageNotFound",
])  # fmt: skip
_NOT_THERE = frozenset({Situation.BARE, Situation.BOOTSTRAPPING})
_DOWN = frozenset({"MasterDeadNoSuccessor", "RoleDisagrees", "RoleUndone"})


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition before it is compared with the one in status (which brings lastTransitionTime)."""

    type: str
    status: Status
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that conditions are made from.

    `master` is the newest mastership (the fast path may be ahead of the report), `switching`: sentinels show a
    failover now; `down_for` seconds since a majority calls the master down, 0 if they do not; `aborted`: every failover
    that they began since came to nothing. `observed` is status.observedGeneration as it will be written; `ready` how
    many hosts are as declared; `judged`: this process has seen evidence of its own who is master, or that the last one
    is not to be used; `services` what is said of the Services, None before they were looked at.
    """

    generation: int
    desired: Desired | None
    report: Report | None
    master: Mastership | None
    record: MasterRecord | None
    bootstrap: BootstrapRecord | None
    observed: int
    ready: str = ""
    switching: bool = False
    down_for: float = 0.0
    aborted: bool = False
    deleting: str | None = None  # what goes on while the resource is being deleted
    judged: bool = False
    services: Finding | None = None

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the last pass."""
        return self.report.verdict if self.report else None


@dataclass(frozen=True, slots=True)
class Overall:
    """The whole in one word and one sentence; `ready` is the status of the condition Ready."""

    phase: str
    ready: Status
    reason: str
    message: str
    reconciling: bool = False
    stalled: bool = False


def overall(this: Inputs) -> Overall:
    """Return phase, Ready, Reconciling and Stalled: the first rule that has something to say."""
    for rule in _RULES:
        found = rule(this)
        if found is not None:
            return _as_managed(this, found)
    raise AssertionError("the last rule always answers")


def conditions(this: Inputs) -> tuple[Condition, ...]:
    """Return the conditions of now, in a fixed order."""
    whole = overall(this)
    found = [Condition(READY, whole.ready, whole.reason, whole.message)]
    if whole.reconciling:
        found.append(Condition(RECONCILING, "True", whole.reason, whole.message))
    if whole.stalled:
        found.append(Condition(STALLED, "True", whole.reason, whole.message))
    found.append(master_condition(this))
    found += [_aspect(this, name, finding) for name, finding in _findings(this).items()]
    found.append(_aspect(this, ENDPOINTS, this.services or Finding(None, "NotReadYet", say("NotReadYet", ENDPOINTS))))
    return tuple(found)


def master_condition(this: Inputs) -> Condition:
    """Return MasterConfirmed. False needs evidence that the master is not to be used; what is not seen is Unknown."""
    master = _sharpened(this)
    if master is None:
        return Condition(MASTER, "Unknown", "NotReadYet", say("NotReadYet", MASTER))
    if isinstance(master, Confirmed):
        message = say(
            "MasterConfirmed",
            host=master.host,
            address=master.address,
            port=master.port,
            epoch=master.config_epoch,
        )
        return Condition(MASTER, "True", "MasterConfirmed", message)
    if this.record is None and this.verdict is not None and this.verdict.situation in _NOT_THERE:
        return Condition(MASTER, "Unknown", "NoClusterYet", say("NoClusterYet"))
    withdrawn = bool(this.record and this.record.withdrawn_since)
    return Condition(
        MASTER, "False" if withdrawn or master.reason in _DOWN else "Unknown", master.reason, master.message
    )


def _sharpened(this: Inputs) -> Mastership | None:
    if this.master is None or this.desired is None or not tried_in_vain(this.desired, this.down_for):
        return this.master
    facts = this.report.facts if this.report else None
    redis = {name: each.redis for name, each in facts.hosts.items()} if facts else {}
    return dead_without_successor(this.desired, this.master, this.record, redis)


def _findings(this: Inputs) -> dict[str, Finding]:
    verdict = this.verdict
    unread = {name: Finding(None, "NotReadYet", say("NotReadYet", name)) for name in (CONFIG, CREDENTIALS, PREFLIGHT)}
    if verdict is None:
        nothing = Finding(None, "Starting", say("Starting"))
        return dict.fromkeys((QUORUM, REPLICATION, REACHABLE, CLAIMED), nothing) | unread
    return {
        QUORUM: verdict.quorum,
        REPLICATION: verdict.replication,
        REACHABLE: verdict.reachable,
        CLAIMED: verdict.claimed,
        CONFIG: _config(this),
        CREDENTIALS: verdict.credentials
        if _redis_runs(this)
        else Finding(None, "PasswordNotTried", say("PasswordNotTried")),
        PREFLIGHT: _preflight(this, verdict),
    }


def _aspect(this: Inputs, name: str, finding: Finding) -> Condition:
    refusal = this.report.refusal if this.report else None
    if refusal is not None and refusal.condition == name:
        return Condition(name, "False", refusal.reason, refusal.message)
    for reason, detail in _failures(this):
        home = row(reason)
        if home is not None and home.condition == name:
            return Condition(name, "False", reason, say(reason, detail=detail))
    status: Status = "Unknown" if finding.ok is None else "True" if finding.ok else "False"
    return Condition(name, status, finding.reason, finding.message)


def _config(this: Inputs) -> Finding:
    report = this.report
    if report is None or report.facts is None or report.refusal is not None:
        return Finding(None, "NotReadYet", say("NotReadYet", CONFIG))
    if not _redis_runs(this):
        return _open("NothingToCompare")
    drift = [(host, each) for host, all_of in report.plan.drift.items() for each in all_of]
    now = [f"{host}: {it.key} is {it.have!r} instead of {it.want!r}" for host, it in drift if not it.pending_restart]
    later = [f"{each.key} on {host}" for host, each in drift if each.pending_restart]
    if now:
        return Finding(False, "ConfigDrift", say("ConfigDrift", detail="; ".join(now)))
    if later:
        return Finding(False, "RestartPending", say("RestartPending", detail=", ".join(later)))
    return Finding(True, "AllAsDeclared", say("AllAsDeclared"))


def _open(reason: str) -> Finding:
    return Finding(None, reason, say(reason))


def _redis_runs(this: Inputs) -> bool:
    """Whether a redis may run: one that could not be asked counts."""
    facts = this.report.facts if this.report else None
    return facts is None or any(host.redis != Known(None) for host in facts.hosts.values())


def _preflight(this: Inputs, verdict: Verdict) -> Finding:
    if verdict.situation_reason:
        return Finding(False, verdict.situation_reason, verdict.situation_message)
    looks_only = this.desired is not None and this.desired.management != "Full"
    if verdict.situation is Situation.BARE and verdict.preflight.ok and looks_only:
        return _open("PackagesNotAsked")
    return verdict.preflight


def _failures(this: Inputs) -> Iterable[tuple[str, str]]:
    """Return reason and sentence of each step that failed in the last pass."""
    results: tuple[StepResult, ...] = this.report.results if this.report else ()
    for result in results:
        if not result.ok:
            reason = result.reason if says_detail(result.reason) else "StepFailed"
            yield reason, f"{result.step.host}: {result.step.what}: {result.message.rstrip('. ')}."


def _as_managed(this: Inputs, found: Overall) -> Overall:
    """Paused and Observe tell the state as observed; a hand that does nothing is not reconciling."""
    hands_off = {"Paused": "Paused", "Observe": "Observing"}
    management = this.desired.management if this.desired else "Full"
    if management not in hands_off or found.phase in ("Blocked", "Deleting"):
        return found
    return replace(found, phase=hands_off[management], reconciling=found.phase == "FailingOver")


def _deleting(this: Inputs) -> Overall | None:
    if this.deleting is None:
        return None
    return Overall("Deleting", "False", "Deleting", say("Deleting", detail=this.deleting), reconciling=True)


def _blocked(this: Inputs) -> Overall | None:
    refusal = this.report.refusal if this.report else None
    if refusal is not None:
        return Overall("Blocked", "False", refusal.reason, refusal.message, stalled=True)
    alive = this.verdict is not None and this.verdict.situation is Situation.ALIVE
    stalled = [found for found in _stalled(this) if not (alive and found[0] in _OF_ONE_HOST)]
    return Overall("Blocked", "False", *stalled[0], stalled=True) if stalled else None


def _one_host_blocked(this: Inputs) -> Overall | None:
    """A living cluster is used on while one of its hosts waits for a person."""
    stalled = _stalled(this)
    if not stalled:
        return None
    serves = _unavailable(this) is None
    return Overall("Degraded" if serves else "Blocked", "True" if serves else "False", *stalled[0], stalled=True)


def _stalled(this: Inputs) -> list[tuple[str, str]]:
    """Return reason and message of all that goes on only with a person."""
    failed = [(reason, say(reason, detail=detail)) for reason, detail in _failures(this) if stalls(reason)]
    found = [each for each in _findings(this).values() if each.ok is False and stalls(each.reason)]
    return failed + [(each.reason, each.message) for each in found]


def _starting(this: Inputs) -> Overall | None:
    if this.verdict is not None:
        return None
    return Overall("Bootstrapping", "False", "Starting", say("Starting"), reconciling=True)


def _bootstrapping(this: Inputs) -> Overall | None:
    verdict, report = this.verdict, this.report
    unfinished = this.bootstrap is not None and not this.bootstrap.completed_at
    if verdict is None or report is None or (this.record is not None and not unfinished):
        return None
    if verdict.situation is Situation.BARE and this.desired is not None and this.desired.management != "Full":
        message = say("NothingThere", management=this.desired.management)
        return Overall("Bootstrapping", "False", "NothingThere", message)
    if verdict.situation in (Situation.BARE, Situation.BOOTSTRAPPING) or unfinished:
        message = say("Bootstrapping", detail=sentence(report.sentence))
        return Overall("Bootstrapping", "False", "Bootstrapping", message, reconciling=True)
    if verdict.situation is Situation.UNREADABLE:
        reason, message = "Unreadable", say("Unreadable", detail=verdict.situation_message)
        return Overall("Bootstrapping", "False", reason, message, reconciling=True)
    return None


def _not_alive(this: Inputs) -> Overall | None:
    verdict, report = this.verdict, this.report
    if verdict is None or report is None or verdict.situation is Situation.ALIVE:
        return None
    if verdict.situation is Situation.STOPPED:
        message = say("ColdStart", detail=sentence(report.sentence))
        return Overall("Unavailable", "False", "ColdStart", message, reconciling=True)
    return Overall("Unavailable", "Unknown", "Unreadable", say("Unreadable", detail=verdict.situation_message))


def _failing_over(this: Inputs) -> Overall | None:
    serves = this.aborted and isinstance(this.master, Confirmed)
    if this.desired is not None and in_vain(this.desired, this.down_for, aborted=serves):
        return None
    reason = "" if this.master is None or isinstance(this.master, Confirmed) else this.master.reason
    if reason == "RoleUndone" or (not this.switching and reason not in _SWITCHING):
        return None
    message = say("FailingOver", detail=master_condition(this).message)
    return Overall("FailingOver", "False", "FailingOver", message, reconciling=True)


def _unavailable(this: Inputs) -> Overall | None:
    master = master_condition(this)
    if master.status != "True":
        return Overall("Unavailable", master.status, master.reason, master.message)
    verdict = this.verdict
    if verdict is None:
        return None
    refused, broken = verdict.preflight.reason == "WritesRefused", verdict.replication.reason == "ReplicationBroken"
    graver = ((verdict.preflight, refused), (verdict.quorum, verdict.quorum.ok is False), (verdict.replication, broken))
    worst = next((finding for finding, holds in graver if holds), None)
    return Overall("Unavailable", "False", worst.reason, worst.message) if worst else None


def _degraded(this: Inputs) -> Overall | None:
    verdict, report = this.verdict, this.report
    if verdict is None or report is None:
        return None
    behind = this.observed < this.generation
    cause = (verdict.preflight,) if verdict.preflight.reason == "CannotSave" else ()  # for a replica's trouble, too
    for finding in (*cause, verdict.replication, verdict.quorum, verdict.reachable):
        if finding.ok is not True or finding.reason in ("SentinelMissing", "SentinelStale"):
            message = f"{finding.message} {not_yet(report.plan.waiting)}".rstrip()
            return Overall("Degraded", "True", finding.reason, message, reconciling=behind)
    failed = next(iter(_failures(this)), None)
    if failed is not None:
        return Overall("Degraded", "True", failed[0], say(failed[0], detail=failed[1]), reconciling=behind)
    return None


def _updating(this: Inputs) -> Overall | None:
    desired, report = this.desired, this.report
    moves = desired is not None and bool(desired.joining or desired.leaving or desired.gone)
    if report is None or (this.observed >= this.generation and not moves):
        return None
    if report.plan.settled and report.plan.asks:
        return None
    message = say("Updating", generation=this.generation, detail=sentence(report.sentence))
    return Overall("Updating", "True", "Updating", message, reconciling=True)


def _waiting_for_you(this: Inputs) -> Overall | None:
    reason, asked = this.report.plan.decision if this.report else ("", "")
    if asked:
        return Overall("WaitingForYou", "True", reason, say(reason, detail=sentence(asked)))
    config = _config(this)
    if config.reason != "RestartPending":
        return None
    return Overall("WaitingForYou", "True", config.reason, config.message)


def _healthy(this: Inputs) -> Overall:
    """All well; what is left undone on purpose, and drift that is seen but not touched, is said."""
    waiting = this.report.plan.waiting if this.report else ()
    config = _config(this)
    if waiting:
        return Overall("Degraded", "True", "Degraded", say("Degraded", detail=sentence(waiting[0])))
    if config.ok is False:
        return Overall("Degraded", "True", config.reason, config.message)
    master = this.master.host if isinstance(this.master, Confirmed) else ""
    return Overall("Healthy", "True", *healthy(this.desired, master, this.ready))


_RULES: tuple[Callable[[Inputs], Overall | None], ...] = (
    _deleting,
    _blocked,
    _starting,
    _bootstrapping,
    _not_alive,
    _failing_over,
    _one_host_blocked,
    _unavailable,
    _degraded,
    _updating,
    _waiting_for_you,
    _healthy,
)
