"""One pass: observe, judge, publish, plan, apply what may be done now, report.

A pass is level-triggered: it acts on what it reads now and remembers nothing. What a step makes possible (a file
that a package brings, a redis that has been started) is planned by the next pass, which follows at once while there
is something to do.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby

from redis_sentinel_operator import logs
from redis_sentinel_operator.apply import outcome
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.apply.package import available
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import ConnectError, NotOurHost, OperatorError
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.master import Sentinels
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import Outcome, Refusal, Report, StepResult
from redis_sentinel_operator.model.step import Impact, InstallPackage, Plan, Step
from redis_sentinel_operator.model.verdict import BootstrapRecord, Confirmed, Situation, Verdict
from redis_sentinel_operator.observe.gather import gather
from redis_sentinel_operator.plan.beginning import held_up, packages_to_ask_for
from redis_sentinel_operator.plan.order import PlanContext, plan
from redis_sentinel_operator.settings import Settings

NOT_OURS = "HostClaimedByAnother"


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass works with.

    `interrupted(since)` returns a sentence when nothing more may be begun: the lease is overdue, the resource is being
    deleted, or a sentinel said something since `since` (time.monotonic()) that makes the facts old.
    """

    desired: Desired
    links: Mapping[str, HostLink]
    board: Board
    guard: Guard
    settings: Settings
    since_switch: float
    interrupted: Callable[[float], str | None]
    refusal: Refusal | None = None
    adopt_claim: bool = False

    @property
    def hands_off(self) -> bool:
        """Whether this pass only reads and tells."""
        return self.refusal is not None or self.desired.management != "Full"


async def reconcile(this: Pass) -> Outcome:
    """Run one pass and publish its report; return what it decided and when the next is due."""
    facts = await gather(this.desired, this.links, this.settings)
    verdict = _judge(this, facts)
    this.board.confirm(verdict.master, _sentinels(facts), this.desired, facts.at)
    packages = _packages_to_ask_for(this, facts, verdict)
    todo = await _ask_for_packages(this, packages)
    if packages and todo is None:  # that took its time: begin on what is true now
        facts = await gather(this.desired, this.links, this.settings)
        verdict = _judge(this, facts)
        this.board.confirm(verdict.master, _sentinels(facts), this.desired, facts.at)
    if todo is None:
        verdict = await _begin_bootstrap(this, facts, verdict)
        todo = _plan(this, facts, verdict)
    refusal = this.refusal or todo.refusal
    results: tuple[StepResult, ...] = ()
    halted = ""
    if not this.hands_off and refusal is None:
        results, halted = await _carry_out(this, facts, verdict, todo)
        verdict = _complete_bootstrap(this, facts, verdict)
    sentence = _sentence(this, todo, results, halted, refusal)
    this.board.report(Report(this.desired.generation, facts, verdict, todo, results, sentence, refusal), this.desired)
    return Outcome(
        sentence,
        _requeue(this, verdict, todo, results, refusal),
        changed=any(result.ok for result in results),
        halted=bool(halted),
    )


def _judge(this: Pass, facts: ClusterFacts) -> Verdict:
    context = JudgeContext(
        this.guard.owner, this.board.bootstrap, this.since_switch, this.board.down_for, this.settings.settle_min
    )
    return judge(this.desired, facts, this.board.last_master, context)


def _sentinels(facts: ClusterFacts) -> Sentinels:
    return {name: host.sentinel for name, host in facts.hosts.items()}


