"""What a host costs the operator, in CPU and memory, with 100 and with 1,000 of them: real API server, simulated hosts.

The resources are Paused: everything is read, judged, followed and published, and nothing is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, times_slower
from bench.simulated import PORT, Fleet, address
from e2e.rig import PLURAL, Rig, condition
from lab.controlplane import ControlPlane
from lab.labs import Lab
from lab.machine import LabError
from lab.processes import wait_until
from lab.seed import NAMESPACE, seed_cluster, seed_secrets

SMALL, LARGE = 25, 250  # clusters of four hosts
WINDOW = 90.0
GOAL = 1.2
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the operator: CPU seconds in an hour, and MiB, of one host."""

    cpu: float
    memory: float


def fleet(lab: Lab, cp: ControlPlane, work: Path) -> list[Figure]:
    """Measure on copies of the hosts of `lab`, which are set up by the operator first."""
    rig = Rig(lab, cp)
    rig.declare()
    rig.operator.start()
    rig.wait_healthy()
    rig.forget()  # the originals run on, and nothing is asked of them twice
    for host in lab:  # their copies are many clusters', and a claim names one
        host.run("rm /var/lib/redis-sentinel-operator/state.json")
    with _simulation(lab, work) as host_key:
        small, large = (_cost(rig, count, host_key) for count in (SMALL, LARGE))
    return [
        times_slower("fleet_cost_per_host_cpu", large.cpu, small.cpu, GOAL, "s/h"),
        times_slower("fleet_cost_per_host_memory", large.memory, small.memory, GOAL, "MiB"),
    ]


def _cost(rig: Rig, count: int, host_key: str) -> Cost:
    rig.forget()
    rig.operator.start()
    base = _memory(rig.operator.pid)
    rig.namespace(NAMESPACE)
    for first in range(0, count, SMALL):
        clusters = range(first, min(first + SMALL, count))
        rig.cp.apply([each for cluster in clusters for each in _documents(rig, cluster, host_key)])
    rig.operator.wait_until(lambda: _all_read(rig, count), f"{count} clusters to be read", 600, every=2.0)
    time.sleep(5)  # what the start stirred up
    hosts = 4 * count
    before = _cpu(rig.operator.pid)
    time.sleep(WINDOW)
    cpu = (_cpu(rig.operator.pid) - before) / WINDOW * 3600 / hosts
    return Cost(cpu, (_memory(rig.operator.pid) - base) / hosts)


def _documents(rig: Rig, cluster: int, host_key: str) -> list[dict[str, Any]]:
    known_hosts = "".join(f"[{address(cluster, host)}]:{PORT} {host_key}\n" for host in range(4))
    secrets = seed_secrets(rig.lab.private_key.read_text(), known_hosts, rig.password)
    resource = seed_cluster(rig.lab.config)
    for document in (*secrets, resource):
        document["metadata"] |= {"name": f"{document['metadata']['name']}-{cluster}", "namespace": NAMESPACE}
    spec = resource["spec"]
    spec |= {"management": "Paused", "masterName": "redis-cluster"}
    spec["ssh"] = {**spec.get("ssh", {}), "port": PORT, "secretRef": {"name": f"redis-ssh-{cluster}"}}
    spec["auth"] = {"passwordSecretRef": {"name": f"redis-auth-{cluster}", "key": "password"}}
    for host, declared in enumerate(spec["hosts"]):
        declared["sshAddress"] = address(cluster, host)
    return [*secrets, resource]


def _all_read(rig: Rig, count: int) -> bool:
    """Whether all are told to be ready; by a bare request, as kubectl would take the operator's CPU away."""
    path = f"/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{NAMESPACE}/{PLURAL}"
    resources = json.loads(rig.cp.raw(path) or b'{"items": []}')["items"]
    ready = [each for each in resources if condition(each.get("status", {}), "Ready").get("status") == "True"]
    return len(ready) == count


@contextmanager
def _simulation(lab: Lab, work: Path) -> Iterator[str]:
    """Run the simulated hosts in a process of their own; the public half of their host key."""
    key = work / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    clients = work / "authorized_keys"
    clients.write_text(lab.private_key.with_suffix(".pub").read_text())
    file = work / "fleet.json"
    Fleet(tuple(host.address for host in lab.hosts), str(lab.private_key), str(key), str(clients)).save(file)
    with subprocess.Popen([sys.executable, "-m", "bench.simulated", str(file)]) as server:
        try:
            yield key.with_suffix(".pub").read_text().rsplit(None, 1)[0]
            if server.poll() is not None:
                raise LabError("the simulated hosts ended by themselves")
        finally:
            server.terminate()
            wait_until(lambda: server.poll() is not None, 10.0)


def _cpu(pid: int) -> float:
    """Seconds of CPU that a process has used, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _memory(pid: int) -> float:
    """Resident MiB of a process."""
    line = next(each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
