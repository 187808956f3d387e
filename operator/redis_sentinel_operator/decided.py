"""What a pass came to, in a sentence, and when the next one is due. Pure."""

from __future__ import annotations

from redis_sentinel_operator.model.report import Refusal
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.rounds import Round
from redis_sentinel_operator.settings import Settings


def sentence(management: str, todo: Plan, done: Round, refusal: Refusal | None) -> str:
    """Say in one sentence what the pass decided."""
    results = done.results
    failed = next((result for result in done.all if not result.ok), None)
    if refusal:
        return refusal.message
    if failed:
        return f"{failed.step.host}: {failed.step.what} failed: {failed.message}"
    if done.halted:
        return f"{len(results)} of {len(todo.steps)} changes done, the rest is planned anew: {done.halted}"
    if results:
        last = results[-1].step
        return f"{len(results)} of {len(todo.steps)} changes done, the last one on {last.host}: {last.what}"
    if done.under_way:
        return done.under_way[0]
    if todo.steps:
        return f"{management}: {len(todo.steps)} changes would be made, none is"
    return next(iter(todo.waiting), todo.decision[1] or "all is as declared")


def requeue(
    settings: Settings, verdict: Verdict, todo: Plan, done: Round, refusal: Refusal | None, *, hands_off: bool
) -> float:
    """Return the seconds until the next pass: at once while work goes well, -1 = back off, else resync."""
    failed = any(not result.ok for result in done.all)
    if failed and verdict.situation is not Situation.ALIVE:
        return -1.0
    if any(result.ok for result in done.results):
        return 0.0
    if failed and not done.halted and not todo.waiting:
        return settings.resync  # or as soon as the host where it failed is due again
    settled = todo.settled or hands_off or refusal is not None
    return settings.resync if settled and _is_well(verdict) else settings.waiting_poll


def _is_well(verdict: Verdict) -> bool:
    """Whether nothing is expected to become better by itself."""
    return not verdict.transition and verdict.quorum.ok is not False and verdict.replication.ok is not False
