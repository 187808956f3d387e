"""Broken input of every kind: fuzzed answers of hosts and fuzzed specs. No crash, no step from what is not known."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from api.examples import seed, stored
from redis_sentinel_operator.api.desired import check_config, refuse_unsupported, resolve
from redis_sentinel_operator.api.redis_config import redis_config
from redis_sentinel_operator.api.spec import parse as parse_spec
from redis_sentinel_operator.conf import redis_conf
from redis_sentinel_operator.conf.table import TABLE
from redis_sentinel_operator.conf.values import same
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.desired import Desired, DesiredHost, SshAccess
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, Denied, HostFacts, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import ConfigSet, EditConf, Plan, SentinelSet, StartUnit
from redis_sentinel_operator.observe import probe, redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts
from redis_sentinel_operator.plan.order import plan
from unit.observe.test_answers import answers
from unit.plan.living import RUNNING, alive
from unit.plan.world import ADDRESS, CONFIG, DONE, NAME, OWNER, PASSWORD, S1, SHIPPED, M, cluster, desired

pytestmark = pytest.mark.timeout(180)

PROBES = Path(__file__).parents[1] / "observe" / "probe"
HEALTH = list(HealthCheck)
JUNK = [
    b"",
    b"\0",
    b"\xff\xfe",
    "Zugriff verweigert: Überlauf\n".encode(),
    "拒绝访问\n".encode("gb18030"),
    b"A" * 100_000,
]


def captured() -> Desired:
    """The cluster of which the captures are."""
    hosts = tuple(
        DesiredHost(name, at.replace("168.3.", "168.37."), SshAccess(at), sentinel=name != M)
        for name, at in ADDRESS.items()
    )
    return desired(hosts=hosts, redis_config={"repl-timeout": "61", "maxmemory": "1gb", "save": "60 5"})


def asked(host: DesiredHost) -> probe.Asked:
    return probe.asked(captured(), host)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """The bytes as a sick host gives them: cut, with junk in between, lines gone, doubled or in another order."""
    data = whole
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(len(data), 1)))
        end = at + draw(st.integers(0, 60))
        lines = data.split(b"\n")
        one = draw(st.integers(0, len(lines) - 1))
        data = draw(
            st.sampled_from(
                [
                    data[:at],
                    data[:at] + draw(st.sampled_from(JUNK)) + data[end:],
                    data[:at] + draw(st.binary(max_size=30)) + data[end:],
                    b"\n".join([*lines[:one], *lines[one + 1 :]]),
                    b"\n".join([*lines[:one], lines[one], *lines[one:]]),
                    b"\n".join([*lines[one:], *lines[:one]]),
                    data.replace(b"6379", b"999999999999999999999"),
                    data.replace(b"=yes", b"=oui").replace(b"active", b"aktiv"),
                ]
            )
        )
    return data


LEAVES = st.one_of(
    st.none(),
    st.integers(-(2**70), 2**70),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.just(ResponseError("LOADING Redis is loading the dataset in memory")),
    st.just("x" * 50_000),
    st.just([]),
    st.just(["master", "x", [["a"]]]),
    st.just(["slave", None, -1, "sync", "no number"]),
)


@st.composite
def mangled(draw: st.DrawFn, whole: list[Any]) -> list[Any]:
    """Answers of a server with parts of them replaced, also deep in lists, or the text of INFO cut."""
    found = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 4))):
        node, at = found, draw(st.integers(0, len(found) - 1))
        while isinstance(node[at], list) and node[at] and draw(st.booleans()):
            node, at = node[at], draw(st.integers(0, len(node[at]) - 1))
        if isinstance(node[at], str) and draw(st.booleans()):
            node[at] = draw(damaged(node[at].encode())).decode("utf-8", "replace")
        else:
            node[at] = copy.deepcopy(draw(LEAVES))  # it may be mangled further
    return found


def read(host: DesiredHost, probed: bytes, of_redis: list[Any], of_sentinel: list[Any] | None) -> HostFacts:
    """The host's facts, as a pass makes them from raw answers."""
    wanted = captured()
    said = redis.parse(of_redis, redis.keys(wanted)) or Unknown("it does not answer as a redis does", "NoAnswer")
    told = sentinel.parse(of_sentinel) if of_sentinel else None
    nobody = Unknown("it does not answer as a sentinel does", "NoAnswer")
    return host_facts(wanted, host, probe.parse(probed, asked(host)), said, told or nobody)


def whole_host(host: DesiredHost) -> tuple[bytes, list[Any], list[Any] | None]:
    master = host.name == M
    return (
        (PROBES / "running.txt").read_bytes(),
        answers("master" if master else "replica"),
        None if master else answers("sentinel"),
    )


@settings(max_examples=200, deadline=None, suppress_health_check=HEALTH)
@given(data=st.data())
def test_a_host_that_answers_nonsense_is_never_acted_on_by_guess(data: st.DataObject) -> None:
    wanted = captured()
    hosts: dict[str, HostFacts] = {}
    sick = data.draw(st.sets(st.sampled_from(sorted(ADDRESS)), min_size=1), label="sick")
    for host in wanted.hosts:
        probed, of_redis, of_sentinel = whole_host(host)
        if host.name in sick:
            probed = data.draw(st.one_of(st.just(probed), damaged(probed)), label="probe")
            of_redis = data.draw(st.one_of(st.just(of_redis), mangled(of_redis)), label="redis")
            of_sentinel = of_sentinel and data.draw(st.one_of(st.just(of_sentinel), mangled(of_sentinel)))
        facts = read(host, probed, of_redis, of_sentinel)
        claim = facts.claim if isinstance(facts.claim, Unknown) else Known(Claim(OWNER, "b1"))
        hosts[host.name] = replace(facts, claim=claim)
    reading = ClusterFacts(hosts, 0.0)
    verdict = judge(wanted, reading, None, JudgeContext(OWNER, DONE.bootstrap, math.inf))
    _check(plan(wanted, reading, verdict, DONE), reading)


