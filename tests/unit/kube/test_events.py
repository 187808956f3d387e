"""What is news and what is not. Nothing is posted here: `run` is not started."""

from __future__ import annotations

from typing import Any

import pytest

from redis_sentinel_operator.kube.client import KubeClient
from redis_sentinel_operator.kube.events import Aspect, Events
from redis_sentinel_operator.model.desired import ClusterRef

REF = ClusterRef("redis", "redis-cluster", "uid-one")


@pytest.fixture
def events() -> Events:
    return Events(KubeClient.__new__(KubeClient), "this-process")  # a client that nobody uses


def waiting(events: Events) -> list[tuple[str, str, str]]:
    found = []
    while not events._queue.empty():
        _, document = events._queue.get_nowait()
        found.append((document["type"], document["reason"], document["message"]))
    return found


def status(ready: str, reason: str, master: str = "redis_master01") -> dict[str, Any]:
    return {
        "conditions": [
            {"type": "Ready", "status": ready, "reason": reason, "message": "a sentence"},
            {"type": "Reconciling", "status": "True", "reason": "Working", "message": "comes and goes"},
        ],
        "master": {"host": master, "address": "192.168.3.41", "port": 6379, "configEpoch": 0},
    }


def test_the_first_look_at_an_old_object_only_remembers(events: Events) -> None:
    events.status(REF, status("True", "AllAsDeclared"))
    events.status(REF, status("True", "AllAsDeclared"))
    assert waiting(events) == []


def test_all_that_a_new_object_becomes_is_news(events: Events) -> None:
    events.status(REF, {})
    events.status(REF, status("False", "NoMaster"))
    assert waiting(events) == [
        ("Normal", "MasterConfirmed", "redis_master01 (192.168.3.41:6379) is the master."),
        ("Warning", "NoMaster", "Ready is False: a sentence"),
    ]


def test_a_failover_is_news_once(events: Events) -> None:
    events.status(REF, status("True", "AllAsDeclared"))
    for _ in range(3):
        events.status(REF, status("True", "AllAsDeclared", master="redis_slave01"))
    ((kind, reason, message),) = waiting(events)
    assert (kind, reason) == ("Normal", "MasterChanged")
    assert message.startswith("redis_slave01 (192.168.3.41:6379) is the master now, at config epoch 0; before it was ")


def one(status: str, reason: str, kind: str = "QuorumHealthy") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": "m"}]}


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([one("Unknown", "NotReadYet"), one("True", "Quorum")], []),
        ([one("True", "Quorum"), one("True", "QuorumOfThree")], [("Normal", "QuorumOfThree")]),
        ([one("Unknown", "NotReadYet"), one("False", "NoQuorum")], [("Warning", "NoQuorum")]),
        (
            [one("False", "NoQuorum"), one("False", "NoQuorum"), one("True", "Quorum")],
            [("Warning", "NoQuorum"), ("Normal", "QuorumRestored")],
        ),
        (
            [one("True", "Quorum"), one("False", "QuorumLost"), one("Unknown", "Unreadable"), one("True", "Quorum")],
            [("Warning", "QuorumLost"), ("Warning", "Unreadable"), ("Normal", "QuorumRestored")],
        ),
        ([one("True", "Quorum"), one("Unknown", "Unreachable")], [("Warning", "Unreachable")]),
        ([one("Unknown", "NotReadYet", "Ready"), one("True", "AllAsDeclared", "Ready")], [("Normal", "AllAsDeclared")]),
        ([one("True", "InvalidSpec", "Stalled")], []),
    ],
)
def test_what_gets_bad_or_better_is_news(
    events: Events, history: list[dict[str, Any]], told: list[tuple[str, str]]
) -> None:
    events.status(REF, {})
    for status in history:
        events.status(REF, status)
    assert [(kind, reason) for kind, reason, _ in waiting(events)] == told


def test_a_set_up_warns_of_nothing_that_it_is_about_to_make(events: Events) -> None:
    def at(phase: str, *conditions: tuple[str, str, str]) -> dict[str, Any]:
        made = [{"type": kind, "status": value, "reason": why, "message": "m"} for kind, value, why in conditions]
        return {"phase": phase, "conditions": made}

    events.status(REF, {})
    going_on = ("Ready", "False", "Bootstrapping"), ("HostsClaimed", "False", "NotClaimed")
    events.status(REF, at("Bootstrapping", *going_on, ("QuorumHealthy", "False", "QuorumLost")))
    events.status(REF, at("Bootstrapping", *going_on, ("PreflightPassed", "False", "StepFailed")))
    events.status(REF, at("Healthy", ("Ready", "True", "Healthy"), ("HostsClaimed", "True", "AllClaimed")))
    events.status(REF, at("Degraded", ("Ready", "True", "Healthy"), ("HostsClaimed", "False", "NotClaimed")))
    assert [(kind, reason) for kind, reason, _ in waiting(events)] == [
        ("Normal", "Bootstrapping"),
        ("Warning", "StepFailed"),
        ("Normal", "Healthy"),
        ("Warning", "NotClaimed"),
    ]


def test_too_many_are_left_out_and_other_objects_do_not_suffer(
    events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        events.transition(REF, Aspect("Ready", f"Reason{number}", "flapping", "bad"))
    assert len(waiting(events)) == 20
    assert "the Event Reason20 is left out, there are too many" in caplog.text
    assert events.transition(ClusterRef("redis", "another", "uid-two"), Aspect("Ready", "NoMaster", "calm", "bad"))
    assert len(waiting(events)) == 1


def test_conditions_that_change_all_the_time_do_not_hide_a_change_of_master(events: Events) -> None:
    events.status(REF, status("True", "AllAsDeclared"))
    for number in range(50):
        events.transition(REF, Aspect("Ready", f"Reason{number}", "flapping", "bad"))
    waiting(events)
    events.status(REF, status("True", "AllAsDeclared", master="redis_slave01"))
    assert [reason for _, reason, _ in waiting(events)] == ["MasterChanged"]


def test_a_host_that_flaps_makes_few_and_the_rest_is_told(events: Events) -> None:
    def hosts(state: str, master: str = "redis_master01") -> dict[str, Any]:
        seen = {"name": "redis_slave01", "redis": state, "sentinel": state, "message": "no route to host"}
        return status("True", "AllAsDeclared", master) | {"hosts": [seen]}

    events.status(REF, hosts("Running"))
    for _ in range(50):
        events.status(REF, hosts("Unknown"))
        events.status(REF, hosts("Running"))
    events.status(REF, hosts("Running", master="redis_slave01"))
    told = [reason for _, reason, _ in waiting(events)]
    assert told == ["HostUnreachable", "HostBack"] * 5 + ["MasterChanged"]


def test_a_reason_may_be_told_again_after_a_while(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr("redis_sentinel_operator.kube.events.time.monotonic", lambda: clock[0])

    def flap() -> list[str]:
        for state in ("False", "True"):
            events.status(REF, one(state, "QuorumLost" if state == "False" else "QuorumReached"))
        return [reason for _, reason, _ in waiting(events)]

    events.status(REF, {})
    events.status(REF, one("True", "QuorumReached"))
    assert [flap() for _ in range(6)] == [["QuorumLost", "QuorumRestored"]] * 5 + [[]]
    clock[0] += 300
    assert flap() == ["QuorumLost", "QuorumRestored"]
    assert flap() == []


def test_a_forgotten_object_is_looked_at_for_the_first_time(events: Events) -> None:
    events.status(REF, {})
    events.forget(REF)
    events.status(REF, status("False", "NoMaster"))
    assert waiting(events) == []
