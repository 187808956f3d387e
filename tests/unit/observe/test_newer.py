"""The answer about newer packages: read whole or not at all."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.observe.newer import parse


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("newer redis 3.2.12-2.el7\nasked\n", "redis 3.2.12-2.el7"),
        ("newer valkey 1:8.0.6-1.el10_0\nasked\n", "valkey 1:8.0.6-1.el10_0"),
        ("asked\n", ""),
        ("newer redis 3.2.12-2.el7\n", ""),  # cut off
        ("newer redis\nasked\n", ""),
        ("", ""),
        ("a banner\nnewer redis 5.0.4-1.el8\nasked", "redis 5.0.4-1.el8"),
    ],
)
def test_an_answer_means(answer: str, found: str) -> None:
    assert parse(answer) == found
