"""The operator as a process on a real API server: its start, its ends, and how kopf is used. No host is alive here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from lab.controlplane import ControlPlane
from lab.machine import run
from lab.operator import ACCOUNT, ROOT
from lab.seed import seed_cluster
from lab.workers import worker_number
from redis_sentinel_operator.handlers import FINALIZER

NAME = "redis-cluster"
PORT = 18034 + 10 * worker_number()  # and those that follow: all workers are on one machine
MODULE = "redis_sentinel_operator"
SOURCE = str(ROOT / "operator")
pytestmark = pytest.mark.timeout(240)


class Operator:
    """One operator process whose exit code can be asked for."""

    program: tuple[str, ...] = ("-m", MODULE)

    def __init__(self, environment: dict[str, str], log: Path, port: int = PORT, **settings: str) -> None:
        self.log = log
        self.port = port

        mine = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCE, "RSO_HTTP_PORT": str(port), **environment, **settings}
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, *self.program], env=mine, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )

    def probe(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> Operator:
        until(lambda: self.probe("/readyz")[0] == 200, "ready", operator=self)
        return self

    def lines(self) -> list[dict[str, Any]]:
        whole, _, _ = self.log.read_text().rpartition("\n")  # what is being written now is none yet
        return [json.loads(line) for line in whole.splitlines()]

    def said(self, words: str) -> bool:
        return any(words in line["message"] for line in self.lines())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    close = end


class Talkative(Operator):
    """One that lets kopf tell all that it does."""

    program = ("-c", f"from {MODULE} import logs, main; logs._QUIET.clear(); main.main([])")


def until(condition: Callable[[], Any], what: str, seconds: float = 90.0, operator: Operator | None = None) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        tail = operator.log.read_text()[-4000:] if operator else ""
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s\n{tail}"
        time.sleep(0.05)
    return found


@pytest.fixture
def environment(operator_environment: dict[str, str], api: ControlPlane) -> dict[str, str]:
    """The operator's environment; the Deployment of deploy/ has no node here, so nobody else holds the Lease."""
    api.kubectl("delete", "lease", ACCOUNT, "-n", ACCOUNT, "--ignore-not-found")
    return operator_environment


@pytest.fixture
def operator(environment: dict[str, str], tmp_path: Path) -> Iterator[Operator]:
    """A running operator that is ready."""
    running = Operator(environment, tmp_path / "operator.log")
    try:
        yield running.ready()
    finally:
        running.end()


@pytest.fixture
def talkative(environment: dict[str, str], tmp_path: Path) -> Iterator[Operator]:
    """A running operator whose kopf tells all."""
    running = Talkative(environment, tmp_path / "operator.log", LOG_LEVEL="DEBUG")
    try:
        yield running.ready()
    finally:
        running.end()


@pytest.fixture
def cluster(api: ControlPlane) -> Iterator[str]:
    """A cluster on addresses where nobody is; its namespace."""
    yield from declared(api, declare(api))


@pytest.fixture
def refused(api: ControlPlane) -> Iterator[str]:
    """A cluster whose Secret cannot be used, so that a pass does not wait for any host; its namespace."""
    yield from declared(api, declare(api, usable=False))


def declared(api: ControlPlane, namespace: str) -> Iterator[str]:
    yield namespace
    if get(api, namespace):
        patch = '{"metadata":{"finalizers":null}}'
        api.kubectl("patch", "rsc", NAME, "-n", namespace, "--type=merge", "-p", patch)
    api.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false")


def declare(api: ControlPlane, usable: bool = True) -> str:
    """Apply a namespace, Secrets and the cluster, with addresses of the lab's service range, where nobody answers."""
    namespace = f"op-{uuid.uuid4().hex[:8]}"
    body = seed_cluster(api.config)
    body["metadata"]["namespace"] = namespace
    prefix = api.network.services.rpartition(".")[0].rpartition(".")[0]
    for number, host in enumerate(body["spec"]["hosts"]):
        host["address"] = f"{prefix}.250.{number + 10}"
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode() if usable else "none"
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    known = "".join(f"{host['address']} {public}\n" for host in body["spec"]["hosts"])
    secrets = [
        secret(namespace, "redis-ssh", "kubernetes.io/ssh-auth", {"ssh-privatekey": private, "known_hosts": known}),
        secret(namespace, "redis-auth", "kubernetes.io/basic-auth", {"password": "canary-password"}),
    ]
    api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    api.apply([*secrets, body])
    return namespace


