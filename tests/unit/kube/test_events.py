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
        "master": {"host": master, "address": "192.168.3.41", "port": 6379},
    }


def test_the_first_look_at_an_old_object_only_remembers(events: Events) -> None:
    events.conditions(REF, status("True", "AllAsDeclared"))
    events.conditions(REF, status("True", "AllAsDeclared"))
    assert waiting(events) == []


def test_all_that_a_new_object_becomes_is_news(events: Events) -> None:
    events.conditions(REF, {})
    events.conditions(REF, status("False", "NoMaster"))
    assert waiting(events) == [
        ("Warning", "NoMaster", "Ready is False: a sentence"),
        ("Normal", "MasterConfirmed", "the master is redis_master01 (192.168.3.41:6379)"),
    ]


def test_a_failover_is_news_once(events: Events) -> None:
    events.conditions(REF, status("True", "AllAsDeclared"))
    for _ in range(3):
        events.conditions(REF, status("True", "AllAsDeclared", master="redis_slave01"))
    assert waiting(events) == [("Normal", "MasterConfirmed", "the master is redis_slave01 (192.168.3.41:6379)")]


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
            [("Warning", "NoQuorum"), ("Normal", "Quorum")],
        ),
        ([one("True", "Quorum"), one("Unknown", "Unreachable")], [("Warning", "Unreachable")]),
        ([one("Unknown", "NotReadYet", "Ready"), one("True", "AllAsDeclared", "Ready")], [("Normal", "AllAsDeclared")]),
        ([one("True", "InvalidSpec", "Stalled")], []),
    ],
)
def test_what_gets_bad_or_better_is_news(
    events: Events, history: list[dict[str, Any]], told: list[tuple[str, str]]
) -> None:
    events.conditions(REF, {})
    for status in history:
        events.conditions(REF, status)
    assert [(kind, reason) for kind, reason, _ in waiting(events)] == told


def test_a_set_up_warns_of_nothing_that_it_is_about_to_make(events: Events) -> None:
    def at(phase: str, *conditions: tuple[str, str, str]) -> dict[str, Any]:
        made = [{"type": kind, "status": value, "reason": why, "message": "m"} for kind, value, why in conditions]
        return {"phase": phase, "conditions": made}

    events.conditions(REF, {})
    going_on = ("Ready", "False", "Bootstrapping"), ("HostsClaimed", "False", "NotClaimed")
    events.conditions(REF, at("Bootstrapping", *going_on, ("QuorumHealthy", "False", "QuorumLost")))
    events.conditions(REF, at("Bootstrapping", *going_on, ("PreflightPassed", "False", "StepFailed")))
    events.conditions(REF, at("Healthy", ("Ready", "True", "Healthy"), ("HostsClaimed", "True", "AllClaimed")))
    events.conditions(REF, at("Degraded", ("Ready", "True", "Healthy"), ("HostsClaimed", "False", "NotClaimed")))
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


def test_a_forgotten_object_is_looked_at_for_the_first_time(events: Events) -> None:
    events.conditions(REF, {})
    events.forget(REF)
    events.conditions(REF, status("False", "NoMaster"))
    assert waiting(events) == []
