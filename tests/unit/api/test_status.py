"""The status as it is stored and read back."""

from __future__ import annotations

from redis_sentinel_operator.api.status import (
    Act,
    Bootstrap,
    Condition,
    FailoverEntry,
    HostStatus,
    MasterStatus,
    PlanItem,
    Status,
)

MASTER = MasterStatus(
    host="a", address="10.0.0.1", port=6379, config_epoch=7, since="2026-01-02T03:04:05.678Z", withdrawn_since=""
)


def test_what_is_unset_is_left_out() -> None:
    status = Status(
        phase="Healthy", master=MASTER, hosts=(HostStatus(name="a", address="10.0.0.1", sentinel_id="f" * 40),)
    )
    assert status.to_document() == {
        "phase": "Healthy",
        "master": {
            "host": "a",
            "address": "10.0.0.1",
            "port": 6379,
            "configEpoch": 7,
            "since": "2026-01-02T03:04:05.678Z",
        },
        "hosts": [{"name": "a", "address": "10.0.0.1", "sentinelID": "f" * 40}],
    }
    assert Status().to_document() == {}


def test_what_is_stored_is_read_back() -> None:
    status = Status(
        observed_generation=4,
        master=MASTER,
        bootstrap=Bootstrap(id="b", master="a", started_at="2026-01-02T03:04:05Z", completed_at=""),
        conditions=(Condition(type="Ready", status="True", reason="AllAsDeclared", message="All is as declared."),),
        failovers=(FailoverEntry(from_host="a", to_host="b", cause="Failure", at="2026-01-02T03:04:05Z"),),
        acts=(Act(verb="adopt-claim", at="2026-01-02T03:04:05Z", result="Done"),),
        plan=(PlanItem(host="a", what="w", why="y", impact="Restart"),),
    )
    document = status.to_document()
    assert document["failovers"] == [{"from": "a", "to": "b", "cause": "Failure", "at": "2026-01-02T03:04:05Z"}]
    assert Status.from_document(document) == status


def test_words_of_a_later_version_do_not_hide_the_rest() -> None:
    document = {
        "later": {"x": 1},
        "phase": "Dancing",
        "master": MASTER.model_dump(by_alias=True) | {"later": 1},
        "hosts": [{"name": "a", "address": "10.0.0.1", "role": "Observer"}, {"name": "b", "address": "10.0.0.2"}],
        "conditions": "broken",
        "bootstrap": {"id": "b"},
    }
    assert Status.from_document(document) == Status(master=MASTER, hosts=(HostStatus(name="b", address="10.0.0.2"),))
    assert document["phase"] == "Dancing", "the document that was given stays as it is"


def test_long_texts_are_cut_and_long_lists_keep_their_newest() -> None:
    entries = tuple(FailoverEntry(from_host=str(n), cause="Failure") for n in range(12))
    status = Status(failovers=entries, message="x" * 5000)
    assert [entry.from_host for entry in status.failovers] == [str(n) for n in range(2, 12)]
    assert status.message == "x" * 4095 + "…"
