"""A reader's terminal: a directory with the files that the pages speak of, and a kubectl for one control plane."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import yaml

from handbook.blocks import Block
from lab.binaries import binary
from lab.controlplane import ControlPlane
from lab.kubeconfig import assert_lab
from lab.machine import LabError
from lab.model import LabConfig, lab_config
from lab.operator import ROOT
from lab.seed import SEED

TOLD: Final = "192.168.3."  # the network of the pages' examples
_MOST: Final = 330.0  # seconds for a block: one that waits says five minutes at most


class CommandFailed(LabError):
    """A block of a page ended with an error; the message is what it said."""


class Shell:
    """Commands are run by bash, and end at the first that fails. Addresses of the pages become those of `lab`."""

    def __init__(self, plane: ControlPlane, directory: Path, lab: LabConfig | None = None) -> None:
        self.directory = directory / "checkout"
        self._home = directory / "home"
        self._programs = directory / "bin"
        self._lab = lab or lab_config()
        for made in (self.directory, self._home / ".ssh", self._programs):
            made.mkdir(parents=True)
        (self.directory / "crds").symlink_to(ROOT / "crds")
        shutil.copytree(ROOT / "deploy", self.directory / "deploy")
        self.write("cluster.yaml", (SEED / "cluster.yaml").read_text(encoding="utf-8"))
        self.write("auth.json", '{"auths": {}}')
        assert_lab(plane.admin_kubeconfig)
        words = f"{binary('kubectl', plane.console)} --kubeconfig={plane.admin_kubeconfig}"
        words += f" --cache-dir={plane.directory}/kubectl"  # as the lab's own: it is filled once
        (self._programs / "kubectl").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (self._programs / "kubectl").chmod(0o755)

    def keys(self, private: str, known_hosts: str) -> None:
        """Give the reader an SSH key, and the host keys that he has looked up."""
        key = self._home / ".ssh" / "id_ed25519"
        key.write_text(private)
        key.chmod(0o600)
        self.write("known_hosts", known_hosts)

    def write(self, name: str, text: str) -> None:
        """Write a file that commands speak of, with the lab's addresses."""
        (self.directory / name).write_text(self.local(text), encoding="utf-8")

    def cluster(self) -> dict[str, object]:
        """What the reader's cluster.yaml says."""
        found: dict[str, object] = yaml.safe_load((self.directory / "cluster.yaml").read_text(encoding="utf-8"))
        return found

    def local(self, text: str) -> str:
        """A text of the pages with the lab's addresses."""
        return text.replace(TOLD, str(self._lab.subnet.network_address).removesuffix("0"))

    def run(self, block: Block, stdin: str = "") -> str:
        """What the commands of a block print; `stdin` is what the reader types. Raises CommandFailed."""
        return self.command(block.code, str(block), stdin)

    def command(self, code: str, name: str, stdin: str = "") -> str:
        """What these commands print. Raises CommandFailed, which names them by `name`."""
        environment = {"PATH": f"{self._programs}:{os.environ['PATH']}", "HOME": str(self._home), "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.local(code)], cwd=self.directory, env=environment, check=False,
            input=stdin, capture_output=True, text=True, timeout=_MOST,
        )  # fmt: skip
        if done.returncode:
            raise CommandFailed(f"{name}: exit {done.returncode}\n{code}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        return done.stdout
