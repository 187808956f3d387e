"""Where the control plane's binaries are taken from, and that a command of another version is not taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.binaries import artefact_key, binary


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
