"""`plan`: which file can be planned, what is made of it, and what each answer means to a pipeline."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from rich.console import Console

from api.examples import GONE, changed, seed
from redis_sentinel_operator.api.annotations import EXPIRES_AT, PLAN_FOR
from redis_sentinel_operator.api.status import PlanItem
from redis_sentinel_operator.cli import terminal
from redis_sentinel_operator.cli.exits import DONE, DRIFT, NOT_DONE, USAGE, Usage
from redis_sentinel_operator.cli.plan import Answer, answer_of, applied, as_document, cluster_in, scratch, shown
from unit.cli.clusters import healthy

EXPIRES = datetime(2026, 1, 31, 12, tzinfo=UTC)
ITEM = {"host": "redis_slave01", "what": "set repl-timeout", "why": "the spec has 77", "impact": "None"}


def file(*documents: object) -> io.StringIO:
    made = io.StringIO(yaml.safe_dump_all(documents))
    made.name = "cluster.yaml"
    return made


def test_the_cluster_of_a_file_is_found_among_its_secrets() -> None:
    assert cluster_in(file({"kind": "Secret"}, seed(), None)) == seed()


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([{"kind": "Secret"}], "cluster.yaml has no RedisSentinelCluster in it"),
        ([seed(), seed()], "has 2 resources of kind RedisSentinelCluster: plan one at a time"),
        ([changed({"apiVersion": "redis-sentinel-operator.io/v2"})], "apiVersion is 'redis-sentinel-operator.io/v2'"),
        ([changed({"metadata": "x"})], "metadata.name is missing"),
        ([changed({"metadata.name": 7})], "metadata.name is missing"),
        ([changed({"spec": GONE})], "spec is missing"),
    ],
)
def test_what_cannot_be_planned_is_one_line(documents: list[object], said: str) -> None:
    with pytest.raises(Usage) as error:
        cluster_in(file(*documents))
    assert said in error.value.format_message()
    assert "\n" not in error.value.format_message()
    assert error.value.exit_code == USAGE


def test_what_is_no_yaml_is_one_line() -> None:
    made = io.StringIO("a: [\nb: }")
    made.name = "cluster.yaml"
    with pytest.raises(Usage) as error:
        cluster_in(made)
    assert error.value.format_message().startswith("cluster.yaml is no YAML: ")
    assert "\n" not in error.value.format_message()


def test_what_plans_changes_nothing_and_has_what_an_apply_would_keep() -> None:
    live = changed({"spec.fencedHosts": ["redis_slave03"], "spec.maintenanceHosts": ["redis_slave01"]})
    wanted = changed({"spec.maintenanceHosts": ["redis_slave02"], "spec.management": "Full"})
    made = scratch(wanted, live, EXPIRES)
    assert made["spec"]["management"] == "Observe"
    assert (made["spec"]["fencedHosts"], made["spec"]["maintenanceHosts"]) == (["redis_slave03"], ["redis_slave02"])
    assert made["metadata"]["annotations"] == {PLAN_FOR: "redis-cluster", EXPIRES_AT: "2026-01-31T12:00:00Z"}
    assert {**made["spec"], "management": "Full"} == {**wanted["spec"], "fencedHosts": ["redis_slave03"]}
    gone = changed({"spec.initialMaster": "redis_master09"})
    assert "initialMaster" not in scratch(gone, live, EXPIRES)["spec"], "no error in a cluster that is there"
    assert scratch(gone, None, EXPIRES)["spec"]["initialMaster"] == "redis_master09"
    assert scratch(seed(), None, EXPIRES)["spec"] == {**seed()["spec"], "management": "Observe"}


def test_what_people_set_beside_the_file_is_what_an_apply_of_it_leaves() -> None:
    live = changed({"spec.fencedHosts": ["redis_slave03"], "spec.maintenanceHosts": []})
    wanted = changed({"spec.management": "Paused"})
    kept = {"fencedHosts": ["redis_slave03"], "maintenanceHosts": []}
    assert applied(wanted, live) == {**wanted["spec"], **kept}
    assert scratch(wanted, live, EXPIRES)["spec"] == {**applied(wanted, live), "management": "Observe"}
    assert applied(wanted, seed()) == applied(wanted, None) == wanted["spec"]
    emptied = changed({"spec.fencedHosts": []})
    assert applied(emptied, live)["fencedHosts"] == [], "the file's own word counts before what it finds"


def test_it_has_the_labels_by_which_its_operator_knows_it_and_those_of_no_pipeline() -> None:
    labels = {"team": "a", "app.kubernetes.io/instance": "x", "kustomize.toolkit.fluxcd.io/name": "y"}
    assert scratch(changed({"metadata.labels": labels}), None, EXPIRES)["metadata"]["labels"] == {"team": "a"}
    live = changed({"metadata.labels": {"team": "b"}})
    assert scratch(seed(), live, EXPIRES)["metadata"]["labels"] == {"team": "b"}
    assert scratch(seed(), None, EXPIRES)["metadata"]["labels"] == {}


@pytest.mark.parametrize("name", ["a", "a" * 52, "a" * 40 + "-" + "b" * 11])
def test_its_name_is_one_that_the_api_server_takes(name: str) -> None:
    made = scratch(changed({"metadata.name": name}), None, EXPIRES)["metadata"]["name"]
    assert len(made) <= 52
    assert "--" not in made
    assert made != scratch(changed({"metadata.name": name}), None, EXPIRES)["metadata"]["name"]


def answered(**status: Any) -> dict[str, Any]:
    body = healthy()
    body["status"] |= {"phase": "Observing", **status}
    return body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (answered(), DONE),
        (answered(plan=[ITEM]), DRIFT),
        (answered(phase="Blocked", message="the Secret redis-ssh is missing"), NOT_DONE),
    ],
)
def test_each_answer_has_its_exit_code(body: dict[str, Any], code: int) -> None:
    found = answer_of(body)
    assert found is not None
    assert found.code == code


def test_what_could_not_be_read_is_no_clean_bill() -> None:
    body = answered()
    away = {
        "type": "HostsReachable",
        "status": "False",
        "reason": "HostUnreachable",
        "message": "redis_slave03 is away",
    }
    body["status"]["conditions"].append(away)
    found = answer_of(body)
    assert found == Answer((), unread="redis_slave03 is away")
    assert found.code == NOT_DONE
    body["status"]["plan"] = [ITEM]
    drifted = answer_of(body)
    assert drifted is not None
    assert drifted.code == DRIFT


def test_there_is_no_answer_before_the_operator_has_seen_it() -> None:
    for body in (answered(observedGeneration=2), answered(observedGeneration=None), answered(phase=None)):
        assert answer_of(body) is None


def test_where_a_table_does_not_fit_each_change_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "console", lambda: Console(file=io.StringIO(), width=60, highlight=False))
    why = "repl-timeout is 60, wanted is 77"
    items = [PlanItem(host=host, what="set repl-timeout", why=why, impact="None") for host in ("a", "b")]
    items.append(PlanItem(host="a", what="restart redis", why="databases is 16, wanted is 32", impact="Restart"))
    out = Console(file=io.StringIO(), width=60, highlight=False)
    with out.capture() as text:
        out.print(shown("redis/redis-cluster", Answer(tuple(items))))
    assert [line.rstrip() for line in text.get().splitlines()] == [
        "redis/redis-cluster: 3 changes would be made",
        "",
        "IMPACT  None",
        "HOSTS   a, b",
        "WHAT    set repl-timeout",
        "WHY     repl-timeout is 60, wanted is 77",
        "",
        "IMPACT  Restart",
        "HOST    a",
        "WHAT    restart redis",
        "WHY     databases is 16, wanted is 32",
    ]


def test_people_and_programs_are_told_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer_of(answered(plan=[ITEM]))
    assert found is not None
    assert as_document("redis-cluster", found) == {"cluster": "redis-cluster", "changes": [ITEM]}
    terminal.show(shown("redis/redis-cluster", found))
    assert capsys.readouterr().out == (
        "redis/redis-cluster: 1 change would be made\n"
        "HOST           IMPACT  WHAT              WHY\n"
        "redis_slave01  None    set repl-timeout  the spec has 77\n"
    )
    blocked = Answer((), blocked="the Secret redis-ssh is missing")
    assert as_document("redis-cluster", blocked)["blocked"] == blocked.blocked
    terminal.show(shown("redis/redis-cluster", blocked))
    assert capsys.readouterr().out == "redis/redis-cluster cannot be planned: the Secret redis-ssh is missing\n"
    terminal.show(shown("redis/redis-cluster", Answer(())))
    assert capsys.readouterr().out == "redis/redis-cluster: nothing would be changed on any host that was read\n"
