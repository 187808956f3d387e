"""What is told of a host's answer: one line, the telling part, no secrets."""

from __future__ import annotations

from redis_sentinel_operator.apply.outcome import done, failed, scrub
from redis_sentinel_operator.apply.units import _last
from redis_sentinel_operator.model.secret import Secret


def test_what_a_host_said_is_one_line_without_the_secret() -> None:
    assert scrub("a\n  b hunter2\tc hunter2", Secret("hunter2"), None) == "a b *** c ***"


def test_an_empty_secret_replaces_nothing() -> None:
    assert scrub("abc", Secret("")) == "abc"


def test_outcomes_say_whether_and_why() -> None:
    assert (done("x").ok, done("x").reason) == (True, "")
    assert (failed("x").ok, failed("x").reason, failed("x", "PortTaken").reason) == (False, "StepFailed", "PortTaken")


def test_the_lines_that_complain_are_told() -> None:
    log = (
        "1:M 22 Nov 18:00:00.000 * Running mode=standalone\n"
        "1:M 22 Nov 18:00:00.001 # Creating Server TCP listening socket 0.0.0.0:6379: bind: Address already in use\n"
        ">>> 'requirepass hunter2 x'\n"
        "1:M 22 Nov 18:00:00.002 * more\n"
    )
    assert _last(log) == (
        "1:M 22 Nov 18:00:00.001 # Creating Server TCP listening socket 0.0.0.0:6379: bind: Address already in use"
    )


def test_where_nothing_complains_the_last_lines_are_told() -> None:
    assert _last("one\ntwo\nthree\nfour\n") == "two | three | four"
    assert _last("") == ""
