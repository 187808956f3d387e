"""Servers of several versions side by side: the newer are promoted last, and put back when all are alike again."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.model.fact import HostFacts, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Plan
from redis_sentinel_operator.model.verdict import Situation, Verdict
from redis_sentinel_operator.plan.order import plan
from unit.plan.living import ALIVE, NOBODY, alive, edited
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
    switched,
    verdict,
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


def placed(judged: Verdict = ALIVE, own: dict[str, int] | None = None, **changes: Change) -> Plan:
    """The master and S1 in one failure domain, S2 in another, S3 in none; `own` are priorities of the spec."""
    domains = {M: "a", S1: "a", S2: "b", S3: ""}
    hosts = tuple(replace(host, failure_domain=domains[host.name]) for host in desired().hosts)
    for name, priority in (own or {}).items():
        hosts = tuple(
            replace(host, replica_priority=priority, own_priority=True) if host.name == name else host for host in hosts
        )
    return plan(desired(hosts=hosts), cluster(alive, **changes), judged, DONE)


def test_a_replica_beside_the_master_is_promoted_after_the_others() -> None:
    """The files have 100, as the package ships them."""
    assert priorities(placed()) == {S1: {"600"}}
    to_s2 = {short: (lambda host: newer(switched(host, S2), "3.2.6")) for short in ("M", "S2", "S3")}
    raised = lambda host: newer(switched(host, S2), "3.2.6", **{"slave-priority": "600"})  # noqa: E731
    assert priorities(placed(verdict(Situation.ALIVE, S2), **to_s2, S1=raised)) == {S1: {"100"}}
    to_s1 = {short: (lambda host: switched(host, S1)) for short in ("M", "S1", "S2", "S3")}
    assert priorities(placed(verdict(Situation.ALIVE, S1), **to_s1)) == {M: {"600"}}
    to_s3 = {short: (lambda host: switched(host, S3)) for short in ("M", "S1", "S2", "S3")}
    assert priorities(placed(verdict(Situation.ALIVE, S3), **to_s3)) == {}


def test_hosts_without_a_domain_are_each_alone() -> None:
    hosts = tuple(replace(host, failure_domain="a" if host.name == M else "") for host in desired().hosts)
    to_s3 = {short: (lambda host: switched(host, S3)) for short in ("M", "S1", "S2", "S3")}
    found = plan(desired(hosts=hosts), cluster(alive, **to_s3), verdict(Situation.ALIVE, S3), DONE)
    assert priorities(found) == {}


def test_what_the_spec_says_counts_before_the_domain_and_not_before_the_version() -> None:
    assert priorities(placed(own={S1: 50, S2: 0})) == {S1: {"50"}, S2: {"0"}}
    assert priorities(placed(own={S1: 50}, S1=newer))[S1] == {"1050"}
    assert priorities(placed(S1=newer))[S1] == {"1600"}
    hosts = tuple(
        replace(host, replica_priority=7, own_priority=True) if host.name == S3 else host for host in desired().hosts
    )
    assert priorities(plan(desired(hosts=hosts), cluster(alive), ALIVE, DONE)) == {S3: {"7"}}


def test_while_nobody_is_master_only_what_the_spec_says_is_written() -> None:
    assert priorities(placed(NOBODY)) == {}
    assert priorities(placed(NOBODY, own={S1: 50})) == {S1: {"50"}}
    raised = lambda host: edited(newer(host, "3.2.6", **{"slave-priority": "600"}), slave_priority="600")  # noqa: E731
    assert priorities(placed(NOBODY, S1=raised)) == {}
    assert priorities(placed(NOBODY, own={S1: 100}, S1=raised)) == {S1: {"100"}}


def test_without_domains_it_is_put_back() -> None:
    raised = lambda host: newer(host, "3.2.6", **{"slave-priority": "600"})  # noqa: E731
    assert priorities(planned(S1=raised)) == {S1: {"100"}}
    theirs = lambda host: newer(host, "3.2.6", **{"slave-priority": "601"})  # noqa: E731
    assert priorities(planned(S1=theirs)) == {}


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
