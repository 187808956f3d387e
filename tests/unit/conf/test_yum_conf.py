"""The excluded packages of yum.conf and dnf.conf: read, added, taken out, all else as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator.conf.yum_conf import exclude, excluded, include

EL7 = "[main]\nkeepcache=0\nobsoletes=1\n\n# comment\n"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (EL7, False),
        ("[main]\nexclude=redis\n", True),
        ("[main]\nexclude = kernel*, redis\n", True),
        ("[main]\nexcludepkgs=redis*\n", True),
        ("[main]\nexclude=kernel*\n  redis\n", True),
        ("[main]\nexclude=redis\nexclude=kernel\n", False),  # the last one counts
        ("[epel]\nexclude=redis\n", False),
        ("[main]\n# exclude=redis\n", False),
        ("[main]\nproxy=http://x\n redis\n", False),
        ("", False),
    ],
)
def test_whether_a_package_is_excluded(text: str, answer: bool) -> None:
    assert excluded(text, "redis") is answer


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (EL7, "[main]\nexclude=redis\nkeepcache=0\nobsoletes=1\n\n# comment\n"),
        ("[main]\nexclude=kernel*\n", "[main]\nexclude=kernel* redis\n"),
        ("[main]\nexclude=kernel*\n  php\nkeepcache=0\n", "[main]\nexclude=kernel*\n  php redis\nkeepcache=0\n"),
        ("[main]\nexclude=redis*\n", "[main]\nexclude=redis*\n"),
        ("[epel]\nx=1\n", "[main]\nexclude=redis\n[epel]\nx=1\n"),
        ("", "[main]\nexclude=redis\n"),
    ],
)
def test_a_package_is_excluded(text: str, after: str) -> None:
    assert exclude(text, "redis") == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("[main]\nexclude=redis\nkeepcache=0\n", "[main]\nkeepcache=0\n"),
        ("[main]\nexclude=kernel*, redis php\n", "[main]\nexclude=kernel* php\n"),
        ("[main]\nexclude=kernel*\n  redis\n", "[main]\nexclude=kernel*\n"),
        ("[main]\nexclude=redis*\n", "[main]\nexclude=redis*\n"),  # not ours to take
        (EL7, EL7),
    ],
)
def test_a_package_is_let_in_again(text: str, after: str) -> None:
    assert include(text, "redis") == after


LINES = st.lists(
    st.sampled_from(["[main]", "[epel]", "exclude=a b", "excludepkgs = c", "  d", "x=1", "# exclude=e", "", "exclude="])
).map(lambda lines: "\n".join(["[updates]", *lines]))


@given(LINES)
def test_what_is_excluded_can_be_let_in_again(text: str) -> None:
    once = exclude(text, "redis")
    assert excluded(once, "redis")
    assert exclude(once, "redis") == once
    assert not excluded(include(once, "redis"), "redis")
    assert set(text.split()) - {"exclude="} <= set(once.split())
