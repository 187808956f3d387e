"""One pass: observe, judge, publish, plan, apply what may be done now, report.

A pass is level-triggered: it acts on what it reads now and remembers nothing. What a step makes possible (a file
that a package brings, a redis that has been started) is planned by the next pass, which follows at once while there
is something to do.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

from redis_sentinel_operator import decided, logs, planning
from redis_sentinel_operator.apply import outcome
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.apply.package import available
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.board_unread import Patience
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import ConnectError, NotOurHost, OperatorError
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.leaving import why_not_forget
from redis_sentinel_operator.judge.master import Sentinels
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Fact, SurveyFacts
from redis_sentinel_operator.model.operation import Demote, StartAgain
from redis_sentinel_operator.model.package import InstallPackage
from redis_sentinel_operator.model.report import Outcome, Refusal, Report, StepResult
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import MakeReplica, Plan, RestoreMaster, Step
from redis_sentinel_operator.model.verdict import BootstrapRecord, Confirmed, Situation, Uncertain, Verdict
from redis_sentinel_operator.observe.gather import gather
from redis_sentinel_operator.observe.late import Late
from redis_sentinel_operator.operating import Operating, carry_out, operating
from redis_sentinel_operator.operations.move import Wish
from redis_sentinel_operator.outliving import Outlive, outliving, overruled, refused, stands_aside
from redis_sentinel_operator.plan.beginning import held_up, packages_to_ask_for
from redis_sentinel_operator.plan.host import readable
from redis_sentinel_operator.plan.join import ready_to_join
from redis_sentinel_operator.plan.order import PlanContext, plan
from redis_sentinel_operator.plan.password import in_force
from redis_sentinel_operator.returning import away
from redis_sentinel_operator.rounds import NOT_OURS, Round, Rounds
from redis_sentinel_operator.settings import Settings

WasRead: TypeAlias = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass works with.

    `interrupted(since)` returns a sentence when nothing more may be begun: the lease is overdue, the resource is being
    deleted, or a sentinel said something since `since` (time.monotonic()) that makes the facts old. `surveys` are what
    the hosts said when they were last asked at length, `wish` the act that begins a procedure, `forget` the act
    forget-host. `desired` has the declared password at first, then the one in force. `was_read` is told once all
    hosts were read: from there on the pass takes as long as its steps do. `deleted`: the resource is being deleted, in
    words; then a procedure goes its way back, and nothing else is done. `outlive` returns our epoch, made later than
    one that hosts remember, if it may be. `overruled`: another operator is at work on the hosts, in words; then this
    one only tells. `plans_as`: the owner as whom a resource plans that does nothing else, "" for every other one.
    """

    desired: Desired
    links: Mapping[str, HostLink]
    board: Board
    guard: Guard
    settings: Settings
    since_switch: float
    late: Late
    rounds: Rounds
    patience: Patience
    interrupted: Callable[[float], str | None]
    refusal: Refusal | None = None
    adopt_claim: bool = False
    wish: Wish | None = None
    forget: Wish | None = None
    surveys: Mapping[str, Fact[SurveyFacts]] = field(default_factory=dict)
    was_read: WasRead = nothing
    deleted: str = ""
    outlive: Outlive = refused
    overruled: str = ""
    plans_as: str = ""

    @property
    def owner(self) -> str:
        """As whom hosts are judged and planned for. What is changed on a host is guarded by `guard.owner` alone."""
        return self.plans_as or self.guard.owner

    @property
    def hands_off(self) -> bool:
        """Whether this pass only reads and tells."""
        return bool(self.hands_off_because)

    @property
    def hands_off_because(self) -> str:
        """Why this pass only reads and tells, "" where it may change something."""
        planned = "this resource only plans" if self.plans_as else ""
        stalled = self.refusal.message if self.refusal is not None else ""
        return stalled or self.deleted or planned or self.desired.hands_off or self.overruled


