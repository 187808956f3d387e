"""A real node for a lab's control plane: containerd, runc, kubelet and the scheduler on this machine.

On it the operator runs as its users run it: as the Deployment of deploy/, from its image, with a Pod's token.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from lab.binaries import NODE, binary
from lab.cache import artefact, cache_root
from lab.console import Console
from lab.controlplane import ControlPlane
from lab.daemons import Daemons
from lab.guardian import Guardian
from lab.image import pause_image
from lab.machine import LabError, run
from lab.model import LabConfig
from lab.nodefiles import NodeFiles, packet_rules, rules_table
from lab.processes import process

STATE = Path("/run/redis-sentinel-node")
PACKAGES = ("containerd", "runc", "containernetworking-plugins")
# what kubelet and the network plugin change on the machine, and nobody changes back
SYSCTLS = (
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "net/ipv4/ip_forward",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
)


class Node:
    """The one node of lab `config`, whose control plane `plane` must be up before it."""

    def __init__(self, config: LabConfig, plane: ControlPlane) -> None:
        self.plane = plane
        self.config = config
        self.files = NodeFiles(
            cache_root() / "nodes" / config.name, plane.directory / "certs", node_tools(plane.console)
        )
        self.daemons = Daemons(STATE / config.name)
        self.cgroup = f"rlnode-{config.name}"
        self._guardian: Guardian | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._guardian is not None:
            self.stop()

    def start(self) -> None:
        """Start it and return when Pods can run.

        It ends with this process, unless its control plane was started to be kept. Raises LabError, TimeoutError.
        """
        commands = {name: binary(name, self.plane.console) for name in NODE}
        pause = pause_image(self.plane.console)
        self.stop()  # what a killed driver may have left
        if self.plane.claim is not None:
            self._guardian = Guardian("lab.node:clean", self.config, self.plane.claim)
        try:
            with self.plane.console.step("starting containerd, kubelet and kube-scheduler", "the node to be ready"):
                self._prepare()
                self._containerd()
                self.load(pause)
                self._kubelet(commands["kubelet"])
                self._scheduler(commands["kube-scheduler"])
                self.plane.wait_until(self.ready, "the node to be ready")
        except BaseException as error:
            error.add_note("\n".join(f"{d}:\n{self.daemons.log_tail(d)}" for d in ("containerd", "kubelet")))
            self.stop()
            raise

    def stop(self) -> None:
        """End it and every container, at once, like a power cut. Quiet when it is not up."""
        for name in ("kube-scheduler", "kubelet", "containerd"):
            self.daemons.stop(name)
        self._end_containers()
        _unmount(self.files.directory)
        _remove_rules(self.config)
        pods = self.plane.network.pod_bridge
        if Path("/sys/class/net", pods).exists():
            run(["ip", "link", "delete", pods])
        for directory in _cgroups(self.cgroup):
            _remove_cgroup(directory)
        shutil.rmtree(self.files.directory, ignore_errors=True)
        _restore_sysctls(self.config.name)
        shutil.rmtree(self.daemons.directory, ignore_errors=True)
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None

    def load(self, *archives: Path) -> None:
        """Make the images of docker-archives known to the node."""
        for archive in archives:
            self._ctr("images", "import", str(archive))

    def ready(self) -> bool:
        """Whether the node says that Pods can run, and none of its processes ended. Raises DaemonDied."""
        self.daemons.require("containerd", "kubelet", "kube-scheduler")
        nodes: list[dict[str, Any]] = self.plane.get("nodes")["items"]
        return any(c["type"] == "Ready" and c["status"] == "True" for n in nodes for c in n["status"]["conditions"])

    def _prepare(self) -> None:
        _save_sysctls(self.config.name)
        directory = self.files.directory
        (directory / "cni").mkdir(parents=True, mode=0o700)
        (directory / "containerd.toml").write_text(self.files.containerd())
        (directory / "cni" / "10-lab.conflist").write_text(self.files.cni(self.plane.network))
        (directory / "kubelet.json").write_text(self.files.kubelet(self.config, self.plane.network, self.cgroup))
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        run(["nft", "-f", "-"], text=packet_rules(self.config, self.plane.network))
        for cgroup in _cgroups(self.cgroup, missing=True):
            cgroup.mkdir(exist_ok=True)

    def _containerd(self) -> None:
        bin_directory = self.files.tools / "usr" / "bin"
        command: list[str | Path] = [bin_directory / "containerd", "--config", self.files.directory / "containerd.toml"]
        environment = os.environ | {"PATH": f"{bin_directory}:{self.files.tools}/usr/sbin:{os.environ['PATH']}"}
        self.daemons.start("containerd", command, environment)
        self.plane.wait_until(self._containerd_answers, "containerd to answer")

    def _containerd_answers(self) -> bool:
        self.daemons.require("containerd")
        try:
            self._ctr("version")
        except LabError:
            return False
        return True

    def _kubelet(self, command: Path) -> None:
        directory = self.files.directory
        flags = (
            f"--config={directory / 'kubelet.json'}",
            f"--kubeconfig={self.plane.directory / 'kubelet.kubeconfig'}",
            f"--root-dir={directory / 'kubelet'}",
            f"--cert-dir={directory / 'pki'}",
            f"--hostname-override={self.plane.node_name}",
            f"--node-ip={self.plane.network.node_address}",
        )
        self.daemons.start("kubelet", [command, *flags])

    def _scheduler(self, command: Path) -> None:
        flags = (
            f"--kubeconfig={self.plane.directory / 'scheduler.kubeconfig'}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.config.scheduler_port}",
            f"--cert-dir={self.files.directory / 'pki'}",
        )
        self.daemons.start("kube-scheduler", [command, *flags])

    def _ctr(self, *arguments: str) -> str:
        ctr = self.files.tools / "usr" / "bin" / "ctr"
        return run([ctr, f"--address={self.files.socket}", "--namespace=k8s.io", *arguments], timeout=120)

    def _end_containers(self) -> None:
        """End what runs in the node's own control groups, then the shims, which name its socket."""
        for cgroup in _cgroups(self.cgroup):
            for file in cgroup.rglob("cgroup.procs"):
                _kill_all(int(pid) for pid in file.read_text().split())
        _kill_all(_processes_naming(str(self.files.socket), "containerd-shim"))


