"""What must hold at the very moment of a planned switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from redis_sentinel_operator.judge.switching import why_not_ask, why_not_demote, why_not_start_again, why_not_stop
from redis_sentinel_operator.model.fact import Known, Unknown
from redis_sentinel_operator.model.operation import AskFailover, Demote, Fence
from unit.operations.scenes import both, config, facts, redis
from unit.plan.world import ADDRESS, S1, S2, S3, Change, M, desired, sees, stopped_redis, stopped_sentinel, unreachable

CLOSED = config(min_slaves_to_write="99")
FENCE = Fence(6379, 20.0, S2, {"min-slaves-max-lag": "10", "min-slaves-to-write": "99"}, {"min-slaves-to-write": "0"})
ASK = AskFailover(FENCE, M, 1)


def read(**changed: Change) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """What the sentinels and the redises answer."""
    found = facts(**{"M": CLOSED, **changed})
    return (
        {name: host.sentinel for name, host in found.hosts.items()},
        {name: host.redis for name, host in found.hosts.items()},
    )


def test_a_sentinel_may_be_asked_while_all_holds() -> None:
    assert why_not_ask(ASK, desired(), *read()) is None
    ahead = {"M": lambda host: CLOSED(redis(offset=10)(host)), "S2": redis(offset=14)}
    assert why_not_ask(ASK, desired(), *read(**ahead)) is None


def test_a_sentinel_that_rests_on_purpose_is_not_waited_for() -> None:
    hosts = tuple(replace(host, aside="Fenced" if host.name == S3 else "") for host in desired().hosts)
    what = desired(hosts=hosts)
    assert why_not_ask(ASK, what, *read(S3=both(stopped_redis, stopped_sentinel))) is None
    away = read(S3=unreachable)
    assert why_not_ask(ASK, what, *away) == "not every declared sentinel answers and names the same master"


WHY_NOT: dict[str, tuple[dict[str, Change], str]] = {
    "open again": ({"M": config(min_slaves_to_write="0")}, f"{M} takes writes again (min-slaves-to-write)"),
    "behind": (
        {"M": lambda host: CLOSED(redis(offset=15)(host)), "S2": redis(offset=14)},
        f"{S2} has not yet received the last 1 bytes that {M} wrote",
    ),
    "link down": ({"S2": redis(link="down")}, f"{S2} is no replica with its link up"),
    "replica gone": ({"S2": stopped_redis}, f"redis on {S2} does not answer"),
    "a sentinel away": ({"S3": unreachable}, "not every declared sentinel answers and names the same master"),
    "down already": (
        {"S3": lambda host: replace(host, sentinel=sees(M, flags=frozenset({"master", "s_down"})))},
        f"the sentinel on {S3} sees the master as down",
    ),
    "another epoch": (
        {each: lambda host: replace(host, sentinel=sees(M, config_epoch=2)) for each in ("S1", "S2", "S3")},
        f"{M} is master at config epoch 2 by now",
    ),
}


@pytest.mark.parametrize("case", WHY_NOT)
def test_why_no_sentinel_is_asked(case: str) -> None:
    changes, message = WHY_NOT[case]
    assert why_not_ask(ASK, desired(), *read(**changes)) == message


def test_a_pause_shows_nowhere_and_is_begun_anew_instead() -> None:
    assert why_not_ask(replace(ASK, fence=Fence(6379, 5.0, S2)), desired(), *read(M=redis(version="6.2.14"))) is None


DEMOTE = Demote(ADDRESS[S2], 6379, 2)


def switched(**changed: Change) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The sentinels have made S2 master; the old one does not know it yet."""

    def of(change: Change | None) -> Change:
        def both(host: Any) -> Any:
            host = replace(host, sentinel=sees(S2, config_epoch=2))
            return change(host) if change else host

        return both

    whole = {each: of(changed.get(each)) for each in ("S1", "S3")}
    return read(M=changed.get("M", CLOSED), S2=lambda host: of(changed.get("S2"))(redis(role="master")(host)), **whole)


def test_the_old_master_is_demoted_when_a_majority_has_left_it() -> None:
    assert why_not_demote(DEMOTE, M, desired(), *switched()) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"M": redis(role="slave")}, "it is no master any more"),
        ({"M": lambda host: replace(host, redis=Unknown("gone"))}, "it is no master any more"),
    ],
)
def test_what_is_no_master_is_not_demoted(changes: dict[str, Change], message: str) -> None:
    assert why_not_demote(DEMOTE, M, desired(), *switched(**changes)) == message


def test_nobody_is_demoted_while_the_sentinels_still_name_it_or_another() -> None:
    assert why_not_demote(DEMOTE, M, desired(), *read()) == f"{M} is master at config epoch 1 by now"
    assert why_not_demote(replace(DEMOTE, config_epoch=3), M, desired(), *switched()) == (
        f"{S2} is master at config epoch 2 by now"
    )
    assert isinstance(read()[1][S1], Known)


# -- a drill

STOP: dict[str, tuple[dict[str, Change], str | None]] = {
    "all well": ({}, None),
    "link down": ({"S2": redis(link="down")}, f"{S2} is no replica with its link up"),
    "synchronises": ({"S3": redis(syncing=True)}, f"{S3} is no replica with its link up"),
    "replica gone": ({"S2": stopped_redis}, f"{S2} is no replica with its link up"),
    **{each: WHY_NOT[each] for each in ("a sentinel away", "down already", "another epoch")},
}


@pytest.mark.parametrize("case", STOP)
def test_why_the_master_is_not_stopped(case: str) -> None:
    changes, message = STOP[case]
    assert why_not_stop(M, 1, desired(), *read(**changes)) == message


def test_a_replica_is_not_stopped_as_the_master() -> None:
    assert why_not_stop(S1, 1, desired(), *read()) == f"{M} is master at config epoch 1 by now"


def test_what_runs_already_is_not_started_again() -> None:
    assert why_not_start_again(M, 1, desired(), *read(M=stopped_redis)) is None
    silent = {"M": lambda host: replace(host, redis=Unknown("closed"))}
    assert why_not_start_again(M, 1, desired(), *read(**silent)) == f"redis on {M} could not be read"
    assert why_not_start_again(M, 1, desired(), *read()) == f"redis on {M} runs as a master"
    tilted = {"S1": lambda host: replace(host, sentinel=Known(replace(host.sentinel.value, tilt=True)))}
    assert why_not_start_again(M, 1, desired(), *read(M=stopped_redis, **tilted)) == (
        f"the sentinel on {S1} is in tilt mode"
    )
