"""Servers of several versions side by side: the newer are promoted last, and put back when all are alike again."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.model.fact import HostFacts, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Plan
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, alive
from unit.plan.test_bootstrap import SETTING_UP
from unit.plan.world import (
    CONTEXT,
    DONE,
    S1,
    S2,
    S3,
    Change,
    M,
    bare,
    claimed,
    cluster,
    desired,
    installed,
)


def newer(host: HostFacts, version: str = "6.2.14", **config: str) -> HostFacts:
    """The host with another redis than the others."""
    assert isinstance(host.redis, Known) and isinstance(host.redis.value, RedisFacts)
    live = {**host.redis.value.config, **config}
    return replace(host, redis=Known(replace(host.redis.value, version=version, config=live)))


def planned(**changes: Change) -> Plan:
    return plan(desired(), cluster(alive, **changes), ALIVE, DONE)


def priorities(todo: Plan) -> dict[str, set[str | Secret]]:
    """What is written as slave-priority, by host; in file and server alike."""
    found: dict[str, set[str | Secret]] = {}
    for step in todo.steps:
        action = step.action
        values = (
            action.directives
            if isinstance(action, EditConf)
            else action.values
            if isinstance(action, ConfigSet)
            else {}
        )
        if "slave-priority" in values:
            found.setdefault(step.host, set()).add(values["slave-priority"])
    return found


def test_servers_of_one_version_keep_what_priority_they_have() -> None:
    assert priorities(planned()) == {}
    patched = {short: (lambda host: newer(host, "3.2.12")) for short in ("S1", "S2")}
    assert priorities(planned(**patched)) == {}  # a patch release writes the same dumps


def test_newer_servers_are_promoted_last() -> None:
    todo = planned(S1=newer, S2=lambda host: newer(host, "7.2.4"))
    assert priorities(todo) == {S1: {"1100"}, S2: {"2100"}}


def test_servers_that_are_alike_again_are_put_back() -> None:
    raised = {"slave-priority": "1100"}
    todo = planned(S1=lambda host: newer(host, "3.2.6", **raised))
    assert priorities(todo) == {S1: {"100"}}


def test_nothing_is_put_back_while_a_server_cannot_be_seen() -> None:
    away = lambda host: replace(host, redis=Unknown("it does not answer"))  # noqa: E731
    gone = lambda host: replace(away(host), packages=Known({"redis": "unknown"}))  # noqa: E731
    todo = planned(S1=lambda host: newer(host, "3.2.6", **{"slave-priority": "1100"}), S2=gone)
    assert priorities(todo) == {}


def test_a_priority_of_the_hosts_people_is_left_alone() -> None:
    assert priorities(planned(S3=lambda host: newer(host, "3.2.6", **{"slave-priority": "0"}))) == {}


def test_a_stopped_server_counts_by_its_package() -> None:
    hosts = {S2: "6.2.14-2.el7"}
    facts = cluster(lambda name: installed(claimed(bare(name)), hosts.get(name, "3.2.6-2.el7")))
    assert priorities(plan(desired(), facts, SETTING_UP, CONTEXT)) == {S2: {"1100"}}


def test_no_cluster_begins_with_a_master_that_the_replicas_cannot_read() -> None:
    facts = cluster(lambda name: installed(claimed(bare(name)), "6.2.14-2.el7" if name == M else "3.2.6-2.el7"))
    todo = plan(desired(), facts, SETTING_UP, CONTEXT)
    assert todo.steps == ()
    assert todo.waiting == (
        f"{M} has redis 6.2, but {S1} has redis 3.2, {S2} has redis 3.2, {S3} has redis 3.2: an older replica may not "
        "read what a newer master sends. Set spec.initialMaster to a host with the oldest redis, or install one "
        "version everywhere",
    )
