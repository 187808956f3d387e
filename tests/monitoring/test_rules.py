"""The alerts, as promtool evaluates them, and that each of them has its page."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from lab.prometheus import prometheus_programs
from monitoring.cases import MINUTES, Alert, Case, cases
from monitoring.manifests import ROOT, RUNBOOKS, groups, rules
from redis_sentinel_operator.api.status import Phase
from redis_sentinel_operator.judge.messages import ROWS
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings

pytestmark = pytest.mark.timeout(240)
RULES = list(rules())
CLUSTER = {"namespace": "redis", "name": "c"}
OF_PODS = {"pod": "operator-1", "container": "operator"}
Groups = dict[str, Any]


def series(name: str, labels: Mapping[str, str]) -> str:
    """A series with more labels; its own come last, so that they win."""
    metric, _, own = name.rstrip("}").partition("{")
    rest = [f'{key}="{value}"' for key, value in labels.items() if f"{key}=" not in own]
    return f"{metric}{{{','.join([*rest, *filter(None, [own])])}}}"


def expected(alert: Alert) -> dict[str, Any]:
    """An alert as promtool compares it: with all its labels and sentences."""
    rule = next(rule for rule in RULES if (rule["alert"], rule["labels"]["severity"]) == (alert.name, alert.severity))
    labels = {} if alert.of_process else {**CLUSTER, **({"host": alert.host} if alert.host else {})}
    texts = rule["annotations"].items()
    said = {key: re.sub(r"{{ \$labels\.(\w+) }}", lambda found: labels[found[1]], text) for key, text in texts}
    return {"exp_labels": {**labels, "severity": alert.severity}, "exp_annotations": said}


def as_promtool(case: Case) -> dict[str, Any]:
    """A case as promtool reads it: of every alert, whether it fires."""
    values = {series(name, {**CLUSTER, **OF_PODS}): value for name, value in case.series.items()}
    values |= {series(name, OF_PODS): value for name, value in case.process.items()}
    names = dict.fromkeys(rule["alert"] for rule in RULES)
    return {
        "name": case.what,
        "interval": "1m",
        "input_series": [{"series": name, "values": value} for name, value in values.items()],
        "alert_rule_test": [
            {
                "alertname": name,
                "eval_time": f"{case.minute}m",
                "exp_alerts": [expected(alert) for alert in case.alerts if alert.name == name],
            }
            for name in names
        ],
    }


def promtool(directory: Path, these: Iterable[Case], tested: Groups) -> subprocess.CompletedProcess[str]:
    """What `promtool test rules` says."""
    (directory / "rules.yaml").write_text(yaml.safe_dump(tested))
    written = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [as_promtool(each) for each in these],
    }
    (directory / "cases.yaml").write_text(yaml.safe_dump(written))
    return run("test", "rules", str(directory / "cases.yaml"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(prometheus_programs() / "promtool"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


def test_what_fires_and_what_does_not(tmp_path: Path) -> None:
    assert max(case.minute for case in cases()) <= MINUTES
    said = promtool(tmp_path, cases(), groups())
    assert said.returncode == 0, said.stdout + said.stderr


def changed(number: int, expression: str) -> Groups:
    """The rules with another expression in one of them."""
    found = groups()
    flat = [rule for group in found["groups"] for rule in group["rules"]]
    flat[number]["expr"] = expression
    return found


@pytest.mark.parametrize("number", range(len(RULES)), ids=[f"{n} {rule['alert']}" for n, rule in enumerate(RULES)])
def test_a_rule_that_is_wrong_is_found(number: int, tmp_path: Path) -> None:
    """So each rule has a case in which it fires, and one in which it does not."""
    alert = RULES[number]["alert"]
    firing = [case for case in cases() if alert in {each.name for each in case.alerts}]
    assert promtool(tmp_path, firing, changed(number, "rso_phase > 9")).returncode != 0, "it never fires"
    always = "group by (namespace, name) (rso_phase)"
    assert promtool(tmp_path, cases()[:1], changed(number, always)).returncode != 0, "it fires always"


def test_promtool_finds_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(groups()))
    said = run("check", "rules", "--lint=all", "--lint-fatal", str(tmp_path / "rules.yaml"))
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_rules_ask_for_what_there_is() -> None:
    """A name that nothing has is an alert that never fires."""
    told = [sample.name for family in Metrics(Settings()).registry.collect() for sample in family.samples]
    known = {family.name for family in Metrics(Settings()).registry.collect()} | {*told, "rso_failovers_total"}
    asked = " ".join(rule["expr"] for rule in RULES)
    assert set(re.findall(r"rso_\w+", asked)) <= known
    assert _values(asked, "type") <= {row.condition for row in ROWS} | {"Stalled"}
    assert _values(asked, "reason") <= {row.reason for row in ROWS}
    assert _values(asked, "phase") <= set(get_args(Phase))
    assert _values(asked, "setting") <= set(Settings.__slots__)


def _values(text: str, label: str) -> set[str]:
    found: Sequence[str] = re.findall(rf'\b{label}[=!]~?"([^"]+)"', text)
    return {value for each in found for value in each.split("|")}


def test_each_alert_has_its_page() -> None:
    assert {rule["annotations"]["runbook_url"] for rule in RULES} == {
        f"docs/runbooks/{rule['alert']}.md" for rule in RULES
    }
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in RULES}
    for path in RUNBOOKS.glob("*.md"):
        text = path.read_text()
        assert text.startswith(f"# {path.stem}\n"), path
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
            "What is", "What the operator does", "What you can do",
        ], path  # fmt: skip
        for kind, reason in re.findall(r"`(\w+)`, `(\w+)`", text):
            assert (kind, reason) in {(row.condition, row.reason) for row in ROWS}, f"{path}: {kind}, {reason}"
    assert (ROOT / "docs/monitoring.md").exists()
