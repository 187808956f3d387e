"""What a stored status has of another operator is not lost by what this one writes: answers to acts, a bootstrap."""

from __future__ import annotations

from typing import Any

import pytest

from redis_sentinel_operator.board_acts import keep


def act(number: int, result: str = "Done", **more: str) -> dict[str, str]:
    return {"verb": "drill", "at": f"2026-01-31T12:00:{number:02}Z", "result": result, **more}


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [
        ([], [], []),
        ([act(1)], [], [act(1)]),
        ([], [act(1)], [act(1)]),
        ([act(2)], [act(1)], [act(1), act(2)]),
        ([act(1)], [act(1, "Running")], [act(1)]),
        ([act(1, "Running")], [act(1)], [act(1)]),
        ([act(1, "Refused")], [act(1)], [act(1, "Refused")]),
        ([act(1, arg="a")], [act(1, arg="b")], [act(1, arg="b"), act(1, arg="a")]),
        ([act(1), act(3)], [act(1), act(2)], [act(1), act(2), act(3)]),
        ([act(n) for n in range(1, 11)], [act(n) for n in range(10)], [act(n) for n in range(1, 11)]),
        ([act(n) for n in range(10)], [act(n) for n in range(1, 11)], [act(n) for n in range(1, 11)]),
        ([act(2), act(1)], [act(2), act(1)], [act(2), act(1)]),
    ],
    ids=[
        *("none", "ours", "theirs", "both", "ours ended", "theirs ended", "both ended", "two of a time", "between"),
        *("ten, the last is ours", "ten, the last is theirs", "ours as they were answered"),
    ],
)
def test_answers_of_another_are_kept(ours: list[Any], theirs: list[Any], kept: list[Any]) -> None:
    document = {"phase": "Healthy", "acts": ours} if ours else {"phase": "Healthy"}
    whole = keep(document, {"phase": "Degraded", "acts": theirs})
    assert whole == ({"phase": "Healthy", "acts": kept} if kept else {"phase": "Healthy"})
    assert document.get("acts", []) == ours, "what the board has put is not touched"


OURS, THEIRS = {"id": "a", "master": "m1"}, {"id": "b", "master": "m2"}


@pytest.mark.parametrize(
    ("document", "stored", "kept"),
    [
        ({}, {}, {}),
        ({"bootstrap": OURS}, {}, {"bootstrap": OURS}),
        ({}, {"bootstrap": THEIRS}, {"bootstrap": THEIRS}),
        ({"bootstrap": OURS}, {"bootstrap": THEIRS}, {"bootstrap": THEIRS}),
        (
            {"bootstrap": {**OURS, "completedAt": "now"}},
            {"bootstrap": OURS},
            {"bootstrap": {**OURS, "completedAt": "now"}},
        ),
    ],
    ids=["none", "ours", "theirs", "theirs was before", "ours goes on"],
)
def test_the_bootstrap_that_was_stored_first_is_the_one(
    document: dict[str, Any], stored: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert keep(document, stored) == kept
