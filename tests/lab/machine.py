"""The machine the lab runs on: what it must be, and the tools it needs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.console import Console, default_console

# command -> Debian package, beyond what prepare.sh installs for Python and the unit tests; iptables and nft are for
# partitions and for not being dropped by a strict FORWARD chain
TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "tcpdump": "tcpdump",
    "nsenter": "util-linux",
    "gcc": "build-essential",
    "buildah": "buildah",
    "ps": "procps",
}

# header -> Debian package: what redis 6.2 is compiled with, as EL9's
HEADERS = {"/usr/include/systemd/sd-daemon.h": "libsystemd-dev", "/usr/include/openssl/ssl.h": "libssl-dev"}

WATCHES = 2048


class LabError(Exception):
    """The lab cannot do what it was asked to; the message is for the person who asked."""


def require_machine(os_release: Path = Path("/etc/os-release")) -> None:
    """Refuse a machine that the lab was not made for. Raises LabError."""
    if os.geteuid() != 0:
        raise LabError("the lab boots machines and makes networks: run it as root")
    text = os_release.read_text() if os_release.exists() else ""
    words = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    system, version = words.get("ID", "").strip('"'), words.get("VERSION_ID", "").strip('"')
    if (system, version) != ("debian", "12"):
        raise LabError(f"the lab runs on Debian 12; this is {system or 'unknown'} {version}".rstrip())


def ensure_host_tools(console: Console | None = None) -> None:
    """Install what the machine lacks, from its own package sources. Raises LabError."""
    require_machine()
    wanted = {package for command, package in TOOLS.items() if not find(command)}
    missing = sorted(wanted | {package for header, package in HEADERS.items() if not Path(header).exists()})
    if not missing:
        return
    with (console or default_console()).step(f"installing {', '.join(missing)}", "apt-get"):
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=env)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], env=env)


def allow_many_watches(path: Path = Path("/proc/sys/fs/inotify/max_user_instances")) -> None:
    """Raise the machine's limit of inotify instances: 128 is used up by five labs, and systemd then hangs at boot."""
    if int(path.read_text()) < WATCHES:
        path.write_text(f"{WATCHES}\n")


def find(command: str) -> str:
    """Where `command` is, with the sbin directories that a root shell may lack; empty when it is nowhere."""
    path = os.environ.get("PATH", "").split(":")
    for directory in [*path, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]:
        if directory and os.access(f"{directory}/{command}", os.X_OK):
            return f"{directory}/{command}"
    return ""


def run(
    command: Sequence[str | Path],
    *,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    text: str | None = None,
    timeout: float | None = None,
) -> str:
    """Run a command of this machine and give its standard output. Raises LabError with what it said when it fails."""
    words = [str(word) for word in command]
    words[0] = find(words[0]) or words[0]
    done = subprocess.run(
        words, env=env, cwd=cwd, input=text, capture_output=True, text=True, timeout=timeout, check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise LabError(f"{' '.join(words)[:200]} failed ({done.returncode}): {said}")
    return done.stdout
