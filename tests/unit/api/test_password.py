"""A password that sentinel cannot keep is refused before anything is touched, and never shown."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.api.desired import check_password
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.secret import Secret


@pytest.mark.parametrize(
    "value",
    ["hello123", "#starts-like-a-comment", "!#$%&()*+,./:;<=>?@[]^_{|}~-", "x" * 512],
)
def test_usable(value: str) -> None:
    check_password(Secret(value))


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("x" * 513, "is longer than 512 bytes"),
        ("hunter2\n", "has a line end (a Secret made with `echo` instead of `printf`?) in it"),
        ("hunter 2", "has white space in it"),
        ("hunter\t2", "has white space in it"),
        ('hunter"2', "has a quote in it"),
        ("hunter'2", "has a quote in it"),
        ("hunter\\2", "has a backslash in it"),
        ("hunter`2", "has a backtick in it"),
        ("huntér2", "has a character outside ASCII in it"),
        ("hunter\x002", "has a control character in it"),
        ("hunter\x7f2", "has a control character in it"),
    ],
)
def test_not_usable(value: str, why: str) -> None:
    with pytest.raises(SpecRefused) as refused:
        check_password(Secret(value))
    assert refused.value.reason == "PasswordNotUsable"
    assert str(refused.value) == (
        f"The password of spec.auth.passwordSecretRef cannot be used: it {why}. Sentinel keeps it unquoted in its "
        "file. Choose one of letters, digits and !#$%&()*+,./:;<=>?@[]^_{|}~-."
    )
