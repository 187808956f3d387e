"""What needs a restart: written, told, and replicas one by one behind the gate."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Unknown
from redis_sentinel_operator.model.step import (
    Impact,
    KeyRecord,
    Need,
    StartUnit,
)
from unit.plan.directing import on, planned, remembered, whole, with_keys, with_redis
from unit.plan.living import alive, edited, with_config
from unit.plan.world import (
    ADDRESS,
    S1,
    S2,
    S3,
    Change,
    M,
    cluster,
    sees,
)

# -- restarts


def pending(**changed: Change) -> ClusterFacts:
    """All files have 32 databases, the running servers 16; a failover could be authorised."""

    def one(name: str) -> HostFacts:
        host = with_config(edited(alive(name), databases="32"), databases="16")
        return host if name == M else replace(host, sentinel=sees(M, quorum_ok=True))

    facts = cluster(one)
    keys = {**remembered(facts.hosts[S1]), "databases": KeyRecord("32", "16")}
    hosts = {name: with_keys(host, keys) for name, host in facts.hosts.items()}
    short = {"M": M, "S1": S1, "S2": S2, "S3": S3}
    for each, change in changed.items():
        hosts[short[each]] = change(hosts[short[each]])
    return ClusterFacts(hosts, 0.0)


def test_what_needs_a_restart_is_written_first() -> None:
    todo = planned({"databases": "32"}, whole(databases="16"))
    assert on(todo, S1)[1:] == ["set databases in /etc/redis.conf"]
    assert all(each.pending_restart for each in todo.drift[S1])


def test_replicas_are_restarted_one_at_a_time_behind_the_full_gate() -> None:
    todo = planned({"databases": "32"}, pending())
    (step,) = todo.steps
    assert (step.host, step.what, step.why) == (
        S1,
        "restart redis (redis.service)",
        "databases is in force only after a restart",
    )
    assert (step.impact, step.needs) == (Impact.RESTART, {Need.CLAIM, Need.CONFIRMED, Need.CALM})
    assert step.action == StartUnit("redis.service", 6379, False, EL7.redis_log, restart=True)
    done = {each: lambda host: with_config(host, databases="32") for each in ("S1", "S2")}
    assert [each.host for each in planned({"databases": "32"}, pending(**done)).steps] == [S3]


def test_the_master_waits_for_a_switch() -> None:
    done: dict[str, Change] = {each: lambda host: with_config(host, databases="32") for each in ("S1", "S2", "S3")}
    todo = planned({"databases": "32"}, pending(**done))
    assert todo.settled
    assert [(each.key, each.pending_restart) for each in todo.drift[M]] == [("databases", True)]


@pytest.mark.parametrize(
    "change",
    [
        lambda host: with_redis(host, link="down"),
        lambda host: with_redis(host, syncing=True),
        lambda host: replace(host, redis=Unknown("it does not answer")),
    ],
    ids=["link down", "synchronising", "unknown"],
)
def test_a_replica_that_is_not_well_is_not_restarted(change: Change) -> None:
    todo = planned({"databases": "32"}, pending(S1=change))
    assert todo.steps == ()
    assert todo.waiting[0].startswith((f"{S1} needs a restart and waits: it is no replica", f"redis on {S1} could not"))


def test_no_second_replica_is_restarted_before_the_first_is_back() -> None:
    def syncing(host: HostFacts) -> HostFacts:
        return with_redis(with_config(host, databases="32"), syncing=True)

    todo = planned({"databases": "32"}, pending(S1=syncing))
    assert (todo.steps, todo.waiting) == (
        (),
        (f"{S2} needs a restart and waits: {S1}: it synchronises with the master",),
    )


def test_nothing_is_restarted_without_a_quorum() -> None:
    todo = planned({"databases": "32"}, pending(S2=lambda host: replace(host, sentinel=sees(M, quorum_ok=False))))
    assert (todo.steps, todo.waiting) == (
        (),
        (f"{S1} needs a restart and waits: the sentinel on {S2} does not confirm that a failover can be authorised",),
    )


def test_nothing_is_restarted_while_there_is_other_work() -> None:
    todo = planned({"databases": "32"}, pending(S3=lambda host: with_config(host, repl_timeout="5")))
    assert [step.what for step in todo.steps] == ["set repl-timeout on the running redis"]


def test_a_replica_whose_file_names_another_master_is_not_restarted() -> None:
    todo = planned({"databases": "32"}, pending(S1=lambda host: edited(host, slaveof="10.9.9.9 6379")))
    assert todo.steps == ()
    assert todo.waiting == (
        f"{S1} needs a restart and waits: its /etc/redis.conf does not name the master (10.9.9.9 6379 instead of "
        f"{ADDRESS[M]} 6379), as redis could not write its role there, and it would come back as a master",
    )


@pytest.mark.parametrize("trouble", ["saved_ok", "aof_written_ok"])
def test_a_replica_that_cannot_save_is_not_restarted(trouble: str) -> None:
    todo = planned({"databases": "32"}, pending(S1=lambda host: with_redis(host, **{trouble: False})))
    assert (todo.steps, todo.waiting) == (
        (),
        (f"{S1} needs a restart and waits: its data cannot be saved to disk, and it would not stop without",),
    )
