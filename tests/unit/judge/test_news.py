"""Which changes of a status are Events, and their messages in full."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from redis_sentinel_operator.judge.news import REASONS, News, news, remembered
from redis_sentinel_operator.model.event import Cause

M, S1 = "redis_master01", "redis_slave01"
STARTED = {"from": M, "cause": "Failure", "at": "2026-01-31T12:00:00.000Z"}
ENDED = STARTED | {"to": S1, "result": "Succeeded"}
ABORTED = STARTED | {"result": "Aborted", "message": "no replica could be promoted. Look at their priority"}


def status(**changes: Any) -> dict[str, Any]:
    """A healthy cluster's status, as stored, with changes."""
    return {
        "phase": "Healthy",
        "master": master(M),
        "hosts": [host(M, sentinel=None), host(S1)],
        "conditions": [
            condition("QuorumHealthy", "True", "QuorumReached", "All 3 declared sentinels answer."),
            condition("ReplicationHealthy", "True", "ReplicasLinked", "All 3 replicas follow."),
        ],
        **changes,
    }


def master(name: str, epoch: int = 4, **more: Any) -> dict[str, Any]:
    return {"host": name, "address": f"192.168.3.4{1 if name == M else 2}", "port": 6379, "configEpoch": epoch, **more}


def host(name: str, redis: str = "Running", sentinel: str | None = "Running", message: str = "") -> dict[str, Any]:
    seen = {"name": name, "redis": redis, "sentinel": sentinel, "message": message}
    return {key: value for key, value in seen.items() if value}


def member(name: str, state: str, **more: Any) -> dict[str, Any]:
    return host(name) | {"address": "10.0.0.9", "state": state} | more


LEFT = News(
    "HostLeft",
    False,
    f"{S1} (10.0.0.9) is no part of the cluster any more: it was stopped, or a person said that it is gone. The "
    "sentinels that still count it forget it one after the other. Its packages, configuration and data stay.",
)


def condition(kind: str, value: str, reason: str, message: str) -> dict[str, Any]:
    return {"type": kind, "status": value, "reason": reason, "message": message}


ACT = {"verb": "switchover", "arg": "redis_slave01", "at": "2026-01-31T12:00:00Z"}


def acts(result: str, message: str | None) -> dict[str, Any]:
    return status(acts=[ACT | {"result": result} | ({"message": message} if message else {})])


def quorum(value: str, reason: str, message: str = "m.") -> dict[str, Any]:
    return status(conditions=[condition("QuorumHealthy", value, reason, message)])


def replication(value: str, reason: str, message: str = "m.") -> dict[str, Any]:
    return status(conditions=[condition("ReplicationHealthy", value, reason, message)])