def _check(todo: Plan, reading: ClusterFacts) -> None:
    for step in todo.steps:
        facts = reading.hosts[step.host]
        assert not any(
            isinstance(each, Unknown)
            for each in (facts.os, facts.packages, facts.files, facts.units, facts.processes, facts.claim)
        ), step
        if isinstance(step.action, ConfigSet):
            assert isinstance(facts.redis, Known)
            assert isinstance(facts.redis.value, RedisFacts)
        if isinstance(step.action, SentinelSet):
            assert isinstance(facts.sentinel, Known)
        if isinstance(step.action, StartUnit):
            fact = facts.sentinel if step.action.sentinel else facts.redis
            assert isinstance(fact, Known)
            assert step.action.restart or fact.value is None
            assert not isinstance(fact.value, Denied)
    said = [*todo.waiting, *(step.why for step in todo.steps), *([todo.refusal.message] if todo.refusal else [])]
    assert all(sentence.strip() and PASSWORD not in sentence for sentence in said)
    assert todo.steps or todo.waiting or todo.refusal or not todo.drift or todo.settled


ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=12), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=5,
)
NAMES = st.one_of(st.sampled_from(sorted(TABLE)), st.text("abcdefgh-", min_size=1, max_size=12))
VALUES = st.one_of(
    st.integers(-5, 2**40),
    st.sampled_from(["", "yes", "no", "1gb", "900 1", "KEA", "slave 1mb 1mb 60", "0.0.0.0", "allkeys-lru", "everysec"]),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r\n"), max_size=30),
)


@settings(max_examples=200, deadline=None, suppress_health_check=HEALTH)
@given(config=st.dictionaries(NAMES, VALUES, max_size=8))
def test_any_config_is_refused_clearly_or_written_as_it_is_meant(config: dict[str, str | int]) -> None:
    body = stored(seed())
    body["spec"]["redis"]["config"] = config
    spec = parse_spec(body)
    wanted = resolve(body, Secret(PASSWORD))
    try:
        check_config(spec)
    except SpecRefused as refused:
        assert refused.reason == "InvalidSpec"
        assert str(refused).startswith("spec.redis.config.")
        assert str(refused).endswith(".")
        _shown_all_the_same(wanted)
        return
    edited = redis_conf.parse(redis_conf.parse(SHIPPED["/etc/redis.conf"]).edit(wanted.redis_config))
    assert edited.broken == ()
    assert all(same(name, value, edited.get(name) or "") for name, value in redis_config(spec).items())
    assert edited.edit(wanted.redis_config) == edited.text


def _shown_all_the_same(wanted: Desired) -> None:
    """A cluster whose spec is refused is still read, judged and planned for, though nothing is done."""
    reading = cluster(alive)
    verdict = judge(wanted, reading, None, JudgeContext(OWNER, DONE.bootstrap, math.inf))
    assert plan(wanted, reading, verdict, DONE) is not None


@settings(max_examples=200, deadline=None, suppress_health_check=HEALTH)
@given(data=st.data())
def test_any_spec_is_refused_clearly_or_planned(data: st.DataObject) -> None:
    body = stored(seed())
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = body["spec"]
        key: Any = data.draw(st.sampled_from([*node, "package", "ssh", "unsafe", "firewall", "masterName", "nonsense"]))
        while isinstance(node.get(key) if isinstance(node, dict) else node[key], dict | list) and data.draw(
            st.booleans()
        ):
            node = node[key]
            if not node:
                break
            key = data.draw(st.sampled_from([*node]) if isinstance(node, dict) else st.integers(0, len(node) - 1))
        if node is not body["spec"] and not node:
            continue
        node[key] = data.draw(ANY)
    try:
        spec = parse_spec(body)
        wanted = resolve(body, Secret(PASSWORD))
        check_config(spec)
        refuse_unsupported(body, spec, {})
    except SpecRefused as refused:
        assert refused.reason in ("InvalidSpec", "NotSupportedYet")
        assert str(refused).startswith(("spec", "And "))
        assert PASSWORD not in str(refused)
        return
    verdict = judge(wanted, RUNNING, None, JudgeContext(OWNER, DONE.bootstrap, math.inf))
    todo = plan(wanted, RUNNING, verdict, DONE)
    assert all(step.host in {host.name for host in wanted.hosts} for step in todo.steps)
    edits = [step.action for step in todo.steps if isinstance(step.action, EditConf)]
    assert all(redis_conf.parse(edit.text.reveal()).broken == () for edit in edits)


def test_the_captures_are_a_whole_cluster_before_they_are_damaged() -> None:
    wanted = captured()
    hosts = {host.name: read(host, *whole_host(host)) for host in wanted.hosts}
    assert all(isinstance(each.redis, Known) for each in hosts.values())
    assert isinstance(hosts[S1].sentinel, Known)
    assert (NAME, CONFIG["bind"]) == (wanted.master_name, "0.0.0.0")
