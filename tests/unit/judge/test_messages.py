"""The table of reasons: whole, used, and every message a sentence."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

import redis_sentinel_operator
from redis_sentinel_operator.judge.messages import CREDENTIALS, REACHABLE, ROWS, Row, row, say, stalls

SOURCE = Path(redis_sentinel_operator.__file__).parent


@pytest.mark.parametrize("each", ROWS, ids=lambda each: f"{each.condition}-{each.reason}")
def test_every_message_is_sentences_with_named_values(each: Row) -> None:
    fields = [name for _, name, _, _ in string.Formatter().parse(each.message) if name is not None]
    assert all(re.fullmatch(r"[a-z_]+", name) for name in fields), fields
    text = each.message.format(**dict.fromkeys(fields, "x."))
    assert text.rstrip().endswith("."), text
    assert "  " not in text
    assert re.fullmatch(r"[A-Z][A-Za-z]+", each.reason)


def test_a_reason_has_one_home_but_for_not_read_yet() -> None:
    reasons = [each.reason for each in ROWS if each.reason != "NotReadYet"]
    assert len(reasons) == len(set(reasons))


def test_what_needs_a_person_says_what_to_do() -> None:
    mends = (
        "Add ",
        "Put ",
        "Set ",
        "Check ",
        "Give ",
        "Create ",
        "Remove ",
        "Choose ",
        "Correct ",
        "Stop ",
        "replace ",
        "remove ",
    )
    for each in ROWS:
        if each.stalled and "{detail}" not in each.message:
            assert any(word in each.message for word in mends), each.reason


def test_the_reasons_of_connecting_are_in_the_table() -> None:
    from redis_sentinel_operator import errors

    classes = [
        each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.ConnectError)
    ]
    assert len(classes) >= 9
    for each in classes:
        found = row(each.reason)
        assert found is not None, each
        assert found.condition == REACHABLE


def test_a_reason_that_several_types_have_is_told_by_its_type() -> None:
    assert say("NotReadYet", CREDENTIALS) == "The credentials were not used yet."


def test_an_unknown_reason_or_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        say("NoSuchReason")
    with pytest.raises(KeyError):
        say("UnknownMaster", address="x")


def test_what_stalls() -> None:
    assert stalls("SecretMissing")
    assert not stalls("HostUnreachable")


def test_every_reason_that_the_judge_says_exists() -> None:
    said = set[str]()
    for path in (SOURCE / "judge").glob("*.py"):
        said |= set(re.findall(r'say\(\s*"([A-Za-z]+)"', path.read_text()))
    assert len(said) > 25
    assert said <= {each.reason for each in ROWS}
