"""A replica of each family as it was captured after a failover: all is as declared, and only drift is planned."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Refusal, RememberKeys
from redis_sentinel_operator.observe import redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts
from redis_sentinel_operator.observe.probe import parse
from redis_sentinel_operator.plan.dropins import drop_ins
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.machine import machine
from redis_sentinel_operator.plan.package import installed, lock, package
from redis_sentinel_operator.plan.part import Part
from redis_sentinel_operator.plan.redis_conf import redis_conf
from redis_sentinel_operator.plan.refuse_config import refuse_config
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


@pytest.mark.parametrize(
    ("family", "runs", "module", "directive", "reason"),
    [
        ("el8", "5.0.6", None, "acllog-max-len", "DirectiveNotInVersion"),
        ("el8", "6.2.14", None, "acllog-max-len", "DirectiveAboveOwnVersion"),
        ("el8", "6.2.14", "redis:6", "acllog-max-len", None),
        ("el8", "6.2.14", "redis:6", "acl-pubsub-default", "DirectiveAboveOwnVersion"),  # 6.2, and the stream's is 6.0
        ("el9", "6.2.14", None, "acl-pubsub-default", None),
        ("el9", "7.2.5", None, "aof-timestamp-enabled", "DirectiveAboveOwnVersion"),
        ("el9", "7.2.5", "redis:7", "aof-timestamp-enabled", None),
        ("el9", "7.2.5", "redis:7", "locale-collate", "DirectiveAboveOwnVersion"),
        ("el10", "9.1.2", None, "locale-collate", None),
        ("el10", "9.1.2", None, "availability-zone", None),
        ("el10", "9.1.2", None, "log-format", "DirectiveAboveOwnVersion"),
        ("el10", "9.1.2", None, "sanitize-dump-payload", "DirectiveNotInVersion"),  # 8.0 has it no more
        ("el10", "8.0.2", None, "log-format", "DirectiveNotInVersion"),
    ],
)
def test_no_directive_above_the_els_own_version_is_taken(
    family: str, runs: str, module: str | None, directive: str, reason: str | None
) -> None:
    found = refuse_config(replace(desired(), redis_config={directive: "x"}), (running(family, runs, module),))
    assert (found and found.reason) == reason


@pytest.mark.parametrize(
    ("family", "runs", "module", "directive", "own", "mend"),
    [
        ("el9", "7.2.5", None, "aof-timestamp-enabled", "6.2.7, which EL9 itself has, ", ", or declare the module "
         "stream that has it, redis:7"),
        ("el9", "7.2.5", "redis:7", "locale-collate", "7.0.12, which EL9 itself has in redis:7, ", ""),
        ("el10", "9.1.2", None, "log-format", "8.0, which EL10 itself has, ", ""),
    ],
)  # fmt: skip
def test_what_a_newer_server_has_alone_is_told_with_what_to_do(  # noqa: PLR0917
    family: str, runs: str, module: str | None, directive: str, own: str, mend: str
) -> None:
    found = refuse_config(replace(desired(), redis_config={directive: "x"}), (running(family, runs, module),))
    assert found == Refusal(
        "ConfigInSync",
        "DirectiveAboveOwnVersion",
        f"spec.redis.config.{directive}: the redis of {S1} is of version {runs} and has it, but {own}does not: what "
        "only a newer server has is not used, so that every host of the family can take what is declared. Nothing is "
        f"changed on any host. Remove it from the spec{mend}.",
    )


@pytest.mark.parametrize(
    ("family", "runs", "value", "taken"),
    [
        ("el8", "5.0.6", {"maxmemory-policy": "allkeys-lfu"}, True),
        ("el8", "3.2.6", {"maxmemory-policy": "allkeys-LFU"}, False),
        ("el9", "6.2.14", {"loglevel": "warning"}, True),
        ("el9", "7.2.5", {"loglevel": "nothing"}, False),  # EL9's own does not know it
        ("el10", "9.1.2", {"loglevel": "nothing"}, True),
        ("el10", "9.1.2", {"repl-diskless-load": "flush-before-load"}, False),  # nor EL10's 8.0 this
    ],
)
def test_a_word_of_a_later_version_is_refused(family: str, runs: str, value: dict[str, str], taken: bool) -> None:
    found = refuse_config(replace(desired(), redis_config=value), (running(family, runs, None),))
    assert (found and found.reason) == (None if taken else "ValueNotInVersion")


def test_a_word_of_a_later_version_is_told_with_those_that_there_are() -> None:
    found = refuse_config(replace(desired(), redis_config={"loglevel": "nothing"}), (running("el9", "6.2.14", None),))
    assert found is not None
    assert found.message == (
        f"spec.redis.config.loglevel: {S1} is used as version 6.2.7 (its server's, or the EL's own where that is "
        "older), which does not know nothing and would not start with it. Nothing is changed on any host. Set it to "
        "one of debug, notice, verbose, warning, or remove it from the spec."
    )


def running(family: str, version: str, module: str | None) -> Host:
    """The captured replica with another server, and with a declared module stream."""
    host = captured(family, desired())
    redis_ = host.redis
    assert redis_ is not None
    told = {"server_version": version} if redis_.server_version else {"version": version}
    facts = replace(host.facts, redis=Known(replace(redis_, **told)))  # type: ignore[arg-type]
    return replace(host, facts=facts, want=replace(host.want, package=replace(host.want.package, module=module)))
