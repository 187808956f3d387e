"""Where the binaries of the control plane come from: what is there of the right version, else a build.

There is no container registry and no package that brings a kube-apiserver, so the lab compiles it from the Go modules
pinned in `go/`. Cold that takes 5 to 8 minutes of two cores, once for a machine: the result is an artefact.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from lab.cache import artefact, cache_root
from lab.console import Console
from lab.golang import KUBERNETES_VERSION, MODULE, go_build, go_command

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-proxy": "k8s.io/kubernetes/cmd/kube-proxy",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
NODE = ("kubelet", "kube-scheduler")
PROXY = ("kube-proxy",)


def build_binaries(names: Iterable[str], console: Console | None = None) -> None:
    """Build those of `names` that are nowhere yet, each told as a step. Raises LabError when a build fails."""
    missing = [name for name in names if _found(name) is None]
    if missing:
        go_command(console)
    for number, name in enumerate(missing, 1):
        artefact(artefact_key(name), _builder(name, console), console, f"compiling {name} ({number} of {len(missing)})")


def binary(name: str, console: Console | None = None) -> Path:
    """The path of the command `name`, a key of PACKAGES.

    Taken, in this order, from the directory KUBEBUILDER_ASSETS, from PATH when it is of the minor version that the
    lab builds, from the cache, from a build. Raises LabError when the build fails.
    """
    found = _found(name)
    return found or artefact(artefact_key(name), _builder(name, console), console, f"compiling {name}") / name


def _found(name: str) -> Path | None:
    """The path of the command `name` where no build is needed."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).is_file():
        return Path(assets) / name
    on_path = shutil.which(name)
    if on_path and name != "etcd" and _minor_version(on_path) == KUBERNETES_VERSION.rpartition(".")[0]:
        return Path(on_path)
    kept = cache_root() / artefact_key(name) / name
    return kept if kept.is_file() else None


def artefact_key(name: str) -> str:
    """What the cache calls the binary `name`: its version and the modules it was built from."""
    pinned = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:8]
    return f"{name}-{KUBERNETES_VERSION}-{pinned}"


@cache
def _minor_version(command: str) -> str:
    """`1.36` of a Kubernetes command; empty when it does not say."""
    arguments = ["version", "--client"] if Path(command).name == "kubectl" else ["--version"]
    said = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"\bv(\d+\.\d+)\.\d+", said)
    return found[1] if found else ""


def _builder(name: str, console: Console | None) -> Callable[[Path], None]:
    def build(directory: Path) -> None:
        go_build(go_command(console), PACKAGES[name], directory / name)

    return build
