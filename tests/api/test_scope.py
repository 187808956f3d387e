"""Operators that look after some of the clusters: those of listed namespaces, or those with certain labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.examples import seed
from api.test_kube_operator import NAME, PORT, Operator, declare, get, until
from lab.controlplane import ControlPlane
from lab.helm import rendered
from lab.operator import pass_counts
from redis_sentinel_operator.handlers import FINALIZER
from redis_sentinel_operator.scope import scope_from_environment

pytestmark = pytest.mark.timeout(240)
QUICK = {"RSO_RESYNC": "1.5"}


def install(api: ControlPlane, home: str, *values: str, release: str = "redis-sentinel-operator") -> dict[str, str]:
    """Apply what the chart renders, but for the Deployment; return the environment of an operator with these rights."""
    api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home}}])
    found = rendered(*values, release=release, namespace=home)
    made = [each for text in found.values() for each in yaml.safe_load_all(text) if each]
    api.apply([each for each in made if each["kind"] != "Deployment"])
    (deployment,) = (each for each in made if each["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    said = {each["name"]: each["value"] for each in spec["containers"][0]["env"] if each["name"].startswith("RSO_")}
    environment = api.operator_environment(home, spec["serviceAccountName"])
    listed: list[tuple[str, ...]] = [("-n", each) for each in said.get("RSO_NAMESPACES", "").split(",") if each]
    for where in listed or [("-A",)]:
        api.wait_until_allowed(Path(environment["KUBECONFIG"]), "list", "rsc", *where)
    return environment | said


def remove(api: ControlPlane, *namespaces: str) -> None:
    for namespace in namespaces:
        if get(api, namespace):
            patch = '{"metadata":{"finalizers":null}}'
            api.kubectl("patch", "rsc", NAME, "-n", namespace, "--type=merge", "-p", patch)
    api.kubectl("delete", "namespace", *namespaces, "--ignore-not-found", "--timeout=90s")  # each takes seconds


def looks_after(operator: Operator, namespace: str) -> bool:
    return f'namespace="{namespace}"' in operator.probe("/metrics")[1]


def is_told(api: ControlPlane, namespace: str) -> bool:
    """Whether an operator has written a status: before there is the definition's own word alone."""
    return "phase" in get(api, namespace).get("status", {})


def passes(operator: Operator) -> int:
    return sum(pass_counts(operator.probe("/metrics")[1]))


def label(api: ControlPlane, namespace: str, team: str) -> None:
    api.kubectl("label", "rsc", NAME, "-n", namespace, f"team={team}", "--overwrite")


# -- namespaces


@pytest.fixture
def two(api: ControlPlane) -> Iterator[list[str]]:
    """Two namespaces with a cluster each whose Secret cannot be used: a pass of it waits for no host."""
    names = [declare(api, usable=False) for _ in range(2)]
    yield names
    remove(api, *names, "listed", "later")


def test_a_list_of_namespaces_is_looked_after_and_one_that_comes_later_as_well(
    api: ControlPlane, two: list[str], tmp_path: Path
) -> None:
    """Also when one of them does not exist yet, and when one is deleted: the others go on."""
    ours, others = two
    api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}}])
    environment = install(api, "listed", f"watch.namespaces={{{ours},later}}")
    api.kubectl("delete", "namespace", "later", "--timeout=90s")
    operator = Operator(environment, tmp_path / "operator.log", PORT + 2, **QUICK)
    try:
        operator.ready()
        until(lambda: is_told(api, ours), "a status", operator=operator)
        until(
            lambda: operator.said("the clusters in namespace later are not looked after"), "its word", operator=operator
        )
        told = len(operator.lines())
        api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}}])
        install(api, "listed", f"watch.namespaces={{{ours},later}}")
        cluster = seed()
        cluster["metadata"]["namespace"] = "later"
        api.apply([cluster])
        until(lambda: is_told(api, "later"), "a status there as well", operator=operator)
        again = [line for line in operator.lines()[told:] if "are not looked after" in line["message"]]
        assert again == [], "said once"
        api.kubectl("delete", "rsc", NAME, "-n", ours, "--timeout=90s")
        api.kubectl("delete", "namespace", ours, "--timeout=90s")
        until(lambda: not looks_after(operator, ours), "no metrics of it", operator=operator)
        until(
            lambda: operator.said(f"the clusters in namespace {ours} are not looked after"),
            "its end",
            operator=operator,
        )
        generation = edit(api, "later")
        until(lambda: get(api, "later")["status"]["observedGeneration"] == generation, "that", operator=operator)
        assert not is_told(api, others)
        assert "finalizers" not in get(api, others)["metadata"]
    finally:
        operator.end()


