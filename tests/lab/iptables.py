"""Hosts with iptables-services instead of firewalld, as many EL7 machines are: its RPM, built here, and the change."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.cache import artefact
from lab.console import Console, default_console
from lab.hosts import Host
from lab.machine import run

_FILES = Path(__file__).with_name("packages") / "iptables-services"


def iptables_services(console: Console | None = None) -> Path:
    """The RPM file of iptables-services. Built and cached. Raises LabError."""
    digest = hashlib.sha256()
    for file in sorted(_FILES.iterdir()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())

    def build(path: Path) -> None:
        with TemporaryDirectory() as top:
            words = {"_topdir": top, "_rpmdir": str(path), "_build_name_fmt": "%%{NAME}.rpm", "lab_files": str(_FILES)}
            defines = [part for key, value in words.items() for part in ("--define", f"{key} {value}")]
            run(["rpmbuild", "-bb", "--quiet", "--nodeps", *defines, _FILES / "iptables-services.spec"])

    folder = artefact(f"iptables-services-{digest.hexdigest()[:12]}", build, console or default_console())
    return next(folder.glob("*.rpm"))


def use_iptables(host: Host) -> None:
    """Let iptables.service be the host's firewall from now on, with the file that the package brings."""
    shutil.copy(iptables_services(), host.root / "root/iptables-services.rpm")
    host.run("rpm -q iptables-services || rpm -i --nodeps /root/iptables-services.rpm; rm /root/iptables-services.rpm")
    host.run("systemctl disable -q --now firewalld; systemctl enable -q --now iptables ip6tables")