async def reconcile(this: Pass) -> Outcome:
    """Run one pass and publish its report; return what it decided and when the next is due."""
    declared = this.desired.password
    facts = await _read(this)
    await this.was_read()
    if not this.hands_off:
        guard = await outliving(this.guard, facts, this.outlive)
        this = replace(this, guard=guard, overruled=overruled(guard, facts))
    verdict = _judge(this, facts)
    this.board.confirm(verdict.master, _sentinels(facts), this.desired, facts.at)
    packages = _packages_to_ask_for(this, facts, verdict)
    todo = await _ask_for_packages(this, packages)
    if packages and todo is None:  # that took its time: begin on what is true now
        facts = await _read(this)
        verdict = _judge(this, facts)
        this.board.confirm(verdict.master, _sentinels(facts), this.desired, facts.at)
    if todo is None:
        verdict = await _begin_bootstrap(this, facts, verdict)
        await _begin_joining(this, facts, verdict)
        _forget(this, facts, verdict)
        this = _as_in_force(this, facts, verdict)
        todo = _plan(this, facts, verdict)
    refusal = this.refusal or todo.refusal
    if this.plans_as:
        todo = replace(todo, refusal=refusal)
        told = planning.tell(this.board, this.desired, facts, verdict, todo=todo, secret=declared)
        return Outcome(told, this.settings.resync)
    if this.overruled and refusal is None:
        return _stand_aside(this, facts, verdict, stands_aside(todo))
    now = _operating(this, facts, verdict, todo, refusal, secret=declared)
    if now.moves is not None:
        return await _operate(this, facts, verdict, now, refusal)
    todo, done = now.todo, Round()
    if not this.hands_off and refusal is None:
        done = await _carry_out(this, facts, verdict, todo, apart=verdict.situation is Situation.ALIVE)
        todo = replace(todo, waiting=done.under_way + todo.waiting)
        verdict = _complete_bootstrap(this, facts, verdict)
    sentence = decided.sentence(this.desired.management, todo, done, refusal)
    report = Report(this.desired.generation, facts, verdict, todo, done.all, sentence, refusal)
    news = this.board.report(report, this.desired)
    return Outcome(
        sentence,
        decided.requeue(this.settings, verdict, todo, done, refusal, hands_off=this.hands_off),
        changed=any(result.ok for result in done.results),
        halted=bool(done.halted),
        failed=any(not result.ok for result in done.results),
        away=away(this.desired, facts, verdict),
        retry_in=done.retry_in,
        news=news,
    )


def _stand_aside(this: Pass, facts: ClusterFacts, verdict: Verdict, todo: Plan) -> Outcome:
    """Tell what is; an act is the other operator's to answer."""
    verdict = _complete_bootstrap(this, facts, verdict)
    this.board.report(Report(this.desired.generation, facts, verdict, todo, (), this.overruled), this.desired)
    return Outcome(this.overruled, this.settings.resync, halted=True)


def _operating(
    this: Pass, facts: ClusterFacts, verdict: Verdict, todo: Plan, refusal: Refusal | None, *, secret: Secret | None
) -> Operating:
    """Return what the procedure that goes on, or that an act begins, has to do; nothing new begins with hands off."""
    leaving = f"management became {this.desired.management}" if this.desired.management != "Full" else ""
    leaving = refusal.message if refusal is not None else this.deleted or leaving
    wish = this.wish if this.desired.management == "Full" and not this.deleted else None
    now = datetime.now(UTC)
    return operating(
        this.board,
        this.desired,
        facts,
        verdict,
        todo=todo,
        wish=wish,
        leaving=leaving,
        now=now,
        secret=secret,
        patience=this.patience,
    )


