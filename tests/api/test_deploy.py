"""`deploy/`: the rights it gives, to the letter, that its Pod is admitted, and what its removal leaves."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.conftest import explained
from handbook.blocks import blocks
from lab.controlplane import ControlPlane, KubectlError
from lab.model import lab_config
from lab.seed import SEED, seed_cluster, seed_secrets

ROOT = Path(__file__).parents[2]
OPERATOR = "redis-sentinel-operator"
pytestmark = pytest.mark.timeout(240)

Rule = tuple[str, str, str, str]  # verb, API group, resource, name
EVERYWHERE: set[Rule] = {
    *(
        (verb, "redis-sentinel-operator.io", "redissentinelclusters", "")
        for verb in ("get", "list", "watch", "patch", "delete")
    ),
    ("get", "redis-sentinel-operator.io", "redissentinelclusters/status", ""),
    ("patch", "redis-sentinel-operator.io", "redissentinelclusters/status", ""),
    ("get", "", "secrets", ""),
    ("create", "", "events", ""),
    ("patch", "", "events", ""),
    *((verb, "", "services", "") for verb in ("get", "create", "patch", "delete")),
    *((verb, "discovery.k8s.io", "endpointslices", "") for verb in ("get", "list", "create", "patch", "delete")),
    ("get", "", "namespaces", "kube-system"),
}
AT_HOME: set[Rule] = {
    ("create", "coordination.k8s.io", "leases", ""),
    ("get", "coordination.k8s.io", "leases", OPERATOR),
    ("update", "coordination.k8s.io", "leases", OPERATOR),
}


@pytest.fixture(scope="module")
def deployed() -> Iterator[ControlPlane]:
    """deploy/ applied as a user does, on an API server that other tests do not use. No node: no Pod of it runs."""
    with ControlPlane(lab_config("deploy", "192.168.31.0/24")) as plane:
        plane.apply(ROOT / "crds")
        plane.kubectl("create", "namespace", "redis")
        plane.kubectl("apply", "-k", str(ROOT / "deploy"))
        plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=90s")
        plane.wait_until(lambda: explained(plane), "the resource to be known")
        yield plane


def documents(api: ControlPlane) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(api.kubectl("kustomize", str(ROOT / "deploy"))))


def rights(api: ControlPlane, kubeconfig: Path, namespace: str) -> set[Rule]:
    """What the API server itself says that this account may do in `namespace`."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    arguments = ("create", "--validate=false", "-f", "-", "-o", "json")
    answer = json.loads(api.kubectl(*arguments, stdin=json.dumps(review), kubeconfig=kubeconfig))
    return {
        (verb, group, resource, name)
        for rule in answer["status"]["resourceRules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
    }


def rights_of(
    api: ControlPlane, account: Path, anybody: Path, given: Mapping[str, set[Rule]]
) -> Mapping[str, set[Rule]]:
    """What an account may do in these namespaces that not everybody may, once it may do all that it was given.

    The API server learns of a role and of its binding a moment after they were stored.
    """
    found: dict[str, set[Rule]] = {}

    def all_of_it() -> bool:
        found.update({each: rights(api, account, each) - rights(api, anybody, each) for each in given})
        return all(found[each] >= wanted for each, wanted in given.items())

    with contextlib.suppress(TimeoutError):  # then the difference is shown
        api.wait_until(all_of_it, "its rights")
    return found


@pytest.fixture(scope="module")
def anybody(deployed: ControlPlane) -> Path:
    """An account without rights of its own: what it may do, everybody may."""
    deployed.kubectl("create", "serviceaccount", "anybody", "-n", "redis")
    return deployed.serviceaccount_kubeconfig("redis", "anybody")


def test_the_operator_has_exactly_these_rights(deployed: ControlPlane, anybody: Path) -> None:
    operator = deployed.serviceaccount_kubeconfig(OPERATOR, OPERATOR)
    given = {"redis": EVERYWHERE, OPERATOR: EVERYWHERE | AT_HOME, "kube-system": EVERYWHERE}
    assert rights_of(deployed, operator, anybody, given) == given


def test_the_operator_cannot_list_secrets_but_get_one(deployed: ControlPlane) -> None:
    operator = deployed.serviceaccount_kubeconfig(OPERATOR, OPERATOR)
    deployed.apply(seed_secrets("a key", "a host key", "a password"))
    names = ("redis-ssh", "redis-auth")
    for name in names:
        found = deployed.kubectl("get", "secret", name, "-n", "redis", "-o", "name", kubeconfig=operator)
        assert found == f"secret/{name}\n"
    with pytest.raises(KubectlError, match='cannot list resource "secrets"'):
        deployed.kubectl("get", "secrets", "-n", "redis", kubeconfig=operator)
    deployed.kubectl("delete", "secret", *names, "-n", "redis")


def test_its_pod_is_admitted_under_the_restricted_profile(deployed: ControlPlane) -> None:
    """The namespace enforces the profile: a Pod that lacks a single point of it is refused."""
    namespace = deployed.get("namespace", OPERATOR)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    template = next(d for d in documents(deployed) if d["kind"] == "Deployment")["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"]}
    pod["metadata"] = {"name": "trial", "namespace": OPERATOR}
    create = ("create", "--dry-run=server", "-o", "name", "-f", "-")
    assert deployed.kubectl(*create, stdin=json.dumps(pod)) == "pod/trial\n"
    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(KubectlError, match="unrestricted capabilities"):
        deployed.kubectl(*create, stdin=json.dumps(pod))


