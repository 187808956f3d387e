"""A replica of each family as it was captured after a failover: all is as declared, and only drift is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.step import ConfigSet, EditConf, RememberKeys
from redis_sentinel_operator.observe import redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts
from redis_sentinel_operator.observe.probe import parse
from redis_sentinel_operator.plan.dropins import drop_ins
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.machine import machine
from redis_sentinel_operator.plan.package import installed, lock, package
from redis_sentinel_operator.plan.part import Part
from redis_sentinel_operator.plan.redis_conf import redis_conf
from redis_sentinel_operator.plan.sentinel_settings import sentinel_settings
from redis_sentinel_operator.plan.units import enable
from unit.observe.test_answers import KEYS_OF_FAMILIES, answers
from unit.observe.test_probe import FAMILY_CASES, FOLDER, WHOLE_QUESTION
from unit.plan.world import S1, desired


def captured(family: str, whole: Desired) -> Host:
    """The replica as the plans see it."""
    want = whole.host(S1)
    live, watching = (
        redis.parse(answers(f"{family}-replica"), KEYS_OF_FAMILIES),
        sentinel.parse(answers(f"{family}-sentinel")),
    )
    assert live is not None and watching is not None
    probed = parse((FOLDER / f"{family}.txt").read_bytes(), WHOLE_QUESTION)
    facts = host_facts(whole, want, probed, live, watching)
    (host,), _ = readable(whole, ClusterFacts({S1: facts}, 0.0))
    return host


def planned(whole: Desired, host: Host) -> Part:
    """Every concern that looks at one host alone."""
    return (
        package(host)
        + lock(host)
        + machine(whole, host)
        + drop_ins(whole, host)
        + redis_conf(whole, host, {}, may_set=True)
        + sentinel_settings(whole, host, may_set=True)
        + enable(host)
    )


@pytest.mark.parametrize("family", FAMILY_CASES)
def test_nothing_is_planned_where_all_is_as_declared(family: str) -> None:
    whole = desired()
    host = captured(family, whole)
    assert installed(host)
    part = planned(whole, host)
    assert [type(step.action) for step in part.steps] == [RememberKeys]  # the claim was captured before it held them
    assert (part.waiting, part.drift) == ((), ())


@pytest.mark.parametrize(("family", "live"), [("el8", False), ("el9", True), ("el10", True)])
def test_what_a_server_takes_live_depends_on_the_els_own_version(family: str, live: bool) -> None:
    """CONFIG SET of bind came with 6.2."""
    whole = replace(desired(), redis_config={"bind": "127.0.0.1 0.0.0.0", "repl-timeout": "61"})
    part = planned(whole, captured(family, whole))
    edited = [step.action.directives for step in part.steps if isinstance(step.action, EditConf)]
    set_live = [set(step.action.values) for step in part.steps if isinstance(step.action, ConfigSet)]
    assert edited == [{"bind": "127.0.0.1 0.0.0.0", "repl-timeout": "61"}]
    assert set_live == [{"bind", "repl-timeout"} if live else {"repl-timeout"}]
    assert {drift.key: drift.pending_restart for _, drift in part.drift} == {"bind": not live, "repl-timeout": False}