GONE = "host redis_slave01: no route to host."
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], list[News]]] = {
    "nothing": (status(), status(), []),
    "act-begun": (
        status(),
        acts("Running", "redis_slave01 is to become master instead of redis_master01"),
        [
            News(
                "ActBegun",
                False,
                "switchover redis_slave01, asked for at 2026-01-31T12:00:00Z: redis_slave01 is to become master "
                "instead of redis_master01.",
            )
        ],
    ),
    "act-done": (
        acts("Running", "redis_slave01 is to become master instead of redis_master01"),
        acts("Done", "redis_slave01 is the master at config epoch 5, before it was redis_master01"),
        [
            News(
                "ActDone",
                False,
                "switchover redis_slave01, asked for at 2026-01-31T12:00:00Z, is done: redis_slave01 is the master at "
                "config epoch 5, before it was redis_master01.",
            )
        ],
    ),
    "joined": (
        status(hosts=[member(S1, "Joining")]),
        status(hosts=[member(S1, "Member")]),
        [
            News(
                "HostJoined",
                False,
                f"{S1} (10.0.0.9) is part of the cluster now: its redis follows the master, and the sentinels know "
                "each other.",
            )
        ],
    ),
    "left": (status(hosts=[member(S1, "Leaving")]), status(hosts=[member(S1, "Leaving", leftAt="t")]), [LEFT]),
    "left-at-once": (status(hosts=[member(S1, "Leaving")]), status(hosts=[]), [LEFT]),
    "forgotten-by-all": (status(hosts=[member(S1, "Leaving", leftAt="t")]), status(hosts=[]), []),
    "put-back": (status(hosts=[member(S1, "Leaving")]), status(hosts=[member(S1, "Member")]), []),
    "members-of-a-set-up": (status(hosts=[]), status(hosts=[member(S1, "Member")]), []),
    "begins-to-join": (status(hosts=[]), status(hosts=[member(S1, "Joining")]), []),
    "another-name": (status(hosts=[member(S1, "Member")]), status(hosts=[member("other", "Member")]), []),
    "act-refused": (
        status(),
        acts("Refused", "redis_slave01 is the master already."),
        [
            News(
                "ActRefused",
                True,
                "switchover redis_slave01, asked for at 2026-01-31T12:00:00Z, was refused and nothing was done: "
                "redis_slave01 is the master already.",
            )
        ],
    ),
    "act-failed": (
        acts("Running", "m"),
        acts("Failed", "redis_slave01: it is full"),
        [
            News(
                "ActFailed",
                True,
                "switchover redis_slave01, asked for at 2026-01-31T12:00:00Z, has failed; settings are as before: "
                "redis_slave01: it is full.",
            )
        ],
    ),
    "act-told-already": (acts("Done", "m"), acts("Done", "m"), []),
    "first-master": (
        status(master=None),
        status(),
        [News("MasterConfirmed", False, "redis_master01 (192.168.3.41:6379) is the master.")],
    ),
    "failover-started": (
        status(),
        status(failovers=[STARTED]),
        [
            News(
                "FailoverStarted",
                True,
                "The sentinels replace the master redis_master01: they agreed that it is down. The operator publishes "
                "the new master when a majority names it, and changes nothing on the hosts until then.",
            )
        ],
    ),
    "failover-requested": (
        status(),
        status(failovers=[STARTED | {"cause": "Requested"}]),
        [
            News(
                "FailoverStarted",
                True,
                "The sentinels replace the master redis_master01: a person asked one of them to (SENTINEL FAILOVER). "
                "The operator publishes the new master when a majority names it, and changes nothing on the hosts "
                "until then.",
            )
        ],
    ),
    "failover-goes-on": (status(failovers=[STARTED]), status(failovers=[STARTED | {"elected": "x"}]), []),
    "failover-aborted": (
        status(failovers=[STARTED]),
        status(failovers=[ABORTED]),
        [
            News(
                "FailoverAborted",
                True,
                "A failover that was to replace redis_master01 came to nothing: no replica could be promoted. Look at "
                "their priority.",
            )
        ],
    ),
    "failover-aborted-again": (
        status(failovers=[ABORTED]),
        status(failovers=[ABORTED | {"message": "no replica could be promoted; tried again"}]),
        [],
    ),
    "master-changed": (
        status(failovers=[STARTED]),
        status(master=master(S1, 5), failovers=[ENDED]),
        [
            News(
                "MasterChanged",
                False,
                "redis_slave01 (192.168.3.42:6379) is the master now, at config epoch 5; before it was redis_master01. "
                "It was down. The operator brings redis_master01 back as a replica when it may. Clients that ask the "
                "sentinels follow by themselves.",
            )
        ],
    ),
    "master-changed-unheard": (
        status(),
        status(master=master(S1, 5)),
        [
            News(
                "MasterChanged",
                False,
                "redis_slave01 (192.168.3.42:6379) is the master now, at config epoch 5; before it was redis_master01. "
                "How it came is not known. The operator brings redis_master01 back as a replica when it may. Clients "
                "that ask the sentinels follow by themselves.",
            )
        ],
    ),
    "master-restarted": (
        status(),
        status(master=master(M, restartedAt="2026-01-31T12:00:00Z")),
        [
            News(
                "MasterRestarted",
                True,
                "The redis of the master redis_master01 (192.168.3.41:6379) was restarted, and the sentinels kept it "
                "as master. Writes that it had not saved are lost, on the replicas as well. The operator changes "
                "nothing. Look why it restarted, and whether your data is whole.",
            )
        ],
    ),
    "epoch-reset": (
        status(),
        status(master=master(M, 0)),
        [
            News(
                "EpochReset",
                True,
                "The sentinels' config epoch fell from 4 to 0, redis_master01 is master: somebody removed the master "
                "from all sentinels and added it again (SENTINEL REMOVE, SENTINEL MONITOR). All declared sentinels "
                "agree, so the operator goes on with it. If it was nobody of yours, look at the sentinels' logs.",
            )
        ],
    ),
    "quorum-lost": (
        status(),
        quorum("False", "QuorumLost", "No failover can be authorised."),
        [News("QuorumLost", True, "No failover can be authorised.")],
    ),
    "quorum-restored": (
        quorum("False", "QuorumLost"),
        status(),
        [News("QuorumRestored", False, "A failover can be authorised again. All 3 declared sentinels answer.")],
    ),
    "replication-broken": (
        status(),
        replication("False", "ReplicationBroken", "None of 3 replicas follows redis_master01."),
        [News("ReplicationBroken", True, "None of 3 replicas follows redis_master01.")],
    ),
    "replication-restored": (
        replication("False", "ReplicaMissing"),
        status(),
        [News("ReplicationRestored", False, "All 3 replicas follow.")],
    ),
    "set-up": (status(phase="Bootstrapping"), quorum("False", "QuorumLost"), []),
    "host-unreachable": (
        status(),
        status(hosts=[host(M, sentinel=None), host(S1, "Unknown", "Unknown", GONE)]),
        [
            News(
                "HostUnreachable",
                True,
                "host redis_slave01: no route to host. The operator tries again by itself and works on with the other "
                "hosts. Check that the machine is up and that its sshd can be reached from the operator's node, with "
                "the declared key.",
            )
        ],
    ),
    "two-hosts-unreachable": (
        status(),
        status(hosts=[host(M, "Unknown", None, "timed out"), host(S1, "Unknown", "Unknown", GONE)]),
        [
            News(
                "HostUnreachable",
                True,
                "redis_master01: timed out; host redis_slave01: no route to host. The operator tries again by itself "
                "and works on with the other hosts. Check that the machine is up and that its sshd can be reached from "
                "the operator's node, with the declared key.",
            )
        ],
    ),
    "host-stays-away": (
        status(hosts=[host(S1, "Unknown", "Unknown", GONE)]),
        status(hosts=[host(S1, "Unknown", "Unknown", "another message")]),
        [],
    ),
    "a-server-that-hangs-is-no-host-that-is-away": (status(), status(hosts=[host(S1, "Running", "Unknown")]), []),
    "the-only-server-of-a-host-that-hangs": (
        status(),
        status(
            hosts=[host(M, "Unknown", None)],
            conditions=[condition("HostsReachable", "True", "AllReachable", "All 2 hosts answer.")],
        ),
        [],
    ),
    "host-back": (
        status(hosts=[host(M, "Unknown", None), host(S1, "Unknown", "Unknown", GONE)]),
        status(),
        [
            News(
                "HostBack",
                False,
                "Read again: redis_master01, redis_slave01. The operator looks what changed there and mends what it "
                "may.",
            )
        ],
    ),
    "host-declared": (status(hosts=[]), status(hosts=[host(S1, "Unknown", "Unknown", GONE)]), []),
    "host-removed": (status(hosts=[host(S1, "Unknown", "Unknown", GONE)]), status(hosts=[]), []),
}