def edit(api: ControlPlane, namespace: str) -> int:
    """Change the spec; the generation that it has then."""
    api.kubectl("patch", "rsc", NAME, "-n", namespace, "--type=merge", "-p", '{"spec":{"management":"Paused"}}')
    return int(get(api, namespace)["metadata"]["generation"])


# -- labels


@pytest.fixture
def labelled(api: ControlPlane) -> Iterator[list[str]]:
    """A cluster of team a, one of team b, and one of nobody."""
    names = [declare(api, usable=False) for _ in range(3)]
    for name, team in zip(names, "ab", strict=False):
        label(api, name, team)
    yield names
    remove(api, *names, "team-a", "team-b")
    for name in ("team-a", "team-b"):
        api.kubectl("delete", "clusterrole,clusterrolebinding", f"{name}-redis-sentinel-operator")


def test_two_operators_share_the_fleet_by_labels(api: ControlPlane, labelled: list[str], tmp_path: Path) -> None:
    ours, theirs, nobodys = labelled
    first, second = (
        Operator(
            install(api, f"team-{team}", f"watch.selector=team in ({team})", release=f"team-{team}"),
            tmp_path / f"{team}.log",
            PORT + number,
            **QUICK,
        )
        for number, team in enumerate("ab", 2)
    )
    try:
        for operator, own, other in ((first, ours, theirs), (second, theirs, ours)):
            operator.ready()
            comes_to_look_after(api, operator, own)
            assert not looks_after(operator, other)
        for operator in (first, second):
            time_for_a_resync(operator)
        before = {name: get(api, name) for name in labelled}
        assert [each["metadata"].get("finalizers") for each in before.values()] == [[FINALIZER], [FINALIZER], None]
        time_for_a_resync(first)
        assert {name: get(api, name) for name in labelled} == before, "they leave each other's alone"
        label(api, ours, "b")
        until(lambda: looks_after(second, ours), "the other one in charge", operator=second)
        until(lambda: not looks_after(first, ours), "the first one to let it go", operator=first)
        generation = edit(api, ours)
        until(lambda: get(api, ours)["status"]["observedGeneration"] == generation, "its work", operator=second)
        assert get(api, ours)["metadata"]["finalizers"] == [FINALIZER]
        label(api, ours, "a")
        until(lambda: looks_after(first, ours), "the first one in charge again", operator=first)
        until(lambda: not looks_after(second, ours), "the other one to let it go", operator=second)
        api.kubectl("delete", "rsc", NAME, "-n", ours, "--timeout=90s")
        assert not is_told(api, nobodys)
    finally:
        first.end()
        second.end()


def comes_to_look_after(api: ControlPlane, operator: Operator, namespace: str) -> None:
    until(lambda: is_told(api, namespace), "a status", operator=operator)
    until(lambda: looks_after(operator, namespace), "its metrics", operator=operator)


def time_for_a_resync(operator: Operator) -> None:
    """Return after two more passes."""
    before = until(lambda: passes(operator), "a pass", operator=operator)
    until(lambda: passes(operator) >= before + 2, "two passes", operator=operator)


SELECTORS = [
    "team=a",
    "team==a",
    "team!=a",
    "team in (a, b)",
    "team notin (a)",
    "team",
    "!team",
    "team=",
    "example.com/zone in (z1,z2),team",
    "!team,tier notin (x)",
]
LABELS: list[dict[str, str]] = [
    {},
    {"team": "a"},
    {"team": "b", "tier": "x"},
    {"team": ""},
    {"tier": "x"},
    {"team": "c", "example.com/zone": "z1"},
]


@pytest.fixture
def of_all_labels(api: ControlPlane) -> Iterator[str]:
    namespace = "of-all-labels"
    api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    for number, labels in enumerate(LABELS):
        cluster = seed()
        cluster["metadata"] = {"name": f"c{number}", "namespace": namespace, "labels": labels}
        api.apply([cluster])
    yield namespace
    api.kubectl("delete", "namespace", namespace, "--timeout=90s")


def test_a_selector_means_what_it_means_to_the_api_server(api: ControlPlane, of_all_labels: str) -> None:
    for selector in SELECTORS:
        found = json.loads(api.kubectl("get", "rsc", "-n", of_all_labels, "-l", selector, "-o", "json"))["items"]
        ours = scope_from_environment({"RSO_SELECTOR": selector})
        selected = [f"c{number}" for number, labels in enumerate(LABELS) if ours.selects(labels)]
        assert sorted(each["metadata"]["name"] for each in found) == selected, selector
