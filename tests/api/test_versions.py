"""Another version of the definition than the operator's, and what an earlier one has stored."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.test_kube_operator import NAME, Operator, declare, declared, edit, get, until
from lab.controlplane import ControlPlane
from lab.operator import ACCOUNT, ROOT
from redis_sentinel_operator.api.crd import NEVER

pytestmark = pytest.mark.timeout(240)
FIRST = Path(__file__).parent / "versions" / "first"
PRESENT = ROOT / "crds"


def serve(api: ControlPlane, definition: Path | dict[str, Any], field: str, *, known: bool) -> None:
    """Apply a definition, and wait until it is served: until a field of that name is known, or is not."""
    api.apply(definition if isinstance(definition, Path) else [definition])
    api.wait_until(lambda: knows(api, field) == known, f"{field} to be {'' if known else 'un'}known")


def knows(api: ControlPlane, field: str) -> bool:
    return f'"{field}"'.encode() in (api.raw("/openapi/v3/apis/redis-sentinel-operator.io/v1alpha1") or b"")


@pytest.fixture
def first(api: ControlPlane) -> Iterator[ControlPlane]:
    """An API server with the first version of the definition."""
    serve(api, FIRST / "crd.yaml", "restartedAt", known=False)
    try:
        yield api
    finally:
        serve(api, PRESENT, "restartedAt", known=True)


@pytest.fixture
def environment(operator_environment: dict[str, str], api: ControlPlane) -> dict[str, str]:
    """The operator's environment; nobody holds the Lease."""
    api.kubectl("delete", "lease", ACCOUNT, "-n", ACCOUNT, "--ignore-not-found")
    return operator_environment


def test_what_was_stored_under_the_first_version_is_the_same_under_this_one(first: ControlPlane) -> None:
    files = [FIRST / "seed.yaml", FIRST / "everything.yaml"]
    names = [each["metadata"]["name"] for file in files for each in yaml.safe_load_all(file.read_text())]
    for file in files:
        first.kubectl("apply", "-f", str(file))
    before = {name: first.get("rsc", name, "-n", "redis") for name in names}
    try:
        serve(first, PRESENT, "restartedAt", known=True)
        for file in files:
            said = first.kubectl("apply", "-f", str(file)).splitlines()
            assert [line.rpartition(" ")[2] for line in said] == ["unchanged"] * len(said)
        unseen = {"status": {"observedGeneration": NEVER}}  # what this definition says of one that nobody looked at
        now = {name: first.get("rsc", name, "-n", "redis") for name in names}
        assert now == {name: body | unseen for name, body in before.items()}
        for name in names:  # an update goes through all rules, those of a change as well
            first.kubectl("annotate", "rsc", name, "-n", "redis", "example.com/touched=yes")
    finally:
        first.kubectl("delete", "rsc", "-n", "redis", *names)


def test_this_operator_does_not_start_on_the_first_definition(
    first: ControlPlane, environment: dict[str, str], tmp_path: Path
) -> None:
    operator = Operator(environment, tmp_path / "operator.log")
    try:
        assert operator.process.wait(90) == 1
    finally:
        operator.end()
    has_no = "the served redissentinelclusters.redis-sentinel-operator.io has no field status"
    assert operator.lines()[-1]["message"] == (
        f"{has_no}.master.restartedAt; {has_no}.hosts[].link; {has_no}.hosts[].followed ...; "
        "apply the CRD of this version: kubectl apply --server-side -f crds/"
    )
    assert not first.kubectl("get", "lease", ACCOUNT, "-n", ACCOUNT, "--ignore-not-found")


@pytest.fixture
def later(api: ControlPlane) -> Iterator[ControlPlane]:
    """An API server with a definition of a later version, which has more fields."""
    definition = yaml.safe_load((PRESENT / "redissentinelclusters.yaml").read_text())
    properties = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    more = {"type": "string", "maxLength": 16, "description": "of a later version"}
    properties["spec"]["properties"]["mood"] = more
    properties["spec"]["properties"]["hosts"]["items"]["properties"]["witness"] = {"type": "boolean"}
    properties["status"]["properties"]["mood"] = copy.deepcopy(more)
    serve(api, definition, "mood", known=True)
    try:
        yield api
    finally:
        serve(api, PRESENT, "mood", known=False)


@pytest.fixture
def cluster(api: ControlPlane) -> Iterator[str]:
    """A cluster on addresses where nobody is; its namespace."""
    yield from declared(api, declare(api))


def test_what_a_later_version_knows_is_not_passed_over(
    later: ControlPlane, environment: dict[str, str], cluster: str, tmp_path: Path
) -> None:
    """The operator was rolled back; the definition, and what a resource has of it, was not."""
    patch = [{"op": "add", "path": "/spec/hosts/1/witness", "value": True}]
    later.kubectl("patch", "rsc", NAME, "-n", cluster, "--type=json", "-p", json.dumps(patch))
    edit(later, cluster, {"mood": "calm"})
    with_status = json.dumps({"status": {"mood": "calm"}})
    later.kubectl("patch", "rsc", NAME, "-n", cluster, "--subresource=status", "--type=merge", "-p", with_status)
    operator = Operator(environment, tmp_path / "operator.log")
    try:
        status = until(lambda: told(later, cluster), "its word", operator=operator)
        mend = "a later version of the operator knows it, this one does not and changes nothing; run that version, or"
        assert status["phase"] == "Blocked"
        assert status["message"] == (
            f"spec.hosts[redis_slave01].witness: {mend} remove the field. spec.mood: {mend} remove the field."
        )
        edit(later, cluster, {"mood": None})
        patch = [{"op": "remove", "path": "/spec/hosts/1/witness"}]
        later.kubectl("patch", "rsc", NAME, "-n", cluster, "--type=json", "-p", json.dumps(patch))
        until(
            lambda: "later version" not in get(later, cluster)["status"]["message"], "its going on", operator=operator
        )
    finally:
        operator.end()


def told(api: ControlPlane, namespace: str) -> dict[str, Any]:
    """The status once it tells of a later version, {} before."""
    status: dict[str, Any] = get(api, namespace).get("status") or {}
    return status if "later version" in status.get("message", "") else {}
