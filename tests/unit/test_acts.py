"""What the act annotation asks for, and when it is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from redis_sentinel_operator.acts import ANNOTATION, Act, read_act

NOW = datetime(2026, 1, 31, 12, 5, tzinfo=UTC)


def body(text: str | None, created: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    annotations = {} if text is None else {ANNOTATION: text}
    return {"metadata": {"creationTimestamp": created, "annotations": annotations}}


def test_no_annotation_is_no_act() -> None:
    assert read_act(body(None), frozenset(), NOW) is None
    assert read_act({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"}}, frozenset(), NOW) is None


def test_a_fresh_act_may_be_done() -> None:
    act = read_act(body("adopt-claim - 2026-01-31T12:00:00Z"), frozenset(), NOW)
    assert act == Act("adopt-claim", "-", "2026-01-31T12:00:00Z")


def test_a_switchover_is_an_act() -> None:
    act = read_act(body("switchover redis_slave01 2026-01-31T12:00:00Z"), frozenset(), NOW)
    assert act == Act("switchover", "redis_slave01", "2026-01-31T12:00:00Z")


def test_an_answered_act_is_not_done_again() -> None:
    assert read_act(body("adopt-claim - 2026-01-31T12:00:00Z"), frozenset({"2026-01-31T12:00:00Z"}), NOW) is None


def test_an_act_that_another_operator_has_answered_is_not_done_again() -> None:
    answered = [{"verb": "drill", "arg": "-", "at": "2026-01-31T12:00:00Z", "result": "Running"}]
    asked = body("drill - 2026-01-31T12:00:00Z")
    assert read_act(asked, frozenset(), NOW) is not None
    assert read_act({**asked, "status": {"acts": answered}}, frozenset(), NOW) is None
    assert read_act({**asked, "status": {"acts": [{**answered[0], "at": "2026-01-31T11:59:00Z"}]}}, frozenset(), NOW)


@pytest.mark.parametrize(
    ("text", "created", "refused"),
    [
        (
            "adopt-claim - 2026-01-31T11:54:00Z",
            "2026-01-01T00:00:00Z",
            "the act is older than 10 minutes: annotate it again with the present time",
        ),
        (
            "adopt-claim - 2026-01-31T12:00:00Z",
            "2026-01-31T12:01:00Z",
            "the act is older than the resource: annotate it again with the present time",
        ),
        (
            "adopt-claim - 2026-01-31T12:20:00Z",
            "2026-01-01T00:00:00Z",
            "the act's time is in the future: annotate it again with the present time",
        ),
        (
            "adopt-claim - noon",
            "2026-01-01T00:00:00Z",
            "'noon' is no RFC 3339 time; write it as 2026-01-31T12:00:00Z",
        ),
        (
            "adopt-claim - 2026-01-31T12:00:00",
            "2026-01-01T00:00:00Z",
            "'2026-01-31T12:00:00' has no time zone; write it as 2026-01-31T12:00:00Z",
        ),
        (
            "vanish - 2026-01-31T12:00:00Z",
            "2026-01-01T00:00:00Z",
            "'vanish' is no act; known acts: adopt-claim, forget-host, switchover, drill, restart, upgrade, "
            "recover, reset-stale",
        ),
        (
            "adopt-claim",
            "2026-01-01T00:00:00Z",
            "redis-sentinel-operator.io/act is 'adopt-claim'; write it as '<verb> <arg or -> <time>', "
            "for example: adopt-claim - 2026-01-31T12:00:00Z",
        ),
    ],
)
def test_why_an_act_is_refused(text: str, created: str, refused: str) -> None:
    act = read_act(body(text, created), frozenset(), NOW)
    assert act is not None
    assert act.refused == refused