def test_its_deployment_has_one_writer_and_bounds(deployed: ControlPlane) -> None:
    spec = deployed.get("deployment", OPERATOR, "-n", OPERATOR)["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 75
    container = spec["template"]["spec"]["containers"][0]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert set(container["resources"]["limits"]) == {"memory"}
    probes = {name: container[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe", "startupProbe")}
    assert probes == {"livenessProbe": "/healthz", "readinessProbe": "/readyz", "startupProbe": "/healthz"}


def test_the_example_and_its_secrets_are_accepted(deployed: ControlPlane) -> None:
    deployed.kubectl("apply", "--dry-run=server", "-k", str(SEED))
    deployed.kubectl("apply", "--dry-run=server", "-f", str(SEED / "secrets.example.yaml"))
    templates = list(yaml.safe_load_all((SEED / "secrets.example.yaml").read_text()))
    ours = seed_secrets("a key", "a host key", "a password")
    assert [shape(t, "stringData") for t in templates] == [shape(o, "data") for o in ours]


def shape(secret: dict[str, Any], values: str) -> tuple[str, str, set[str]]:
    """Name, type and keys of a Secret."""
    return secret["metadata"]["name"], secret["type"], set(secret[values])


def test_the_lab_of_the_example_is_the_example() -> None:
    assert seed_cluster(lab_config()) == yaml.safe_load((SEED / "cluster.yaml").read_text())


def test_removing_the_operator_leaves_the_definition_and_the_clusters(deployed: ControlPlane) -> None:
    deployed.apply([seed_cluster(lab_config())])
    uid = deployed.get("rsc", "redis-cluster", "-n", "redis")["metadata"]["uid"]
    deployed.kubectl("delete", "-k", str(ROOT / "deploy"), "--timeout=90s")
    with pytest.raises(KubectlError, match=r"\(NotFound\)"):
        deployed.get("namespace", OPERATOR)
    assert deployed.get("rsc", "redis-cluster", "-n", "redis")["metadata"]["uid"] == uid
    deployed.kubectl("delete", "rsc", "redis-cluster", "-n", "redis")


def test_the_lines_of_the_pages_name_the_image_of_a_registry(deployed: ControlPlane, tmp_path: Path) -> None:
    (lines,) = {block.code for block in blocks() if block.runner == "kustomization"}
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    with (tmp_path / "deploy" / "kustomization.yaml").open("a") as kustomization:
        kustomization.write(lines.replace("REGISTRY", "registry.example:5000/team"))
    made = yaml.safe_load_all(deployed.kubectl("kustomize", str(tmp_path / "deploy")))
    (deployment,) = (document for document in made if document["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example:5000/team/redis-sentinel-operator:0.1.0"
