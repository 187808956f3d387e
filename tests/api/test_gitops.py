"""Tools that apply the same file again and again, beside the operator: nobody undoes what another wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from api.test_kube_operator import NAME, PORT, Operator, declare, declared, get, until
from lab.binaries import binary
from lab.controlplane import ControlPlane
from lab.operator import ACCOUNT, ROOT, pass_counts
from redis_sentinel_operator.handlers import FINALIZER

ROUNDS = 3
pytestmark = pytest.mark.timeout(240)
Document = dict[str, Any]


@pytest.fixture(scope="module")
def cluster(api: ControlPlane) -> Iterator[str]:
    """A cluster whose Secret cannot be used, so that its status soon says the same again and again; its namespace."""
    yield from declared(api, declare(api, usable=False))


@pytest.fixture(scope="module")
def operator(
    api: ControlPlane, operator_environment: dict[str, str], cluster: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """An operator that looks twice a second, and has said what it has to say."""
    api.kubectl("delete", "lease", ACCOUNT, "-n", ACCOUNT, "--ignore-not-found")
    log = tmp_path_factory.mktemp("gitops") / "operator.log"
    running = Operator(operator_environment, log, PORT, RSO_RESYNC="0.5")
    try:
        running.ready()
        until(lambda: get(api, cluster).get("status", {}).get("phase") == "Blocked", "its word", operator=running)
        after_passes(running)
        yield running
    finally:
        running.end()


def file_of(found: Document) -> Document:
    """The file in Git: what a person wrote of the resource."""
    metadata = {key: found["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata, "spec": found["spec"]}


def passes(operator: Operator) -> int:
    return sum(pass_counts(operator.probe("/metrics")[1]))


def after_passes(operator: Operator) -> None:
    """Let it look at the resource some times more."""
    before = until(lambda: passes(operator), "a pass", operator=operator)
    until(lambda: passes(operator) >= before + 2, "two passes", operator=operator)


@pytest.mark.parametrize(
    "how",
    [("--server-side", "--field-manager=argocd-controller", "--force-conflicts"), ()],
    ids=["server side, as Argo CD and Flux", "client side"],
)
def test_who_applies_in_a_loop_writes_nothing_and_is_not_undone(
    api: ControlPlane, operator: Operator, cluster: str, how: Sequence[str]
) -> None:
    text = json.dumps(file_of(get(api, cluster)))
    api.kubectl("apply", *how, "-f", "-", stdin=text)  # the first time it becomes an owner
    before = get(api, cluster)
    for _ in range(ROUNDS):
        api.kubectl("apply", *how, "-f", "-", stdin=text)
        after_passes(operator)
    assert get(api, cluster) == before, "also its resourceVersion"
    assert before["status"]["observedGeneration"] == before["metadata"]["generation"]


def test_the_operator_owns_status_and_its_finalizer_only(api: ControlPlane, operator: Operator, cluster: str) -> None:
    text = api.kubectl("get", "rsc", NAME, "-n", cluster, "--show-managed-fields", "-o", "json")
    owned = [each["fieldsV1"] for each in json.loads(text)["metadata"]["managedFields"]]
    ours = [each for each in owned if "f:status" in each or "f:finalizers" in each.get("f:metadata", {})]
    assert {name for each in ours for name in [*each, *each.get("f:metadata", {})]} - {"."} == {
        "f:status", "f:metadata", "f:finalizers",
    }  # fmt: skip


def test_a_replace_takes_the_finalizer_off_and_the_operator_puts_it_back(
    api: ControlPlane, operator: Operator, cluster: str
) -> None:
    before = get(api, cluster)
    for _ in range(ROUNDS):
        api.kubectl("replace", "-f", "-", stdin=json.dumps(file_of(before)))
        until(
            lambda: get(api, cluster)["metadata"].get("finalizers") == [FINALIZER], "its finalizer", operator=operator
        )
    after_passes(operator)
    after = get(api, cluster)
    assert (after["spec"], after["status"]) == (before["spec"], before["status"])
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    after_passes(operator)
    assert get(api, cluster) == after, "all is quiet again"


def test_the_command_of_the_page_gives_argo_cd_the_script_and_leaves_its_settings(api: ControlPlane) -> None:
    page = (ROOT / "docs/gitops.md").read_text()
    (command,) = (each for each in re.findall(r"^```sh\n(.*?)^```", page, re.S | re.M) if "argocd-cm" in each)
    api.kubectl("create", "namespace", "argocd")
    api.kubectl("create", "configmap", "argocd-cm", "-n", "argocd", "--from-literal=url=https://argocd.example")
    for _ in range(2):
        _shell(api, command)
    found = api.get("configmap", "argocd-cm", "-n", "argocd")["data"]
    key = "resource.customizations.health.redis-sentinel-operator.io_RedisSentinelCluster"
    assert found == {"url": "https://argocd.example", key: (ROOT / "deploy/gitops/argocd-health.lua").read_text()}


def _shell(api: ControlPlane, command: str) -> None:
    path = f"{Path(binary('kubectl')).parent}:{os.environ['PATH']}"
    environment = os.environ | {"KUBECONFIG": str(api.admin_kubeconfig), "PATH": path}
    subprocess.run(["bash", "-euo", "pipefail", "-c", command], cwd=ROOT, env=environment, check=True, timeout=200)