def secret(namespace: str, name: str, kind: str, values: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": kind, "stringData": values}


def get(api: ControlPlane, namespace: str) -> dict[str, Any]:
    """The cluster as stored, {} when there is none."""
    text = api.kubectl("get", "rsc", NAME, "-n", namespace, "--ignore-not-found", "-o", "json")
    found: dict[str, Any] = json.loads(text) if text.strip() else {}
    return found


def observed(api: ControlPlane, namespace: str) -> int:
    return int((get(api, namespace).get("status") or {}).get("observedGeneration", 0))


def edit(api: ControlPlane, namespace: str, spec: dict[str, Any]) -> int:
    api.kubectl("patch", "rsc", NAME, "-n", namespace, "--type=merge", "-p", json.dumps({"spec": spec}))
    return int(get(api, namespace)["metadata"]["generation"])


def test_it_says_who_holds_it_and_writes_nothing_but_status_and_its_finalizer(
    api: ControlPlane, operator: Operator, cluster: str
) -> None:
    until(lambda: get(api, cluster).get("status", {}).get("phase"), "a status", operator=operator)
    metadata = get(api, cluster)["metadata"]
    assert metadata["finalizers"] == [FINALIZER]
    assert not [name for name in metadata.get("annotations", {}) if "kopf" in name]
    assert operator.probe("/healthz") == (200, "ok\n")
    status, text = operator.probe("/metrics")
    assert status == 200
    assert f'rso_phase{{name="{NAME}",namespace="{cluster}",phase="' in text
    assert "rso_lease_fresh 1.0" in text


def test_a_change_of_the_spec_is_seen_at_once(api: ControlPlane, operator: Operator, refused: str) -> None:
    until(lambda: get(api, refused).get("status", {}).get("phase"), "a status", operator=operator)
    generation = edit(api, refused, {"management": "Paused"})
    until(lambda: observed(api, refused) == generation, "the new generation", operator=operator)


def test_a_deleted_cluster_is_gone_at_once_although_all_hosts_are_dead(
    api: ControlPlane, environment: dict[str, str], cluster: str, tmp_path: Path
) -> None:
    """Nothing comes back from any of them, and the operator is more patient with them than this test with it.

    That they take less than two seconds of a deletion is in tests/unit/test_departing.py, by a clock of its own.
    """
    for host in get(api, cluster)["spec"]["hosts"]:
        nowhere = (host["address"], "lladdr", "02:00:00:00:00:01", "dev", api.network.bridge)
        run(["ip", "neighbour", "replace", *nowhere, "nud", "permanent"])
    settings = {"RSO_CONNECT_TIMEOUT": "3600", "RSO_DEPARTURE_TIMEOUT": "3600"}
    with closing(Operator(environment | settings, tmp_path / "operator.log")) as operator:
        operator.ready()
        until(lambda: f'namespace="{cluster}"' in operator.probe("/metrics")[1], "metrics of it", operator=operator)
        api.kubectl("delete", "rsc", NAME, "-n", cluster, "--wait=false")
        until(lambda: not get(api, cluster), "the end of the cluster", operator=operator)
        until(lambda: f'"{cluster}"' not in operator.probe("/metrics")[1], "no metrics of it", operator=operator)


def test_a_deleted_namespace_goes_although_its_secrets_go_first(
    api: ControlPlane, operator: Operator, cluster: str
) -> None:
    until(lambda: get(api, cluster).get("status", {}).get("phase"), "a status", operator=operator)
    api.kubectl("delete", "secret", "--all", "-n", cluster)
    api.kubectl("delete", "namespace", cluster, "--timeout=90s")


def test_what_was_made_for_a_plan_is_deleted_when_it_expires_and_no_cluster_is(
    api: ControlPlane, operator: Operator, refused: str
) -> None:
    """Made by a program that was killed: the operator has the right to delete it, and does."""
    made = get(api, refused)
    when = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    ours = "redis-sentinel-operator.io"
    notes = {f"{ours}/plan-for": NAME, f"{ours}/expires-at": when.strftime("%Y-%m-%dT%H:%M:%SZ")}
    metadata = {"name": f"{NAME}-plan-1", "namespace": refused, "annotations": notes}
    body = {key: made[key] for key in ("apiVersion", "kind")} | {"metadata": metadata}
    api.apply([body | {"spec": made["spec"] | {"management": "Observe"}}])
    names = ("get", "rsc", "-n", refused, "-o", "name")
    until(lambda: "-plan-1" not in api.kubectl(*names), "that it is gone", operator=operator)
    assert datetime.now(UTC) > when
    assert get(api, refused)["metadata"]["uid"] == made["metadata"]["uid"]
    until(lambda: f"{NAME}-plan-1" not in operator.probe("/metrics")[1], "no metrics of it", operator=operator)


def test_a_term_signal_ends_it_soon_and_gives_the_lease_up(
    api: ControlPlane, talkative: Operator, cluster: str
) -> None:
    operator = talkative
    until(lambda: get(api, cluster).get("status", {}).get("phase"), "a status", operator=operator)
    operator.process.terminate()
    assert operator.process.wait(90) == 0
    assert operator.said("Hung tasks stopping is skipped: no tasks given."), "kopf waits 5 s for those"
    assert "holderIdentity" not in api.get("lease", ACCOUNT, "-n", ACCOUNT)["spec"]
    ours = [line for line in operator.lines() if not line["logger"].startswith("kopf")]
    assert [line for line in ours if line["level"] in ("error", "critical")] == []
    assert get(api, cluster)["metadata"]["finalizers"] == [FINALIZER]


def test_a_second_operator_waits_alive_and_follows_a_killed_one_at_once(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Not when the Lease ends: that takes longer than any test."""
    patient = environment | {"RSO_LEASE_DURATION": "36000"}
    with closing(Operator(patient, tmp_path / "operator.log")) as operator:
        operator.ready()
        with closing(Operator(patient, tmp_path / "second.log", PORT + 1)) as second:
            until(lambda: second.said("the Lease is held by"), "that it waits", operator=second)
            assert second.probe("/healthz")[0] == 200
            assert second.probe("/readyz")[0] == 503
            assert second.probe("/readyz/standby")[0] == 200
            operator.end()
            second.ready()


def test_who_waits_for_the_lease_ends_on_a_term_signal(
    environment: dict[str, str], operator: Operator, tmp_path: Path
) -> None:
    second = Operator(environment, tmp_path / "second.log", PORT + 1)
    try:
        until(lambda: second.said("the Lease is held by"), "that it waits", operator=second)
        second.process.terminate()
        assert second.process.wait(90) == 0
    finally:
        second.end()
    assert operator.probe("/readyz")[0] == 200


def test_it_ends_when_another_holds_the_lease(api: ControlPlane, operator: Operator) -> None:
    patch = '{"spec":{"holderIdentity":"somebody-else"}}'
    api.kubectl("patch", "lease", ACCOUNT, "-n", ACCOUNT, "--type=merge", "-p", patch)
    assert operator.process.wait(90) == 1
    assert [line["message"] for line in operator.lines() if line["level"] == "critical"] == [
        f"the Lease {ACCOUNT}/{ACCOUNT} is held by somebody-else, not by this process; this process ends"
    ]
    assert api.get("lease", ACCOUNT, "-n", ACCOUNT)["spec"]["holderIdentity"] == "somebody-else"


def test_an_api_server_that_hangs_ends_nothing_and_stops_changes(
    api: ControlPlane, operator: Operator, refused: str
) -> None:
    until(lambda: get(api, refused).get("status", {}).get("phase"), "a status", operator=operator)
    pid = api.daemons.pid("kube-apiserver")
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: operator.probe("/readyz")[0] == 503, "a Lease that is overdue", operator=operator)
        assert operator.probe("/healthz")[0] == 200
        assert "rso_lease_fresh 0.0" in operator.probe("/metrics")[1]
    finally:
        os.kill(pid, signal.SIGCONT)
    operator.ready()
    generation = edit(api, refused, {"management": "Paused"})
    until(lambda: observed(api, refused) == generation, "the new generation", operator=operator)
    assert operator.process.poll() is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("RSO_RESYNC", "soon", "RSO_RESYNC='soon' is no number of seconds"),
        ("RSO_RESYNK", "1", "RSO_RESYNK is no setting; known are RSO_BACKOFF_MAX"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT='xml' is neither json nor text"),
    ],
)
def test_a_wrong_setting_ends_it_with_a_sentence(name: str, value: str, words: str) -> None:
    mine = {"PATH": os.environ["PATH"], "PYTHONPATH": SOURCE, name: value}
    done = subprocess.run(
        [sys.executable, "-m", MODULE], env=mine, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 2
    assert f"redis-sentinel-operator: {words}" in done.stderr


def test_a_taken_port_ends_it_with_a_sentence(environment: dict[str, str], operator: Operator, tmp_path: Path) -> None:
    second = Operator(environment, tmp_path / "second.log", operator.port)
    try:
        assert second.process.wait(90) == 1
    finally:
        second.end()
    message = second.lines()[-1]["message"]
    assert message.startswith(f"port {operator.port} for probes and metrics cannot be had: ")
    assert message.endswith("; set RSO_HTTP_PORT")
