"""What a person can type next, now that a lab is left up."""

from __future__ import annotations

import shutil

from lab.binaries import binary
from lab.controlplane import ControlPlane
from lab.model import LabConfig
from lab.seed import NAMESPACE


def kubectl_ready(plane: ControlPlane) -> list[str]:
    """The lines that make a plain `kubectl` of the terminal speak to this lab."""
    kubectl = binary("kubectl", plane.console)
    lines = [f"export KUBECONFIG={plane.admin_kubeconfig}"]
    if shutil.which("kubectl") != str(kubectl):
        lines.append(f"export PATH={kubectl.parent}:$PATH")
    return lines


def cluster_looks() -> list[str]:
    """How to look at the cluster, and how to read its password."""
    return [
        "kubectl get rsc -A -o wide",
        f"kubectl -n {NAMESPACE} describe rsc redis-cluster",
        f"kubectl -n {NAMESPACE} get secret redis-auth -o jsonpath='{{.data.password}}' | base64 -d; echo",
    ]


def lab_looks(config: LabConfig) -> list[str]:
    """How to look at the hosts, and how to end it all."""
    return [
        config.make(f"lab-shell HOST={config.hosts[0].name}"),
        "make lab-status",
        f"{config.make('lab-down')}     # ends it",
    ]
