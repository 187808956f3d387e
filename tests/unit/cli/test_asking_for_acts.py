"""The acts: all of the operator's, one at a time, and who may be named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from redis_sentinel_operator import acts
from redis_sentinel_operator.api.status import Act, Status
from redis_sentinel_operator.cli.acts import VERBS, answer, argument, tell, unanswered
from redis_sentinel_operator.cli.exits import CliError, NotFound
from redis_sentinel_operator.cli.waiting import going_on
from unit.cli.clusters import NOW, healthy, troubled

AT = "2026-01-31T11:59:48.000Z"


def test_each_act_of_the_operator_has_a_command() -> None:
    assert {verb.name for verb in VERBS} == set(acts.VERBS)


def annotated(text: str) -> dict[str, Any]:
    body = troubled()
    body["metadata"]["annotations"] = {acts.ANNOTATION: text}
    return body


@pytest.mark.parametrize(
    ("text", "waits"),
    [
        ("switchover redis_slave03 2026-01-31T11:59:48Z", True),  # it is Running
        ("drill - 2026-01-31T11:59:48.001Z", True),
        ("drill - 2026-01-31T10:00:00Z", False),  # it was refused
        ("drill - 2026-01-31T11:49:00Z", False),  # the operator takes none that is so old
        ("drill - yesterday", False),
        ("", False),
    ],
)
def test_an_act_that_is_not_answered_is_not_replaced(text: str, waits: bool) -> None:
    assert bool(unanswered(annotated(text), NOW)) is waits
    assert unanswered(annotated(text), NOW + timedelta(minutes=11)) == ""


def test_the_answer_is_the_last_word_on_this_act() -> None:
    status = Status.from_document(troubled()["status"])
    assert answer(status, AT) is None, "it is Running"
    refused = answer(status, "2026-01-31T10:00:00.000Z")
    assert refused is not None
    assert refused.message == "a replica is down"


def test_what_was_done_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    tell(Act(verb="drill", at=AT, result="Done", message="the failover took 6.1 s"))
    assert capsys.readouterr().out == "Done: the failover took 6.1 s\n"


@pytest.mark.parametrize("result", ["Refused", "Failed"])
def test_what_was_not_done_is_an_error(result: Literal["Refused", "Failed"]) -> None:
    with pytest.raises(CliError, match=f"^{result}: a replica is down$") as error:
        tell(Act(verb="drill", at=AT, result=result, message="a replica is down"))
    assert error.value.exit_code == 1


def test_a_host_that_leaves_can_be_forgotten_and_one_that_is_nowhere_cannot() -> None:
    forget = next(verb for verb in VERBS if verb.name == "forget-host")
    assert forget.host is not None
    body = healthy()
    body["status"]["hosts"].append({"name": "old", "address": "192.168.3.50", "state": "Leaving"})
    assert forget.host(body, "old") == "old"
    with pytest.raises(NotFound, match="has no host 'new' in its spec; it has: redis_master01, redis_slave01"):
        forget.host(body, "new")


def test_a_dash_is_taken_where_no_host_need_be_named() -> None:
    switchover, recover, upgrade = (
        next(verb for verb in VERBS if verb.name == name) for name in ("switchover", "recover", "upgrade")
    )
    assert argument(switchover, healthy(), None) == argument(switchover, healthy(), "-") == "-"
    assert argument(switchover, healthy(), "redis_slave01") == "redis_slave01"
    assert argument(upgrade, healthy(), None) == "-"
    with pytest.raises(NotFound, match="has no host '-' in its spec"):
        argument(recover, healthy(), "-")


def test_the_answer_is_not_told_twice() -> None:
    body = troubled()["status"]
    body["operation"] |= {"step": "restore", "result": "Done", "message": "redis_slave03 is the master"}
    assert going_on(Status.from_document(body)) == "switchover restore"


def test_where_it_is_paused_that_all_is_well_is_no_news() -> None:
    assert going_on(Status.from_document({**healthy()["status"], "phase": "Paused"})) == ""


def test_what_goes_on_is_told_in_a_line() -> None:
    assert going_on(Status.from_document(troubled()["status"])) == "switchover fence: to redis_slave03"
    assert going_on(Status.from_document(healthy()["status"])) == ""
    waiting = Status.from_document({**healthy()["status"], "phase": "Degraded", "message": "one replica is down"})
    assert going_on(waiting) == "one replica is down"


def test_what_loses_data_is_asked_for_twice() -> None:
    assert {verb.name for verb in VERBS if verb.sure} == {"recover", "forget-host", "adopt-claim"}
