"""Broken input of every kind: fuzzed answers of hosts and fuzzed specs. No crash, no step from what is not known."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
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
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, Denied, HostFacts, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import (
    ConfigSet,
    DisableUnits,
    EditConf,
    MakeReplica,
    Need,
    Plan,
    ReleaseClaim,
    RememberNotes,
    SentinelSet,
    StartUnit,
    StopUnit,
    TakeClaim,
)
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.observe import probe, redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts
from redis_sentinel_operator.plan.host import answering
from redis_sentinel_operator.plan.order import plan
from unit.examples import tried
from unit.observe.test_answers import KEYS_OF_FAMILIES, answers
from unit.plan.living import RUNNING, alive
from unit.plan.test_cases import CAPTURED, KEYS, asked, declared
from unit.plan.test_cases import probed as probed_of
from unit.plan.world import ADDRESS, DONE, OWNER, PASSWORD, SHIPPED, cluster

pytestmark = pytest.mark.timeout(180)

HEALTH = list(HealthCheck)
JUNK = [
    b"",
    b"\0",
    b"\xff\xfe",
    "Zugriff verweigert: Überlauf\n".encode(),
    "拒绝访问\n".encode("gb18030"),
    b"A" * 100_000,
]


def captured(family: str) -> Desired:
    """The cluster of which the captures are, with something to do on every host."""
    config = {"bind": "0.0.0.0", "repl-ping-slave-period": 10, "repl-timeout": 61, "maxmemory": "1gb", "save": "60 5"}
    return declared({"of": family, "spec": {"redis": {"config": config}}})


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
    """Answers of a server with parts of them replaced or cut, also deep in lists; half of it in the first two."""
    found = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 4))):
        node, at = found, draw(st.one_of(st.integers(0, 1), st.integers(0, len(found) - 1)))
        while isinstance(node[at], list) and node[at] and draw(st.booleans()):
            node, at = node[at], draw(st.integers(0, len(node[at]) - 1))
        if isinstance(node[at], str) and draw(st.booleans()):
            node[at] = draw(damaged(node[at].encode())).decode("utf-8", "replace")
        elif isinstance(node[at], list) and node[at] and draw(st.booleans()):
            node[at] = node[at][: draw(st.integers(0, len(node[at]) - 1))]
        else:
            node[at] = copy.deepcopy(draw(LEAVES))  # it may be mangled further
    return found


def read(family: str, host: DesiredHost, said: tuple[bytes, list[Any], list[Any]]) -> HostFacts:
    """The host's facts, as a pass makes them from raw answers."""
    wanted, (probed, of_redis, of_sentinel) = captured(family), said
    live = redis.parse(of_redis, KEYS_OF_FAMILIES) or Unknown("it does not answer as a redis does", "NoAnswer")
    told = sentinel.parse(of_sentinel) or Unknown("it does not answer as a sentinel does", "NoAnswer")
    facts = host_facts(wanted, host, probe.parse(probed, asked(family, wanted, host)), live, told)
    claim = facts.claim if isinstance(facts.claim, Unknown) else Known(Claim(OWNER, "b1", keys=KEYS))
    return replace(facts, claim=claim, sentinel=facts.sentinel if host.sentinel else Known(None))


def whole_host(family: str, host: DesiredHost) -> tuple[bytes, list[Any], list[Any]]:
    """What its probe, its redis and its sentinel answer when all is well."""
    prefix = "" if family == "el7" else f"{family}-"
    role = "master" if host.name == CAPTURED[family][1] else "replica"
    return probed_of({"of": family}, host.name), answers(f"{prefix}{role}"), answers(f"{prefix}sentinel")


def planned(family: str, hosts: dict[str, HostFacts]) -> tuple[Plan, ClusterFacts]:
    wanted, reading = captured(family), ClusterFacts(hosts, 0.0)
    verdict = judge(wanted, reading, None, JudgeContext(OWNER, DONE.bootstrap, math.inf))
    return plan(wanted, reading, verdict, DONE), reading


@settings(max_examples=tried(200), suppress_health_check=HEALTH)
@given(data=st.data())
def test_a_host_that_answers_nonsense_is_never_acted_on_by_guess(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(sorted(CAPTURED)), label="family")
    _check(*planned(family, sick_hosts(data, family)))


