"""kubectl-rsc on a real API server: what it sets and who undoes that, acts and their answers, rights and exit codes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import ShellComplete

from api.examples import changed, seed
from api.rsc import NAME, Rsc, annotation
from lab.binaries import binary
from lab.controlplane import ControlPlane
from lab.operator import ROOT
from redis_sentinel_operator.cli.exits import FORBIDDEN, NOT_DONE, NOT_FOUND, TIMED_OUT, USAGE
from redis_sentinel_operator.cli.main import rsc as commands

pytestmark = pytest.mark.timeout(240)
HEALTHY: dict[str, Any] = {"phase": "Healthy", "message": "all is as declared", "observedGeneration": 1}


@pytest.fixture
def rsc(api: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Rsc]:
    """The program as the administrator."""
    with closing(Rsc(api.admin_kubeconfig, namespace, capsys)) as program:
        yield program


@pytest.fixture
def file(api: ControlPlane, rsc: Rsc) -> Iterator[dict[str, Any]]:
    """The seed's file, applied as a person does (client-side)."""
    document = changed({"metadata.namespace": rsc.namespace})
    apply(api, document)
    yield document


def apply(api: ControlPlane, document: dict[str, Any], *how: str) -> None:
    api.kubectl("apply", *how, "-f", "-", stdin=json.dumps(document))


def reapplied(api: ControlPlane, document: dict[str, Any]) -> None:
    """The file once more, in both ways."""
    apply(api, document)
    apply(api, document, "--server-side", "--field-manager=pipeline", "--force-conflicts")


def test_what_it_sets_outlives_a_file_that_leaves_it_out(api: ControlPlane, rsc: Rsc, file: dict[str, Any]) -> None:
    rsc.ok("maintenance", "on", NAME, "redis_slave03", "--no-wait")
    rsc.ok("fence", NAME, "redis_slave02", "--no-wait")
    rsc.ok("fence", NAME, "redis_slave03", "--no-wait")
    paused = rsc("pause", NAME, "--no-wait")
    assert (paused.code, paused.err) == (0, "")
    reapplied(api, changed({"spec.redis.config.repl-timeout": 77}, file))
    spec = rsc.spec()
    assert spec["maintenanceHosts"] == ["redis_slave03"]
    assert sorted(spec["fencedHosts"]) == ["redis_slave02", "redis_slave03"]
    assert spec["management"] == "Paused"
    assert spec["redis"]["config"]["repl-timeout"] == 77, "and the file has its way with all else"

    told = rsc.ok("unfence", NAME, "redis_slave03")
    assert "management is Paused, so nothing is done" in told
    rsc.ok("resume", NAME, "--no-wait")
    rsc.ok("maintenance", "off", NAME, "redis_slave03", "--no-wait")
    reapplied(api, file)
    spec = rsc.spec()
    assert "management" not in spec
    assert not spec.get("maintenanceHosts")
    assert spec["fencedHosts"] == ["redis_slave02"], "taking one thing back leaves the others"


def test_a_file_that_has_the_field_undoes_it_and_that_is_said(
    api: ControlPlane, rsc: Rsc, file: dict[str, Any]
) -> None:
    with_both = changed({"spec.management": "Full", "spec.maintenanceHosts": ["redis_slave01"]}, file)
    apply(api, with_both)
    paused = rsc("pause", NAME, "--no-wait")
    assert paused.err == (
        "Note: the file that was applied last has spec.management: Full; `kubectl apply -f` of it brings that back: "
        "take the field out of the file\n"
    )
    aside = rsc("maintenance", "on", NAME, "redis_slave03", "--no-wait")
    assert 'has spec.maintenanceHosts: ["redis_slave01"]; `kubectl apply -f` of it brings that back' in aside.err
    assert sorted(rsc.spec()["maintenanceHosts"]) == ["redis_slave01", "redis_slave03"]
    apply(api, changed({"spec.redis.config.repl-timeout": 77}, with_both))
    assert (rsc.spec()["management"], rsc.spec()["maintenanceHosts"]) == ("Full", ["redis_slave01"])

    apply(
        api,
        changed({"spec.management": "Paused"}, file),
        "--server-side",
        "--field-manager=argocd",
        "--force-conflicts",
    )
    resumed = rsc("resume", NAME, "--no-wait")
    assert rsc.spec()["management"] == "Full"
    assert resumed.err == (
        "Note: argocd applies spec.management as well, and its next apply may bring Paused back: take the field out of "
        "what it applies\n"
    )