@pytest.mark.parametrize("name", CASES)
def test_news(name: str) -> None:
    before, after, told = CASES[name]
    assert list(news(before, after)) == told


def test_a_failover_that_was_over_before_the_next_look_is_the_change_alone() -> None:
    found = news(status(), status(master=master(S1, 5), failovers=[ENDED]))
    assert [each.reason for each in found] == ["MasterChanged"]


def test_two_switches_between_two_looks_are_one_change_and_an_abort_is_told() -> None:
    later = {"from": S1, "cause": "Requested", "at": "2026-01-31T12:01:00.000Z", "to": "redis_slave02"}
    entries = [ENDED, later | {"result": "Succeeded"}, ABORTED | {"at": "2026-01-31T12:02:00.000Z"}]
    found = news(status(), status(master=master("redis_slave02", 6), failovers=entries))
    assert [each.reason for each in found] == ["FailoverAborted", "MasterChanged"]
    assert "A person asked a sentinel for it (SENTINEL FAILOVER)." in found[1].message


def test_an_older_failover_to_the_same_host_is_not_why_it_is_master_now() -> None:
    later = {"from": S1, "cause": "Failure", "at": "2026-01-31T12:01:00.000Z", "to": M, "result": "Succeeded"}
    (found,) = news(status(failovers=[ENDED, later]), status(master=master(S1, 6), failovers=[ENDED, later]))
    assert "How it came is not known." in found.message


@pytest.mark.parametrize("cause", get_args(Cause))
def test_each_cause_of_a_failover_has_words_of_its_own(cause: Cause) -> None:
    (begun,) = news(status(), status(failovers=[STARTED | {"cause": cause}]))
    (over,) = news(status(), status(master=master(S1, 5), failovers=[ENDED | {"cause": cause}]))
    assert ("not known" in begun.message) is ("not known" in over.message) is (cause == "Unknown")


def test_a_cause_of_a_later_operator_is_one_that_is_not_known() -> None:
    (begun,) = news(status(), status(failovers=[STARTED | {"cause": "Whim"}]))
    assert "redis_master01: why is not known." in begun.message


def test_what_is_not_known_for_a_while_is_compared_with_what_it_was() -> None:
    lost = quorum("False", "QuorumLost")
    unknown = remembered(lost, quorum("Unknown", "SentinelsUnreadable"))
    assert news(lost, quorum("Unknown", "SentinelsUnreadable")) == ()
    assert [each.reason for each in news(unknown, quorum("True", "QuorumReached"))] == ["QuorumRestored"]


def test_every_event_of_the_table_is_asserted_here() -> None:
    assert {each.reason for _, _, news_of in CASES.values() for each in news_of} == set(REASONS)


def test_every_message_fits_an_event() -> None:
    assert all(len(each.message) <= 1024 for _, _, told in CASES.values() for each in told)
