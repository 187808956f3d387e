"""Where the control plane's binaries are taken from, and that a command of another version is not taken."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from lab.binaries import NODE, artefact_key, binary, build_binaries
from lab.console import console_on
from lab.golang import drop_build_files
from lab.machine import LabError


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of an empty cache; PATH has no command. What a test does not `keep` there would be built."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path / "cache" / "redis-sentinel-operator"


def keep(root: Path, name: str) -> Path:
    """Put `name` into the cache as a build would, under the key that the lab asks for."""
    return command(root / artefact_key(name), name, "")


def command(directory: Path, name: str, says: str) -> Path:
    """An executable in `directory` that prints `says`."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_the_cache_is_the_last_resort_before_a_build(cached: Path) -> None:
    kept = keep(cached, "kube-apiserver")
    assert binary("kube-apiserver") == kept


def test_a_command_on_path_of_the_same_minor_version_is_taken(cached: Path, tmp_path: Path) -> None:
    keep(cached, "kube-apiserver")
    found = command(tmp_path / "bin", "kube-apiserver", "Kubernetes v1.36.0")
    assert binary("kube-apiserver") == found


@pytest.mark.parametrize("says", ["Kubernetes v1.35.9", "Kubernetes v2.36.3", "no version"])
def test_a_command_on_path_of_another_version_is_not_taken(cached: Path, tmp_path: Path, says: str) -> None:
    kept = keep(cached, "kube-apiserver")
    command(tmp_path / "bin", "kube-apiserver", says)
    assert binary("kube-apiserver") == kept


def test_kubebuilder_assets_go_before_everything(cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cached, "etcd")
    command(tmp_path / "bin", "etcd", "etcd Version: 3.6.8")
    assets = command(tmp_path / "assets", "etcd", "")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets.parent))
    assert binary("etcd") == assets


def test_what_kubebuilder_assets_lack_is_taken_from_elsewhere(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    kept = keep(cached, "kube-controller-manager")
    assert binary("kube-controller-manager") == kept


COMPILER = """#!/bin/sh
[ "$1" = env ] && { echo go1.26.6; exit; }
echo "go: downloading a module" >&2
mkdir -p "$GOCACHE" "$GOMODCACHE/module" && touch "$GOCACHE/half" && chmod 0500 "$GOMODCACHE/module"
env | grep -q "^HOME=.*" && [ "${GOPATH#"$HOME"/go}" = "$GOPATH" ] || exit 3
for package; do :; done
case $package in *kube-scheduler) echo "scheduler.go: no such thing" >&2; exit 1;; esac
while [ "$1" != -o ]; do shift; done
echo made > "$2"
"""


def test_each_build_is_a_step_and_a_failed_one_says_what_the_compiler_said(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path / "bin", "go", "").write_text(COMPILER)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    keep(cached, "kubectl")
    told = io.StringIO()
    with pytest.raises(LabError, match=r"scheduler\.go: no such thing"):
        build_binaries(("kubectl", *NODE), console_on(told))
    assert re.sub(r"\d+\.\d s", "N s", told.getvalue()).splitlines() == [
        "compiling kubelet (1 of 2) ...",
        "compiling kubelet (1 of 2): done in N s",
        "compiling kube-scheduler (2 of 2) ...",
        "compiling kube-scheduler (2 of 2): failed after N s",
    ]
    assert (cached / artefact_key("kubelet") / "kubelet").read_text() == "made\n"

    assert (cached / "go-builds").exists()
    drop_build_files()
    assert sorted(path.name for path in cached.iterdir() if not path.name.startswith(".")) == [
        artefact_key("kubectl"),
        artefact_key("kubelet"),
    ]