async def _operate(
    this: Pass, facts: ClusterFacts, verdict: Verdict, now: Operating, refusal: Refusal | None
) -> Outcome:
    """Go on with a procedure, instead of the plan; its way back is gone also with hands off."""

    async def do(todo: Plan, apart: bool) -> tuple[tuple[StepResult, ...], str]:
        done = await _carry_out(this, facts, verdict, todo, apart=apart)
        return done.results, done.halted

    went = await carry_out(now, do)
    report = Report(this.desired.generation, facts, verdict, now.todo, went.results, went.sentence, refusal)
    this.board.report(report, this.desired)
    return Outcome(
        went.sentence,
        this.settings.waiting_poll if went.requeue_after < 0 else went.requeue_after,
        changed=any(result.ok for result in went.results),
        halted=bool(went.halted),
        failed=any(not result.ok for result in went.results),
        away=away(this.desired, facts, verdict),
    )


def _as_in_force(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Pass:
    """Return the pass with the password that the servers have, as long as the declared one is not given to them."""
    now = in_force(this.desired, facts, verdict, this.owner)
    if now.password == this.desired.password:
        return this
    if this.desired.password is not None:
        for link in this.links.values():
            link.offer([this.desired.password])  # some may have it
    return replace(this, desired=now)


async def _read(this: Pass) -> ClusterFacts:
    """Read all hosts, and add what they said when they were last asked at length."""
    facts = await gather(this.desired, this.links, this.settings, this.late)
    hosts = {name: replace(host, survey=this.surveys.get(name, host.survey)) for name, host in facts.hosts.items()}
    return replace(facts, hosts=hosts)


def _judge(this: Pass, facts: ClusterFacts) -> Verdict:
    last_for = this.board.last_for - (time.monotonic() - facts.at)
    told = this.board.known().master
    undone = isinstance(told, Uncertain) and told.reason == "RoleUndone"
    context = JudgeContext(
        this.owner,
        this.board.bootstrap,
        this.since_switch,
        this.board.down_for,
        this.settings.settle_min,
        last_for,
        this.board.aborted,
        this.board.down_for if undone else 0.0,
    )
    return judge(this.desired, facts, this.board.last_master, context)


def _sentinels(facts: ClusterFacts) -> Sentinels:
    return {name: host.sentinel for name, host in facts.hosts.items()}


def _packages_to_ask_for(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Mapping[str, InstallPackage]:
    if this.hands_off:
        return {}
    return packages_to_ask_for(this.desired, facts, verdict, this.owner, adopt=this.adopt_claim)


async def _ask_for_packages(this: Pass, packages: Mapping[str, InstallPackage]) -> Plan | None:
    """Ask the hosts' repositories, all at once; return the plan that holds the set-up up, None when all have it."""

    async def one(host: str, package: InstallPackage) -> outcome.Outcome:
        try:
            return await available(package, this.links[host], this.settings)
        except ConnectError as error:
            return outcome.failed(str(error))

    answers = await asyncio.gather(*(one(host, package) for host, package in packages.items()))
    failures = {host: answer for host, answer in zip(packages, answers, strict=True) if not answer.ok}
    lacking = {host: each.message for host, each in failures.items() if each.reason == "PackageNotFound"}
    return held_up(this.desired, lacking, {host: each.message for host, each in failures.items()})


def _plan(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Plan:
    members = frozenset(this.board.members or ())
    owner, fenced, recorded = this.owner, this.board.fenced, this.board.recorded("Joining")
    if this.plans_as:  # nothing is recorded for a look
        recorded |= ready_to_join(this.desired, facts, readable(this.desired, facts)[0], verdict, owner)
    context = PlanContext(owner, this.board.bootstrap, this.adopt_claim, members, fenced, recorded)
    return plan(this.desired, facts, verdict, context)


def _forget(this: Pass, facts: ClusterFacts, verdict: Verdict) -> None:
    """Answer the act forget-host, and take the host as gone in the same breath."""
    if this.forget is None or this.overruled:
        return
    name, reason = this.forget.arg, this.hands_off_because
    refused = "" if reason else why_not_forget(this.desired, name, facts, verdict) or ""
    if refused and this.patience.has(this.forget.at, this.desired, facts):
        return
    reason = reason or refused
    told = reason or (
        f"{name} is forgotten, and each sentinel that still counts it is reset. If it comes back, stop its servers and "
        "remove /var/lib/redis-sentinel-operator/state.json there"
    )
    if not reason:
        this.board.left({name})
    this.board.act(this.forget.verb, name, this.forget.at, "Refused" if reason else "Done", told)


async def _begin_bootstrap(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Verdict:
    """Store which master a bare cluster gets before anything is done: a killed operator must resume with the same.

    Where status lost that, but the claims on the hosts still tell, their word is stored again.
    """
    begins = verdict.situation is Situation.BARE or verdict.resumes is not None
    if not begins or this.hands_off or this.interrupted(facts.at):
        return verdict
    if _plan(this, facts, verdict).refusal is not None:
        return verdict
    if this.board.bootstrap is None:
        known = verdict.resumes or BootstrapRecord(uuid.uuid4().hex, this.desired.initial_master, started_at="")
        this.board.begin_bootstrap(known.id, known.master)
        await this.board.flush()
    return _judge(this, facts)


async def _begin_joining(this: Pass, facts: ClusterFacts, verdict: Verdict) -> None:
    """Store which hosts join before they are claimed: a killed operator must know that something may be on them."""
    if verdict.situation is not Situation.ALIVE or this.hands_off or this.interrupted(facts.at):
        return
    hosts, _ = readable(this.desired, facts)
    new = ready_to_join(this.desired, facts, hosts, verdict, this.owner) - this.board.recorded("Joining")
    if new and _plan(this, facts, verdict).refusal is None:
        this.board.begin_joining(this.desired, new)
        await this.board.flush()


def _complete_bootstrap(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Verdict:
    """Note the end of our bootstrap; from there on the cluster is alive, which is judged anew."""
    record = this.board.bootstrap
    works = verdict.quorum.reason == "QuorumReached" and verdict.replication.ok
    if record is None or record.completed_at or not works or not isinstance(verdict.master, Confirmed):
        return verdict
    this.board.complete_bootstrap()
    return _judge(this, facts)


async def _carry_out(this: Pass, facts: ClusterFacts, verdict: Verdict, todo: Plan, *, apart: bool) -> Round:
    """Do the steps; `apart`: no host waits for another."""

    async def may_not(step: Step) -> str | None:
        with suppress(OperatorError):  # what must be waited for is waited for before the needs are asked
            await this.links[step.host].connect()
        return _may_not(this, facts, verdict, step)

    return await this.rounds.run(todo.steps, may_not, partial(do_step, this), apart=apart)


def _may_not(this: Pass, facts: ClusterFacts, verdict: Verdict, step: Step) -> str | None:
    """Why a step may not be begun now; everything it needs is asked again right before it."""
    if time.monotonic() - facts.at > this.settings.fact_max_age:
        return "what was read is too old to act on"
    # A sentinel's message makes older facts unfit; what such a step needs it reads again by itself, right before.
    reads_again = isinstance(step.action, MakeReplica | RestoreMaster | Demote | StartAgain)
    interruption = this.interrupted(time.monotonic() if reads_again else facts.at)
    if interruption:
        return interruption
    reasons = (why_not(need, step.host, this.desired, facts, verdict) for need in step.needs)
    return next((reason for reason in reasons if reason), None)


async def do_step(this: Pass, step: Step) -> StepResult:
    """Do a step, with a line of the audit; whatever the host says is a result."""
    started = time.monotonic()
    try:
        result = await execute(step, this.links, this.desired, this.guard, this.settings)
    except NotOurHost as error:
        result = StepResult(step, False, str(error), time.monotonic() - started, NOT_OURS)
    except OperatorError as error:
        result = StepResult(step, False, str(error), time.monotonic() - started)
    logs.audit(
        str(this.desired.ref),
        step.host,
        step.what,
        step.why,
        step.impact.name.capitalize(),
        "done" if result.ok else f"failed: {result.message}",
    )
    return result
