"""From captured answers and a spec to the whole plan: a case is a file of `cases/`.

`of` names the family whose captures are the hosts' answers: all four hosts answer as the captured replica, one as the
captured master, and the first has no sentinel. `spec` is merged into the seed's. `replace` exchanges lines that the
probe gave, in files or around them, on all hosts or on `hosts`: where a genuine EL's differ from the lab's. `plan`,
`waiting`, `drift` and `refusal` are what comes of it.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.examples import seed, stored
from redis_sentinel_operator.api.desired import resolve
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Claim, ClusterFacts, HostFacts, KeyRecord, Known
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.observe import probe, redis, sentinel
from redis_sentinel_operator.observe.combine import host_facts
from redis_sentinel_operator.plan.order import PlanContext, plan
from unit.observe.test_answers import KEYS_OF_FAMILIES, answers
from unit.observe.test_probe import ASKED
from unit.plan.world import OWNER, M

FOLDER = Path(__file__).with_name("cases")
CASES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
PROBES = Path(__file__).parents[1] / "observe" / "probe"
PASSWORD = "dusruffpeltm"  # of the captures
CAPTURED = {  # the subnet, and who is master
    "el7": ("192.168.37", "redis_master01"),
    "el8": ("192.168.80", "redis_slave03"),
    "el9": ("192.168.80", "redis_slave02"),
    "el10": ("192.168.80", "redis_slave03"),
}
CONFIG = {"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"}
KEYS = {name: KeyRecord(value, None) for name, value in CONFIG.items()}


def declared(case: Mapping[str, Any]) -> Desired:
    body = stored(seed())
    for number, host in enumerate(body["spec"]["hosts"]):
        host["address"] = f"{CAPTURED[case['of']][0]}.{41 + number}"
    for key, value in case.get("spec", {}).items():
        merged = isinstance(value, dict) and isinstance(body["spec"].get(key), dict)
        body["spec"][key] = body["spec"][key] | value if merged else value
    return resolve(body, Secret(PASSWORD))


def probed(case: Mapping[str, Any], host: str) -> bytes:
    """The family's captured answer with the case's lines, and without a role line on the master."""
    family, chief = case["of"], CAPTURED[case["of"]][1]
    text = (PROBES / f"{'running' if family == 'el7' else family}.txt").read_text()
    changes = [each for each in case.get("replace", ()) if host in each.get("hosts", [host])]
    if host == chief:
        changes.append({"old": r"(?m)^(slaveof|replicaof) .*\n", "new": "", "pattern": True})
    if host == M:
        changes.append({"old": r"(?m)^opened .* 26379/tcp\n", "new": "", "pattern": True})

    def content(found: re.Match[str]) -> str:
        inner = base64.b64decode(found[2]).decode()
        return found[1] + base64.b64encode(_changed(inner, changes).encode()).decode()

    return _changed(re.sub(r"(?m)^(file .* =)(\S+)", content, text), changes).encode()


def _changed(text: str, changes: list[dict[str, Any]]) -> str:
    for each in changes:
        text = re.sub(each["old"], each["new"], text) if each.get("pattern") else text.replace(each["old"], each["new"])
    return text


def asked(family: str, wanted: Desired, host: DesiredHost) -> probe.Asked:
    """What the captured probe was asked: that of EL7 for its own files and units only."""
    whole = probe.asked(wanted, host)
    return replace(whole, files=ASKED.files, units=ASKED.units) if family == "el7" else whole


def facts_of(case: Mapping[str, Any], wanted: Desired) -> ClusterFacts:
    prefix, chief = "" if case["of"] == "el7" else f"{case['of']}-", CAPTURED[case["of"]][1]
    hosts: dict[str, HostFacts] = {}
    for host in wanted.hosts:
        role = "master" if host.name == chief else "replica"
        live = redis.parse(answers(f"{prefix}{role}"), KEYS_OF_FAMILIES)
        watching = sentinel.parse(answers(f"{prefix}sentinel"))
        assert live is not None and watching is not None
        answered = probe.parse(probed(case, host.name), asked(case["of"], wanted, host))
        facts = host_facts(wanted, host, answered, live, watching)
        facts = facts if host.sentinel else replace(facts, sentinel=Known(None))
        seen = {"rewritten": live.config_file}
        # adopted, as it keeps what it has where the spec says nothing
        hosts[host.name] = replace(facts, claim=Known(Claim(OWNER, keys=KEYS, notes=seen)))
    return ClusterFacts(hosts, 0.0)


def planned(case: Mapping[str, Any]) -> Plan:
    wanted = declared(case)
    facts = facts_of(case, wanted)
    verdict = judge(wanted, facts, None, JudgeContext(OWNER, None, math.inf))
    return plan(wanted, facts, verdict, PlanContext(OWNER))


def shown(todo: Plan) -> dict[str, Any]:
    """The plan as a case has it; equal steps of several hosts are one line."""
    lines: dict[str, list[str]] = {}
    for step in todo.steps:
        lines.setdefault(f"{step.what}, because {step.why} ({step.impact.name.lower()})", []).append(step.host)
    drift: dict[str, list[str]] = {}
    for host, all_of in todo.drift.items():
        for each in all_of:
            text = f"{each.key}: {each.have} instead of {each.want}" + ", after a restart" * each.pending_restart
            drift.setdefault(text, []).append(host)
    found: dict[str, Any] = {
        "plan": [{what: " ".join(_short(host) for host in hosts)} for what, hosts in lines.items()],
        "waiting": list(todo.waiting),
        "drift": [{what: " ".join(_short(host) for host in hosts)} for what, hosts in drift.items()],
    }
    if todo.refusal:
        found["refusal"] = {todo.refusal.reason: todo.refusal.message}
    return {key: value for key, value in found.items() if value}


def _short(host: str) -> str:
    return "master01" if host == M else host.removeprefix("redis_")


@pytest.mark.parametrize("name", CASES)
def test_what_is_read_and_what_is_declared_make_the_plan(name: str) -> None:
    case = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    expected = {key: case[key] for key in ("plan", "waiting", "drift", "refusal") if key in case}
    assert shown(planned(case)) == expected


def test_there_is_a_case_of_each_family_where_nothing_is_to_be_done() -> None:
    quiet = [yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) for name in CASES if name.endswith("as-declared")]
    assert {case["of"] for case in quiet} == set(CAPTURED) - {"el7"}, "that of EL7 was captured of one made by hand"
    assert all(case.keys() == {"of"} for case in quiet)
