"""The act annotation: what a person asks for that is no state.

`redis-sentinel-operator.io/act: "<verb> <arg> <RFC 3339 time>"`, `-` where there is no argument. Each act is
answered once in status.acts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from redis_sentinel_operator.api.annotations import ACT, MAX_AGE
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.report import Outcome
from redis_sentinel_operator.operations.procedures import ACTS

ANNOTATION = ACT
FORGET = "forget-host"
VERBS = ("adopt-claim", FORGET, *ACTS)


@dataclass(frozen=True, slots=True)
class Act:
    """An act that is not answered yet. `refused` is the sentence why it will not be done, "" when it may."""

    verb: str
    arg: str
    at: str
    refused: str = ""


def read_act(body: Mapping[str, Any], answered: frozenset[str], now: datetime) -> Act | None:
    """Return the act of the annotation unless it is answered already: `answered` holds the times of those that are.

    Also in what is stored: where two operators match the resource the other one may have done it.
    """
    metadata = body["metadata"]
    answered |= _stored(body.get("status") or {})
    text = (metadata.get("annotations") or {}).get(ANNOTATION)
    if not text:
        return None
    words = text.split()
    if len(words) != 3:
        return _unanswered(Act("", "", text, _shape(text)), answered)
    verb, arg, at = words
    return _unanswered(Act(verb, arg, at, _why_refused(verb, at, metadata["creationTimestamp"], now)), answered)


def answer(board: Board, desired: Desired, act: Act, outcome: Outcome) -> None:
    """Answer an act, unless the pass was stopped before it could do anything: then the next one does it."""
    if act.refused:
        board.act(act.verb, act.arg, act.at, "Refused", act.refused)
    elif act.verb == FORGET:
        return  # it is answered where it is done
    elif desired.hands_off:
        board.act(act.verb, act.arg, act.at, "Refused", desired.hands_off)
    elif act.verb in ACTS:
        return  # it was answered where it began, and is again where it ends
    elif outcome.changed or not outcome.halted:
        result = "Refused" if outcome.failed or outcome.requeue_after < 0 else "Done"
        board.act(act.verb, act.arg, act.at, result, outcome.sentence)


def _unanswered(act: Act, answered: frozenset[str]) -> Act | None:
    return None if act.at in answered else act


def _stored(status: Mapping[str, Any]) -> frozenset[str]:
    told = (each for act in status.get("acts") or () for each in (act.get("at"), act.get("arg")))
    return frozenset(each for each in told if each)


def _shape(text: str) -> str:
    return (
        f"{ANNOTATION} is {text[:100]!r}; write it as '<verb> <arg or -> <time>', "
        "for example: adopt-claim - 2026-01-31T12:00:00Z"
    )


def _why_refused(verb: str, at: str, created: str, now: datetime) -> str:
    if verb not in VERBS:
        return f"{verb!r} is no act; known acts: {', '.join(VERBS)}"
    try:
        asked = datetime.fromisoformat(at)
        born = datetime.fromisoformat(created)
    except ValueError:
        return f"{at!r} is no RFC 3339 time; write it as 2026-01-31T12:00:00Z"
    if asked.tzinfo is None:
        return f"{at!r} has no time zone; write it as 2026-01-31T12:00:00Z"
    if asked < born:
        return "the act is older than the resource: annotate it again with the present time"
    if now - asked > MAX_AGE:
        return "the act is older than 10 minutes: annotate it again with the present time"
    if asked - now > MAX_AGE:
        return "the act's time is in the future: annotate it again with the present time"
    return ""