def _packages_to_ask_for(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Mapping[str, InstallPackage]:
    if this.hands_off:
        return {}
    return packages_to_ask_for(this.desired, facts, verdict, this.guard.owner, adopt=this.adopt_claim)


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
    context = PlanContext(this.guard.owner, this.board.bootstrap, this.adopt_claim)
    return plan(this.desired, facts, verdict, context)


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


def _complete_bootstrap(this: Pass, facts: ClusterFacts, verdict: Verdict) -> Verdict:
    """Note the end of our bootstrap; from there on the cluster is alive, which is judged anew."""
    record = this.board.bootstrap
    works = verdict.quorum.reason == "QuorumReached" and verdict.replication.ok
    if record is None or record.completed_at or not works or not isinstance(verdict.master, Confirmed):
        return verdict
    this.board.complete_bootstrap()
    return _judge(this, facts)


async def _carry_out(
    this: Pass, facts: ClusterFacts, verdict: Verdict, todo: Plan
) -> tuple[tuple[StepResult, ...], str]:
    """Do the steps stage by stage, hosts of a stage at the same time; the first failure or refusal ends the round.

    In a living cluster a host on which a step fails is left out of the rest instead: a replica that never starts must
    not keep a stopped sentinel elsewhere from being started. Another owner ends every round.

    Returns what was done, and why the rest was not begun ("" when all was).
    """
    apart = verdict.situation is Situation.ALIVE
    results: list[StepResult] = []
    halted: list[str] = []
    failed: set[str] = set()

    async def one_host(steps: Iterable[Step]) -> None:
        for step in steps:
            if halted or step.host in failed:
                return
            with suppress(OperatorError):  # what must be waited for is waited for before the needs are asked
                await this.links[step.host].connect()
            reason = _may_not(this, facts, verdict, step)
            if reason:
                halted.append(reason)
                return
            result = await _do(this, step)
            results.append(result)
            if not result.ok and apart and result.step.impact < Impact.RESTART and result.reason != NOT_OURS:
                failed.add(step.host)
            elif not result.ok:
                halted.append(result.message)

    ordered = sorted(todo.steps, key=lambda step: step.stage)
    for _, stage in groupby(ordered, key=lambda step: step.stage):
        by_host: dict[str, list[Step]] = {}
        for step in stage:
            by_host.setdefault(step.host, []).append(step)
        await asyncio.gather(*(one_host(steps) for steps in by_host.values()))
        if halted:
            break
    return tuple(results), halted[0] if halted else ""


def _may_not(this: Pass, facts: ClusterFacts, verdict: Verdict, step: Step) -> str | None:
    """Why a step may not be begun now; everything it needs is asked again right before it."""
    if time.monotonic() - facts.at > this.settings.fact_max_age:
        return "what was read is too old to act on"
    interruption = this.interrupted(facts.at)
    if interruption:
        return interruption
    reasons = (why_not(need, step.host, this.desired, facts, verdict) for need in step.needs)
    return next((reason for reason in reasons if reason), None)


async def _do(this: Pass, step: Step) -> StepResult:
    started = time.monotonic()
    try:
        result = await execute(step, this.links[step.host], this.desired, this.guard, this.settings)
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


def _sentence(this: Pass, todo: Plan, results: tuple[StepResult, ...], halted: str, refusal: Refusal | None) -> str:
    """Say in one sentence what the pass decided."""
    failed = next((result for result in results if not result.ok), None)
    if refusal:
        return refusal.message
    if failed:
        return f"{failed.step.host}: {failed.step.what} failed: {failed.message}"
    if halted:
        return f"{len(results)} of {len(todo.steps)} changes done, the rest is planned anew: {halted}"
    if results:
        last = results[-1].step
        return f"{len(results)} of {len(todo.steps)} changes done, the last one on {last.host}: {last.what}"
    if todo.steps:
        return f"{this.desired.management}: {len(todo.steps)} changes would be made, none is"
    return todo.waiting[0] if todo.waiting else "all is as declared"


def _requeue(
    this: Pass, verdict: Verdict, todo: Plan, results: tuple[StepResult, ...], refusal: Refusal | None
) -> float:
    """Return the seconds until the next pass: at once while work goes well, -1 = back off, else resync."""
    if any(not result.ok for result in results):
        return -1.0
    if results:
        return 0.0
    settled = todo.settled or this.hands_off or refusal is not None
    return this.settings.resync if settled and _is_well(verdict) else this.settings.waiting_poll


def _is_well(verdict: Verdict) -> bool:
    """Whether nothing is expected to become better by itself."""
    return not verdict.transition and verdict.quorum.ok is not False and verdict.replication.ok is not False
