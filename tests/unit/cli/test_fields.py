"""What the program has set in a cluster, and which files undo it."""

from __future__ import annotations

import json
from typing import Any

from redis_sentinel_operator.cli.fields import FENCED, LAST_APPLIED, MAINTENANCE, Own, last_applied, own, undone_by
from unit.cli.clusters import healthy


def managed(*entries: tuple[str, str, dict[str, Any]], **spec: Any) -> dict[str, Any]:
    """A cluster with managers of its spec."""
    body = healthy()
    body["spec"] |= spec
    body["metadata"]["managedFields"] = [
        {"manager": manager, "operation": way, "fieldsV1": {"f:spec": fields}} for manager, way, fields in entries
    ]
    return body


def applied(**spec: Any) -> dict[str, Any]:
    """A cluster that `kubectl apply` applied with these fields."""
    body = healthy()
    body["metadata"]["annotations"] = {LAST_APPLIED: json.dumps({"spec": {"hosts": [], **spec}})}
    return body


SET = {f"f:{MAINTENANCE}": {'v:"redis_slave03"': {}, ".": {}}, f"f:{FENCED}": {'v:"redis_slave01"': {}}}


def test_nothing_is_ours_in_a_cluster_that_others_made() -> None:
    assert own(healthy()) == Own()
    assert own(managed(("kubectl", "Apply", {**SET, "f:management": {}}), management="Paused")) == Own()
    assert own(managed(("kubectl-rsc", "Update", SET))) == Own()


def test_what_was_set_before_is_applied_again_with_every_change() -> None:
    body = managed(("argocd", "Apply", {}), ("kubectl-rsc", "Apply", {**SET, "f:management": {}}), management="Paused")
    mine = own(body)
    assert mine == Own("Paused", frozenset({"redis_slave03"}), frozenset({"redis_slave01"}))
    more = mine.with_hosts(FENCED, mine.hosts(FENCED) | {"redis_slave02"})
    assert more.patch("redis-cluster")["spec"] == {
        "management": "Paused",
        MAINTENANCE: ["redis_slave03"],
        FENCED: ["redis_slave01", "redis_slave02"],
    }
    none = Own().patch("redis-cluster")
    assert (none["metadata"], none["spec"]) == ({"name": "redis-cluster"}, {})


def test_a_file_that_leaves_the_field_out_undoes_nothing() -> None:
    for field, wanted in (("management", "Paused"), (MAINTENANCE, ["redis_slave03"])):
        assert undone_by(applied(), field, wanted) == []
        assert undone_by(healthy(), field, wanted) == []


def test_a_file_that_was_applied_with_the_field_undoes_it() -> None:
    assert undone_by(applied(management="Full"), "management", "Paused") == [
        "the file that was applied last has spec.management: Full; `kubectl apply -f` of it brings that back: take the "
        "field out of the file"
    ]
    assert undone_by(applied(maintenanceHosts=["a"]), MAINTENANCE, ["a", "b"]) == [
        'the file that was applied last has spec.maintenanceHosts: ["a"]; `kubectl apply -f` of it brings that back: '
        "take the field out of the file"
    ]
    assert undone_by(applied(management="Paused"), "management", "Paused") == []
    assert undone_by(applied(maintenanceHosts=["b", "a"]), MAINTENANCE, ["a", "b"]) == []


def test_another_who_applies_the_field_is_named() -> None:
    held = {"f:management": {}, f"f:{FENCED}": {'v:"a"': {}}}
    body = managed(("argocd", "Apply", held), ("somebody", "Update", held), management="Full")
    assert undone_by(body, "management", "Paused") == [
        "argocd applies spec.management as well, and its next apply may bring Full back: take the field out of what it "
        "applies"
    ]
    assert undone_by(body, "management", "Full") == []
    assert undone_by(body, FENCED, ["a", "b"]) == [], "hosts that it does not name it leaves alone"
    (said,) = undone_by(body, FENCED, ["b"])
    assert said.startswith("argocd applies spec.fencedHosts as well, and its next apply may bring a back")


def test_an_annotation_that_is_no_json_is_no_file() -> None:
    for text in ("{", "[]", '{"spec": 3}'):
        body = healthy()
        body["metadata"]["annotations"] = {LAST_APPLIED: text}
        assert last_applied(body) == {}