def test_what_somebody_patched_is_taken_back_as_well(api: ControlPlane, rsc: Rsc, file: dict[str, Any]) -> None:
    patch = json.dumps({"spec": {"maintenanceHosts": ["redis_slave01", "redis_slave03"], "management": "Paused"}})
    api.kubectl("patch", "rsc", NAME, "-n", rsc.namespace, "--type=merge", "-p", patch)
    rsc.ok("maintenance", "off", NAME, "redis_slave03", "--no-wait")
    assert rsc.spec()["maintenanceHosts"] == ["redis_slave01"]
    rsc.ok("resume", NAME, "--no-wait")
    assert rsc.spec()["management"] == "Full"


def test_observe_is_neither_paused_nor_resumed_by_it(api: ControlPlane, rsc: Rsc, file: dict[str, Any]) -> None:
    apply(api, changed({"spec.management": "Observe"}, file))
    for command in ("pause", "resume"):
        said = rsc(command, NAME)
        assert said.code == NOT_DONE
        assert "has management Observe" in said.err
    assert rsc.spec()["management"] == "Observe"
    assert "nothing is done until it is Full" in rsc.ok("fence", NAME, "redis_slave01"), "resume would not help"
    said = rsc("rotate", NAME, "--generate")
    assert (said.code, "no server would be given the password" in said.err) == (NOT_DONE, True)


def test_it_waits_until_the_operator_has_the_host_there(rsc: Rsc, file: dict[str, Any]) -> None:
    def played(host: Rsc) -> bool:
        if not host.spec().get("maintenanceHosts"):
            return False
        host.tell(**HEALTHY, hosts=[{"name": "redis_slave03", "address": "192.168.3.44", "state": "Maintenance"}])
        return True

    with rsc.operator(played):
        told = rsc.ok("maintenance", "on", NAME, "redis_slave03")
    assert told == "redis_slave03 is in maintenance\n"


def answering(wanted: str, result: str, message: str) -> Any:
    """An operator that takes an act of that verb up, and ends it."""
    begun: list[str] = []

    def played(rsc: Rsc) -> bool:
        asked = annotation(rsc.body(), "act").split()
        if not asked or asked[0] != wanted:
            return False
        verb, arg, at = asked
        act = {"verb": verb, "arg": arg, "at": at, "result": "Running" if not begun else result}
        goes = {"id": "1", "type": verb, "step": "fence", "message": "no writes are taken", "act": at}
        if not begun:
            begun.append(at)
            rsc.tell(**HEALTHY, acts=[act], operation=goes)
            return False
        rsc.tell(acts=[act | {"message": message}], operation=None)
        return True

    return played


def test_an_act_ends_with_its_answer_and_shows_what_goes_on(rsc: Rsc, file: dict[str, Any]) -> None:
    with rsc.operator(answering("switchover", "Done", "redis_slave02 is the master")):
        said = rsc("switchover", NAME, "redis_slave02")
    assert (said.code, said.out) == (0, "Done: redis_slave02 is the master\n")
    assert annotation(rsc.body(), "act").startswith("switchover redis_slave02 20")

    with rsc.operator(answering("drill", "Refused", "a replica is down; ask again when phase is Healthy")):
        said = rsc("drill", NAME)
    assert said.code == NOT_DONE
    assert said.err.endswith("kubectl rsc: Refused: a replica is down; ask again when phase is Healthy\n")
    assert annotation(rsc.body(), "act").startswith("drill - 20")


