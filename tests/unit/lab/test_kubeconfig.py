"""Only kubeconfigs of labs are taken: no test may speak to a cluster that matters to someone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.kubeconfig import NotALab, assert_lab, write_kubeconfig

Change = Callable[[dict[str, Any]], Any]


def made(tmp_path: Path, change: Change | None = None, server: str = "https://198.19.3.1:20060") -> Path:
    """A lab's kubeconfig, with one change."""
    path = write_kubeconfig(tmp_path / "config", "demo", server, tmp_path / "ca.crt", user="admin", token="T0ken")
    if change:
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))
    return path


def test_a_labs_own_is_taken_and_names_the_lab(tmp_path: Path) -> None:
    path = made(tmp_path)
    assert assert_lab(path) == "demo"
    assert path.stat().st_mode & 0o777 == 0o600


REFUSED: dict[str, tuple[Change, str]] = {
    "another name": (
        lambda c: (c["clusters"][0].update(name="prod"), c["contexts"][0]["context"].update(cluster="prod")),
        "its current cluster is called 'prod', not lab-...",
    ),
    "another context is current": (
        lambda c: c.update({"current-context": "prod"}),
        "its current cluster is called '', not lab-...",
    ),
    "no mark": (
        lambda c: c["clusters"][0]["cluster"].pop("extensions"),
        "its cluster lacks the extension redis-sentinel-operator.io/lab",
    ),
    "the mark of another lab": (
        lambda c: c["clusters"][0]["cluster"]["extensions"][0].update(extension={"lab": "other"}),
        "its cluster lacks the extension redis-sentinel-operator.io/lab",
    ),
    "a server with a name": (
        lambda c: c["clusters"][0]["cluster"].update(server="https://api.example.org:6443"),
        "its server 'https://api.example.org:6443' is not an address of a lab",
    ),
    "a public server": (
        lambda c: c["clusters"][0]["cluster"].update(server="https://8.8.8.8:6443"),
        "its server 8.8.8.8 is a public address",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_others_are_refused_with_the_reason(tmp_path: Path, case: str) -> None:
    change, reason = REFUSED[case]
    path = made(tmp_path, change)
    with pytest.raises(NotALab) as refused:
        assert_lab(path)
    assert str(refused.value) == (
        f"{path} was not made by a lab: {reason}. The lab works on control planes of its own only; "
        "unset KUBECONFIG, or bring one up with `make lab-up`."
    )
    assert "T0ken" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "[1]", "clusters: 5\ncurrent-context: x", "contexts: [x]", "\t"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(NotALab):
        assert_lab(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotALab, match="cannot be read as a kubeconfig: FileNotFoundError"):
        assert_lab(tmp_path / "none")