@settings(max_examples=tried(200), suppress_health_check=HEALTH)
@given(data=st.data())
def test_a_host_that_is_to_do_nothing_gets_no_other_step_whatever_is_answered(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(sorted(CAPTURED)), label="family")
    named = data.draw(st.dictionaries(st.sampled_from(sorted(ADDRESS)), st.sampled_from(["Maintenance", "Fenced"])))
    whole = captured(family)
    wanted = replace(whole, hosts=tuple(replace(host, aside=named.get(host.name, "")) for host in whole.hosts))
    reading = ClusterFacts(sick_hosts(data, family), 0.0)
    verdict = judge(wanted, reading, None, JudgeContext(OWNER, DONE.bootstrap, math.inf))
    stopped = set()
    for step in plan(wanted, reading, verdict, DONE).steps:
        if isinstance(step.action, StopUnit | HoldUnits):
            stopped.add(step.host)
            assert [why_not(need, step.host, wanted, reading, verdict) for need in Need if need in step.needs] == [
                None
            ] * 4
        assert step.host not in named or isinstance(
            step.action, StopUnit | HoldUnits | FreeUnits | RememberNotes | TakeClaim
        ), step
    assert len(stopped) <= 1
    assert stopped <= named.keys()


def sick_hosts(data: st.DataObject, family: str) -> dict[str, HostFacts]:
    """All hosts of a family's cluster, some of which answer nonsense."""
    wanted = captured(family)
    hosts: dict[str, HostFacts] = {}
    sick = data.draw(st.sets(st.sampled_from(sorted(ADDRESS)), min_size=1), label="sick")
    for host in wanted.hosts:
        probed, of_redis, of_sentinel = whole_host(family, host)
        if host.name in sick:
            probed = data.draw(st.one_of(st.just(probed), damaged(probed)), label="probe")
            of_redis = data.draw(st.one_of(st.just(of_redis), mangled(of_redis)), label="redis")
            of_sentinel = data.draw(st.one_of(st.just(of_sentinel), mangled(of_sentinel)), label="sentinel")
        hosts[host.name] = read(family, host, (probed, of_redis, of_sentinel))
    return hosts


@settings(max_examples=tried(200), suppress_health_check=HEALTH)
@given(data=st.data())
def test_whatever_hosts_answer_none_is_stopped_by_guess(data: st.DataObject) -> None:
    """One is on its way in or out: it gets no other steps than those, stops while every other sentinel is read."""
    family = data.draw(st.sampled_from(sorted(CAPTURED)), label="family")
    whole, moving = captured(family), data.draw(st.sampled_from(sorted(ADDRESS)), label="moving")
    state = data.draw(st.sampled_from(["Joining", "Leaving", "Leaving"]), label="state")
    now = tuple(replace(host, state=state if host.name == moving else "Member") for host in whole.hosts)
    wanted = replace(whole, hosts=now)
    hosts: dict[str, HostFacts] = {}
    sick = data.draw(st.sets(st.sampled_from(sorted(ADDRESS))), label="sick")
    for host in wanted.hosts:
        probed, of_redis, of_sentinel = whole_host(family, host)
        if host.name in sick:
            probed = data.draw(st.one_of(st.just(probed), damaged(probed)), label="probe")
            of_redis = data.draw(st.one_of(st.just(of_redis), mangled(of_redis)), label="redis")
            of_sentinel = data.draw(st.one_of(st.just(of_sentinel), mangled(of_sentinel)), label="sentinel")
        hosts[host.name] = read(family, host, (probed, of_redis, of_sentinel))
    reading = ClusterFacts(hosts, 0.0)
    verdict = judge(wanted, reading, None, JudgeContext(OWNER, DONE.bootstrap, math.inf))
    todo = plan(wanted, reading, verdict, DONE)
    _check(todo, reading)
    _check_of_one_that_moves(wanted, todo, reading, verdict)


def _check_of_one_that_moves(wanted: Desired, todo: Plan, reading: ClusterFacts, verdict: Verdict) -> None:
    unread = [host.name for host in wanted.wanted_sentinels if answering(reading.hosts[host.name]) is None]
    leaving = {host.name for host in wanted.leaving}
    for step in todo.steps:
        if step.host in leaving:
            assert isinstance(step.action, DisableUnits | StopUnit | ReleaseClaim | MakeReplica), step
        if step.host in leaving and isinstance(step.action, StopUnit):
            assert isinstance(verdict.master, Confirmed)
            assert verdict.master.host != step.host
            assert (unread, verdict.transition) == ([], ())
    for name in todo.left:
        assert reading.hosts[name].redis == Known(None)


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


@settings(max_examples=tried(200), suppress_health_check=HEALTH)
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


@settings(max_examples=tried(200), suppress_health_check=HEALTH)
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
        refuse_unsupported(body, spec)
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


@pytest.mark.parametrize("family", sorted(CAPTURED))
def test_the_captures_are_a_whole_cluster_with_work_to_do_before_they_are_damaged(family: str) -> None:
    wanted = captured(family)
    todo, _ = planned(family, {host.name: read(family, host, whole_host(family, host)) for host in wanted.hosts})
    assert {step.host for step in todo.steps} == set(ADDRESS)
    assert {ConfigSet, EditConf} <= {type(step.action) for step in todo.steps}
    assert (todo.refusal, [each for each in todo.waiting if "read" in each]) == (None, [])