def test_an_act_that_nobody_answers_and_a_second_one(rsc: Rsc, file: dict[str, Any]) -> None:
    said = rsc("restart", NAME, "--timeout", "1")
    assert said.code == TIMED_OUT
    assert said.err == (
        f"kubectl rsc: waited 1 s in vain for the answer to the restart; see `kubectl rsc status {NAME}`, and whether "
        "the operator runs\n"
    )
    second = rsc("drill", NAME, "--no-wait")
    assert second.code == NOT_DONE
    assert second.err.startswith("kubectl rsc: another act is not answered yet (restart - 20")
    assert annotation(rsc.body(), "act").startswith("restart - "), "it is not replaced"


def test_what_loses_data_is_not_asked_for_by_accident(rsc: Rsc, file: dict[str, Any]) -> None:
    said = rsc("recover", NAME, "redis_slave01")
    assert said.code == USAGE
    assert said.err == (
        "kubectl rsc: Writes that redis_slave01 does not have are lost. Where nobody can be asked, say so with --yes\n"
    )
    assert annotation(rsc.body(), "act") == ""
    rsc.ok("recover", NAME, "redis_slave01", "--yes", "--no-wait")
    assert annotation(rsc.body(), "act").startswith("recover redis_slave01 ")


def test_a_rotation_ends_when_the_operator_says_so(api: ControlPlane, rsc: Rsc, file: dict[str, Any]) -> None:
    said = rsc("rotate", NAME, "--generate")
    assert said.code == NOT_FOUND
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis-auth", "namespace": rsc.namespace}}
    api.apply([{**secret, "type": "kubernetes.io/basic-auth", "stringData": {"password": "the-old-one"}}])

    def stored() -> tuple[str, str]:
        found = rsc.api.request("GET", rsc.api.path("redis-auth", "secrets", "api/v1"))
        return base64.b64decode(found["data"]["password"]).decode(), found["metadata"]["resourceVersion"]

    def played(by: Rsc) -> bool:
        password, version = stored()
        if password == "the-old-one":
            return False
        message = f"The Secrets can be used and the servers accept the password of resourceVersion {version}."
        by.tell(**HEALTHY, conditions=[condition("CredentialsInSync", message)])
        return True

    with rsc.operator(played):
        said = rsc("rotate", NAME, "--generate")
    assert (said.code, said.out) == (0, "Done: all servers have the new password; give it to the clients now\n")
    assert len(stored()[0]) > 40
    assert stored()[0] not in said.out + said.err


def condition(kind: str, message: str) -> dict[str, str]:
    when = "2026-01-31T12:00:00Z"
    return {"type": kind, "status": "True", "reason": kind, "message": message, "lastTransitionTime": when}


def test_reads_for_people_and_programs(rsc: Rsc, file: dict[str, Any]) -> None:
    assert "no operator has looked at it yet" in rsc.ok("status")
    assert rsc.ok("history") == "No failover is recorded.\n"
    rsc.tell(**HEALTHY, failovers=[{"from": "redis_master01", "cause": "Failure", "at": "2026-01-31T12:00:00Z"}])
    assert json.loads(rsc.ok("status", NAME, "-o", "json"))["phase"] == "Healthy"
    assert "cause: Failure" in rsc.ok("history", NAME, "-o", "yaml")
    assert "redis_master01 -> nobody yet" in rsc.ok("history")


