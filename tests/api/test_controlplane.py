"""The lab's control plane is what the suites trust: rights are enforced, others are refused, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lab.clusternet import cluster_network
from lab.controlplane import STATE, ControlPlane, KubectlError
from lab.kubeconfig import NotALab, assert_lab
from lab.machine import LabError
from lab.model import LabConfig, lab_config

TESTS = Path(__file__).parents[1]
FIRST = ("cp", "192.168.32.0/24")
SECOND = ("cpb", "192.168.33.0/24")
pytestmark = pytest.mark.timeout(240)


def interfaces_of(config: LabConfig) -> list[str]:
    """Interfaces and routes of this lab's control plane; other processes may have other labs at the same time."""
    network = cluster_network(config)
    lines = [
        line
        for words in (["-brief", "link"], ["-4", "route"], ["-6", "route"])
        for line in subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    ours = (network.bridge, network.node_address, network.services, network.services_v6)
    return [line for line in lines if any(word in line.split() for word in ours)]


def processes_of(config: LabConfig) -> list[str]:
    """Command lines that name the directory of this lab's control plane."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if f"{STATE / config.name}/" in line:
            found.append(line)
    return found


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(lab_config(*FIRST)) as plane:
        yield plane


@pytest.fixture(scope="module")
def stranger(plane: ControlPlane) -> Path:
    """The kubeconfig of a ServiceAccount that nobody gave any right."""
    plane.kubectl("create", "namespace", "strangers")
    plane.kubectl("create", "serviceaccount", "nobody", "-n", "strangers")
    return plane.serviceaccount_kubeconfig("strangers", "nobody")


def test_a_serviceaccount_without_rights_is_refused(plane: ControlPlane, stranger: Path) -> None:
    with pytest.raises(KubectlError) as refused:
        plane.kubectl("get", "secrets", "-n", "strangers", kubeconfig=stranger)
    assert (
        'User "system:serviceaccount:strangers:nobody" cannot list resource "secrets" in API group "" '
        'in the namespace "strangers"'
    ) in str(refused.value)


def test_a_serviceaccount_has_what_it_was_given_and_no_more(plane: ControlPlane, stranger: Path) -> None:
    plane.kubectl("create", "role", "reader", "--verb=get,list", "--resource=configmaps", "-n", "strangers")
    plane.kubectl("create", "rolebinding", "r", "--role=reader", "--serviceaccount=strangers:nobody", "-n", "strangers")
    plane.wait_until_allowed(stranger, "list", "configmaps", "-n", "strangers")
    own = ("get", "configmap", "kube-root-ca.crt", "-n", "strangers", "--ignore-not-found", "-o", "name")
    plane.wait_until(lambda: bool(plane.kubectl(*own)), "what is in every namespace")
    allowed = plane.kubectl("get", "configmaps", "-n", "strangers", "-o", "name", kubeconfig=stranger)
    assert allowed == "configmap/kube-root-ca.crt\n"
    with pytest.raises(KubectlError, match='cannot create resource "configmaps"'):
        plane.kubectl("create", "configmap", "x", "-n", "strangers", kubeconfig=stranger)
    with pytest.raises(KubectlError, match=r'cannot list resource "configmaps" .* in the namespace "default"'):
        plane.kubectl("get", "configmaps", "-n", "default", kubeconfig=stranger)


def test_kubeconfigs_and_keys_are_for_their_owner_only(plane: ControlPlane, stranger: Path) -> None:
    secret = [
        *plane.directory.glob("*.kubeconfig"),
        *plane.directory.glob("certs/*.key"),
        plane.directory / "tokens.csv",
    ]
    assert stranger in secret
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in secret} == {path.name: "0o600" for path in secret}


def test_services_have_addresses_of_both_families(plane: ControlPlane) -> None:
    ports = [{"port": 6379}]
    spec = {"ipFamilyPolicy": "RequireDualStack", "ports": ports}
    metadata = {"name": "both", "namespace": "default"}
    plane.apply([{"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}])
    families = plane.get("service", "both", "-n", "default")["spec"]["ipFamilies"]
    assert families == ["IPv4", "IPv6"]


def test_service_addresses_stay_on_this_machine(plane: ControlPlane) -> None:
    service = plane.get("service", "kubernetes", "-n", "default")["spec"]["clusterIPs"]
    service.append(plane.network.services_v6.replace("::/112", "::1"))
    for address in service:
        route = subprocess.run(["ip", "route", "get", address], capture_output=True, text=True, check=True).stdout
        assert f"dev {plane.network.bridge}" in route


def test_a_deleted_namespace_goes_with_what_is_in_it(plane: ControlPlane) -> None:
    plane.kubectl("create", "namespace", "short-lived")
    plane.kubectl("create", "configmap", "inside", "-n", "short-lived")
    plane.kubectl("delete", "namespace", "short-lived", "--timeout=90s")
    with pytest.raises(KubectlError, match=r"\(NotFound\)"):
        plane.kubectl("get", "configmap", "inside", "-n", "short-lived")


def test_a_kubeconfig_that_no_lab_made_is_refused(plane: ControlPlane, tmp_path: Path) -> None:
    config = yaml.safe_load(plane.admin_kubeconfig.read_text())
    config["clusters"][0]["name"] = config["contexts"][0]["context"]["cluster"] = "production"
    foreign = tmp_path / "config"
    foreign.write_text(yaml.safe_dump(config))
    with pytest.raises(NotALab) as refused:
        plane.kubectl("get", "namespaces", kubeconfig=foreign)
    assert str(refused.value) == (
        f"{foreign} was not made by a lab: its current cluster is called 'production', not lab-.... The lab works on "
        "control planes of its own only; unset KUBECONFIG, or bring one up with `make lab-up`."
    )


def test_a_cluster_that_only_has_a_labs_name_is_refused(plane: ControlPlane, tmp_path: Path) -> None:
    config = yaml.safe_load(plane.admin_kubeconfig.read_text())
    del config["clusters"][0]["cluster"]["extensions"]
    foreign = tmp_path / "config"
    foreign.write_text(yaml.safe_dump(config))
    with pytest.raises(NotALab, match=r"its cluster lacks the extension redis-sentinel-operator\.io/lab"):
        assert_lab(foreign)
    assert assert_lab(plane.admin_kubeconfig) == "cp"


def test_two_control_planes_stand_side_by_side(plane: ControlPlane) -> None:
    with ControlPlane(lab_config(*SECOND)) as other:
        other.kubectl("create", "namespace", "only-here")
        with pytest.raises(KubectlError, match=r"\(NotFound\)"):
            plane.kubectl("get", "namespace", "only-here")
        with pytest.raises(KubectlError, match="certificate signed by unknown authority"):
            plane.kubectl("get", "namespaces", f"--server={other.url}")
        assert len(processes_of(other.config)) == 3
        assert len(interfaces_of(other.config)) == 4  # the bridge, two ranges, the bridge's own link-local route
    assert processes_of(other.config) == []
    assert interfaces_of(other.config) == []
    assert not other.directory.exists()
    assert plane.kubectl("get", "namespace", "default", "-o", "name") == "namespace/default\n"


def test_a_second_start_of_the_same_lab_is_refused_and_harms_nothing(plane: ControlPlane) -> None:
    with pytest.raises(LabError, match="lab cp is up already, and another process drives it"):
        ControlPlane(plane.config).start()
    assert plane.kubectl("get", "namespace", "default", "-o", "name") == "namespace/default\n"


def test_nothing_is_left_when_the_driver_is_killed() -> None:
    config = lab_config(*SECOND)
    script = (
        "import time; from lab.controlplane import ControlPlane; from lab.model import lab_config; "
        f"ControlPlane(lab_config{SECOND!r}).start(); print('up', flush=True); time.sleep(600)"
    )
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    driver = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    with driver.stdout:
        assert driver.stdout.readline() == "up\n"
        assert len(processes_of(config)) == 3
        driver.send_signal(signal.SIGKILL)
    driver.wait()
    with ControlPlane(config) as heir:  # at once: it waits for the end of the cleaning
        assert len(processes_of(config)) == 3
        assert heir.kubectl("get", "namespace", "default", "-o", "name") == "namespace/default\n"
    assert processes_of(config) == []
    assert interfaces_of(config) == []
    assert not (STATE / config.name).exists()


def test_what_is_kept_outlives_its_starter_and_is_refused_a_second_start() -> None:
    config = lab_config(*SECOND)
    script = (
        "from lab.controlplane import ControlPlane; from lab.model import lab_config; "
        f"ControlPlane(lab_config{SECOND!r}).start(keep=True)"
    )
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(TESTS)}, check=True)
    found = ControlPlane(config)
    try:
        assert found.kubectl("get", "namespace", "default", "-o", "name") == "namespace/default\n"
        with pytest.raises(LabError, match="the control plane of lab cpb is up already"):
            ControlPlane(config).start()
        assert found.running()
    finally:
        found.stop()
    assert processes_of(config) == []
    assert interfaces_of(config) == []
