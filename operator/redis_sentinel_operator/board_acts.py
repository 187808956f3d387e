"""status.acts and status.operation: what a person asked for, and the procedure that goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from redis_sentinel_operator.api.status import Act, ActResult
from redis_sentinel_operator.api.status import Operation as Shown
from redis_sentinel_operator.model.event import Cause
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.times import moment, second, seconds

_MOST = 10
# Steps of a procedure in which a failover is its own.
_SWITCHING = ("ask", "demote", "watch", "rejoin", "last", "halt", "edit", "name", "agree")
# What such a failover comes from, where it is not `Ours`.
_CAUSES: Mapping[str, Cause] = {"drill": "Drill", "recover": "Recover"}


def with_answer(
    acts: Sequence[Act], verb: str, arg: str, at: str, *, result: str, message: str, now: datetime
) -> tuple[Act, ...]:
    """Return the acts with an answer, in the place of an earlier one to the same act.

    A time that is none goes into `arg`, as the API server takes only times for `at`.
    """
    time = moment(at)
    answer = Act(
        verb=verb or "unknown",
        arg=(arg if time else at) or None,
        at=at if time else second(now),
        result=cast(ActResult, result),
        message=message or None,
    )
    replaced = tuple(answer if time and (each.verb, each.at) == (answer.verb, at) else each for each in acts)
    return replaced if answer in replaced else (*replaced, answer)[-_MOST:]


def keep(document: Mapping[str, Any], stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a status with what the stored one has of another operator, where two match a resource.

    That is the bootstrap that it began before ours, and the answers to acts that this one lacks or has as `Running`
    only; of more than are kept the latest stay. Where one operator writes there is none of it: it has one bootstrap,
    and takes no answer back.
    """
    before = stored.get("bootstrap")
    if before is not None and before["id"] != (document.get("bootstrap") or {}).get("id"):
        document = {**document, "bootstrap": before}
    ours = {_key(each): each for each in document.get("acts") or ()}
    theirs = {_key(each): each for each in stored.get("acts") or ()}
    ended = {key: each for key, each in theirs.items() if key in ours and ours[key]["result"] == "Running"}
    lacking = [each for key, each in theirs.items() if key not in ours]
    acts = sorted([*lacking, *(ours | ended).values()], key=lambda each: seconds(each.get("at")))[-_MOST:]
    is_ours = ours | ended == ours and all(_key(each) in ours for each in acts)
    return document if is_ours else {**document, "acts": acts}


def _key(act: Mapping[str, Any]) -> tuple[object, ...]:
    return act["verb"], act.get("at"), act.get("arg")


def stored(found: Shown | None) -> Operation | None:
    """Return the procedure that status tells of; what it changes for a while only the hosts know."""
    if found is None:
        return None
    return Operation(
        id=found.id,
        type=found.type,
        step=found.step,
        started_at=found.started_at or "",
        since=found.since or "",
        at=found.act or "",
        arg=found.arg or "",
        old=found.from_address or "",
        new=found.to_address or "",
        config_epoch=found.config_epoch or 0,
        sentinel=found.sentinel or "",
        offset=found.offset or 0,
        result=found.result or "",
        message=found.message or "",
    )


def shown(operation: Operation | None) -> Shown | None:
    """Return the procedure as status has it."""
    if operation is None:
        return None
    return Shown(
        id=operation.id,
        type=operation.type,
        step=operation.step,
        started_at=operation.started_at,
        since=operation.since,
        act=operation.at or None,
        arg=operation.arg or None,
        from_address=operation.old or None,
        to_address=operation.new or None,
        config_epoch=operation.config_epoch,
        sentinel=operation.sentinel or None,
        offset=operation.offset,
        result=operation.result or None,
        message=operation.message or None,
    )


def own_failover(operation: Operation | None) -> tuple[str, Cause]:
    """Return the address of the master whose failover would be the procedure's own, "" for none, and its cause."""
    if operation is None or not (operation.step in _SWITCHING or operation.result == "Done"):
        return "", "Unknown"
    return operation.old, _CAUSES.get(operation.type, "Ours")