def test_a_shell_completes_clusters_and_hosts(rsc: Rsc, file: dict[str, Any]) -> None:
    shell = ShellComplete(commands, {}, "kubectl-rsc", "_KUBECTL_RSC_COMPLETE")
    here = [f"--kubeconfig={rsc.kubeconfig}", "-n", rsc.namespace]

    def completed(*words: str, begun: str = "") -> list[str]:
        return [each.value for each in shell.get_completions([*words], begun)]

    assert completed(*here, "status") == [NAME]
    assert completed("fence", *here, NAME, begun="redis_s") == ["redis_slave01", "redis_slave02", "redis_slave03"]
    assert completed("fence", *here, "other") == []
    assert completed("status", "--kubeconfig=/no/such") == []


def test_kubectl_runs_and_completes_it_as_its_plugin(
    api: ControlPlane, rsc: Rsc, file: dict[str, Any], tmp_path: Path
) -> None:
    """Both files in PATH are all that is installed; the helper is what `completion kubectl` prints."""
    plugin, helper = tmp_path / "kubectl-rsc", tmp_path / "kubectl_complete-rsc"
    plugin.write_text(f'#!/bin/sh\nexec {sys.executable} -m redis_sentinel_operator.cli "$@"\n')
    helper.write_text(rsc.ok("completion", "kubectl"))
    for each in (plugin, helper):
        each.chmod(0o755)
    mine = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "operator")}
    environment = mine | {"KUBECONFIG": str(api.admin_kubeconfig)}

    def kubectl(*arguments: str) -> str:
        command = [str(binary("kubectl", api.console)), *arguments]
        return subprocess.run(command, env=environment, check=True, timeout=60, capture_output=True, text=True).stdout

    assert f"Cluster  {rsc.namespace}/{NAME}" in kubectl("rsc", "status", "-n", rsc.namespace)
    assert kubectl("__complete", "rsc", "resu").splitlines()[0] == "resume"
    assert NAME in kubectl("__complete", "rsc", "fence", "-n", rsc.namespace, "").splitlines()


def test_what_is_not_there(rsc: Rsc) -> None:
    said = rsc("status")
    assert said.code == NOT_FOUND
    assert said.err.startswith(f"kubectl rsc: there is no redissentinelcluster in namespace {rsc.namespace!r}")
    assert rsc("status", "other").code == NOT_FOUND
    for name in ("a", "b"):
        rsc.api.request("POST", rsc.api.path(), changed({"metadata": {"name": name}}))
    said = rsc("status")
    assert (said.code, said.err) == (
        USAGE,
        f"kubectl rsc: say which one: there are several in namespace {rsc.namespace!r}: a, b\n",
    )
    assert rsc("fence", "a", "nobody").code == NOT_FOUND


def test_only_the_users_own_rights(api: ControlPlane, rsc: Rsc, file: dict[str, Any]) -> None:
    """Somebody who may look but not change, and somebody who may nothing."""
    rules = ["--verb=get", "--verb=list", "--resource=redissentinelclusters.redis-sentinel-operator.io"]
    api.kubectl("create", "role", "reader", *rules, "-n", rsc.namespace)
    for name in ("reader", "nobody"):
        api.kubectl("create", "serviceaccount", name, "-n", rsc.namespace)
    account = f"--serviceaccount={rsc.namespace}:reader"
    api.kubectl("create", "rolebinding", "reader", "--role=reader", account, "-n", rsc.namespace)
    reader = Rsc(api.serviceaccount_kubeconfig(rsc.namespace, "reader"), rsc.namespace, rsc.capsys)
    api.wait_until_allowed(reader.kubeconfig, "list", "rsc", "-n", rsc.namespace)
    assert reader("status").code == 0
    for command in (["pause", NAME], ["drill", NAME], ["fence", NAME, "redis_slave01"], ["rotate", NAME, "--generate"]):
        said = reader(*command)
        assert said.code == FORBIDDEN, said
        assert said.err.count("\n") == 1
        assert "reader" in said.err
    nobody = Rsc(api.serviceaccount_kubeconfig(rsc.namespace, "nobody"), rsc.namespace, rsc.capsys)
    assert nobody("status", NAME).code == FORBIDDEN
    assert rsc.spec() == seed()["spec"]