def clean(config: LabConfig) -> None:
    """Take down the node of `config`, whoever started it."""
    Node(config, ControlPlane(config)).stop()


def node_tools(console: Console | None = None) -> Path:
    """containerd, runc and the network plugins of this machine's own package sources, unpacked and not installed.

    Installed, containerd would push out the one that Docker's packages bring.
    """

    def build(directory: Path) -> None:
        run(["apt-get", "update", "-qq"])
        run(["apt-get", "download", *PACKAGES], cwd=directory)
        for package in directory.glob("*.deb"):
            run(["dpkg-deb", "--extract", package, directory])
            package.unlink()

    return artefact("node-tools-bookworm-1", build, console, "fetching containerd, runc and the network plugins")


def _processes_naming(argument: str, program: str) -> Iterator[int]:
    """Processes of `program` that have `argument` among their arguments."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if argument in words and Path(words[0]).name.startswith(program):
            yield int(entry.parent.name)


def _kill_all(pids: Iterable[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            process(pid).kill()


def _unmount(directory: Path) -> None:
    """Unmount everything below `directory`, the innermost first."""
    for point in reversed(_mounts(directory)):
        try:
            run(["umount", "--lazy", point])
        except LabError:
            if point in _mounts(directory):  # else whoever used it was quicker
                raise


def _mounts(directory: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point.startswith(f"{directory}/")]


def _remove_rules(config: LabConfig) -> None:
    table = rules_table(config)
    if f"table ip {table}" in run(["nft", "list", "tables", "ip"]).splitlines():
        run(["nft", "delete", "table", "ip", table])


def _cgroups(name: str, missing: bool = False) -> list[Path]:
    """The directories of the control group `name`: one on a machine of cgroup v2, one a controller on v1."""
    top = Path("/sys/fs/cgroup")
    tops = (
        [top] if (top / "cgroup.controllers").exists() else [t for t in top.iterdir() if (t / "cgroup.procs").exists()]
    )
    return [t / name for t in tops if missing or (t / name).exists()]


def _remove_cgroup(directory: Path) -> None:
    for path, _, _ in os.walk(directory, topdown=False):
        Path(path).rmdir()


@contextmanager
def _shared() -> Iterator[Path]:
    """The file that nodes of this machine share, locked: the settings before the first of them started."""
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (STATE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield STATE / "sysctls.json"


def _save_sysctls(name: str) -> None:
    with _shared() as file:
        saved = json.loads(file.read_text()) if file.exists() else {"users": [], "values": _sysctls()}
        saved["users"] = sorted({*saved["users"], name})
        file.write_text(json.dumps(saved))


def _restore_sysctls(name: str) -> None:
    """Give the settings back when the last node goes."""
    with _shared() as file:
        if not file.exists():
            return
        saved = json.loads(file.read_text())
        saved["users"] = [user for user in saved["users"] if user != name]
        file.write_text(json.dumps(saved))
        if saved["users"]:
            return
        for key, value in saved["values"].items():
            Path("/proc/sys", key).write_text(value)
        file.unlink()


def _sysctls() -> dict[str, str]:
    return {key: Path("/proc/sys", key).read_text() for key in SYSCTLS if Path("/proc/sys", key).exists()}
