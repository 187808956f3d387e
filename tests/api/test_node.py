"""The lab's node runs Pods, and nothing of it is left on the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import node as lab_node
from lab.cache import cache_root
from lab.controlplane import STATE, ControlPlane, clean
from lab.machine import run
from lab.model import LabConfig, lab_config
from lab.node import SYSCTLS, Node
from lab.nodefiles import PAUSE, rules_table

TESTS = Path(__file__).parents[1]
LAB = ("cpn", "192.168.30.0/24")
pytestmark = pytest.mark.timeout(240)


def pod(name: str) -> dict[str, object]:
    container = {"name": "pause", "image": PAUSE, "imagePullPolicy": "Never"}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def traces(config: LabConfig) -> dict[str, list[str]]:
    """Everything on this machine that bears the name of the lab's node or control plane."""
    directories = (
        f"{STATE / config.name}/",
        f"{lab_node.STATE / config.name}/",
        f"{cache_root()}/nodes/{config.name}/",
    )
    commands = list(_contents(Path("/proc").glob("[0-9]*/cmdline")))
    mounts = Path("/proc/mounts").read_text().splitlines()
    return {
        "processes": [line for line in commands if any(directory in line for directory in directories)],
        "mounts": [line for line in mounts if any(directory in line for directory in directories)],
        "interfaces": [path.name for path in Path("/sys/class/net").iterdir() if path.name.endswith(f"-{config.name}")],
        "packet rules": [line for line in run(["nft", "list", "tables"]).splitlines() if f"_{config.name}" in line],
        "control groups": [str(path) for path in control_groups(config)],
        "data": [directory for directory in directories if Path(directory).exists()],
    }


def control_groups(config: LabConfig) -> list[Path]:
    """The node's control group: one on a machine of cgroup v2, one a controller on v1."""
    top = Path("/sys/fs/cgroup")
    return [group for parent in (top, *top.iterdir()) if (group := parent / f"rlnode-{config.name}").is_dir()]


def from_pod(config: LabConfig, address: str, port: int, seconds: int) -> bool:
    """Whether a TCP connection out of the network of the lab's one Pod comes about within some seconds."""
    pid = next(pid for file in control_groups(config)[0].rglob("cgroup.procs") for pid in file.read_text().split())
    connect = f"import socket; socket.create_connection(({address!r}, {port}), timeout={seconds})"
    command = ["nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-c", connect]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def dropped(config: LabConfig) -> int:
    """How many packets of Pods were kept from leaving this machine."""
    rules = json.loads(run(["nft", "--json", "list", "chain", "ip", rules_table(config), "forward"]))["nftables"]
    return sum(
        part["counter"]["packets"]
        for rule in rules
        for part in rule.get("rule", {}).get("expr", ())
        if "counter" in part
    )


def _contents(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        try:
            yield path.read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue


def kernel_settings() -> dict[str, str]:
    return {key: Path("/proc/sys", key).read_text() for key in SYSCTLS}


def test_pods_run_and_nothing_is_left() -> None:
    config = lab_config(*LAB)
    before = kernel_settings()
    with ControlPlane(config) as plane:
        with Node(config, plane):
            plane.apply([pod("first")])
            plane.kubectl("wait", "--for=condition=Ready", "pod/first", "--timeout=90s")
            status = plane.get("pod", "first")["status"]
            assert status["podIP"].startswith("198.18.30.")
            assert status["hostIP"] == plane.network.node_address
            assert all(traces(config).values()), traces(config)
            assert from_pod(config, plane.network.api_service, 443, 30), "the API server by its Service address"
            assert dropped(config) == 0
            assert not from_pod(config, "203.0.113.1", 80, 1), "an address outside"
            assert dropped(config) > 0
        left = traces(config)
        assert (left["mounts"], left["packet rules"], left["control groups"]) == ([], [], [])
    assert traces(config) == {kind: [] for kind in left}
    assert kernel_settings() == before


def test_a_kept_lab_goes_as_a_whole_when_it_is_taken_down() -> None:
    config = lab_config(*LAB)
    plane = ControlPlane(config)
    try:
        plane.start(keep=True)
        with Node(config, plane) as node:
            pass
        assert node.ready()
    finally:
        clean(config)
    left = traces(config)
    assert left == {kind: [] for kind in left}


def test_a_node_whose_driver_is_killed_goes_with_its_pods() -> None:
    config = lab_config(*LAB)
    before = kernel_settings()
    script = (
        "import time; from lab.controlplane import ControlPlane; from lab.model import lab_config; "
        f"from lab.node import Node; config = lab_config{LAB!r}; plane = ControlPlane(config); plane.start(); "
        "Node(config, plane).start(); print('up', flush=True); time.sleep(600)"
    )
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    driver = subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
    assert driver.stdout is not None
    with driver.stdout:
        assert driver.stdout.readline() == "up\n"
        plane = ControlPlane(config)
        plane.apply([pod("second")])
        plane.kubectl("wait", "--for=condition=Ready", "pod/second", "--timeout=90s")
        driver.send_signal(signal.SIGKILL)
    driver.wait()
    deadline = time.monotonic() + 120
    while any(traces(config).values()) or kernel_settings() != before:
        assert time.monotonic() < deadline, traces(config)
        time.sleep(0.1)
