"""A lab host: a machine with systemd, sshd, dnf, firewalld and a disk of its own, booted by systemd-nspawn."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lab.cache import cache_root
from lab.families import FAMILIES, Family
from lab.machine import LabError, find, run
from lab.model import LabConfig, LabHost
from lab.processes import Process, children, process, reap, saved, spawn, wait_until
from lab.ssh import Completed, enter, ssh_banner

BOOT_SECONDS = 120.0


def disk(config: LabConfig) -> Path:
    """Where a lab's disks and keys lie; they are in the cache because /run is small on many machines."""
    return cache_root() / "labs" / config.name


@dataclass(frozen=True, slots=True)
class Host:
    """One host of a lab. What it is made of lies in files, so that any process can take it up again."""

    lab: LabConfig = field(repr=False)
    spec: LabHost
    trees: tuple[Path, ...] = field(repr=False)  # lower directories, uppermost first
    repo: Path = field(repr=False)

    @property
    def name(self) -> str:
        """The name as in the resource, such as redis_master01."""
        return self.spec.name

    @property
    def address(self) -> str:
        """The address on the lab's bridge."""
        return self.spec.address

    @property
    def family(self) -> Family:
        """Which EL it is."""
        return FAMILIES[self.spec.family]

    @property
    def machine(self) -> str:
        """The machine's name, short enough that nspawn's interface `vb-<machine>` needs no cut."""
        return f"{self.lab.name}-{self.address.rpartition('.')[2]}"

    @property
    def interface(self) -> str:
        """The end of the host's cable that hangs on the bridge."""
        return f"vb-{self.machine}"

    @property
    def root(self) -> Path:
        """The host's root directory, seen from here while it is mounted."""
        return self._disk / "root"

    @property
    def _disk(self) -> Path:
        return disk(self.lab) / self.spec.machine

    @property
    def _record(self) -> Path:
        return self.lab.state / f"{self.spec.machine}.process"

    @property
    def leader(self) -> Process | None:
        """Process 1 of the host as seen from here, or None when it is off."""
        supervisor = saved(self._record)
        below = children(supervisor.pid) if supervisor and supervisor.alive else []
        with suppress(ProcessLookupError):  # it may end, or be a helper of nspawn's that does, while we look
            return process(below[0]) if below else None
        return None

    @property
    def on(self) -> bool:
        """Whether the host runs."""
        return self.leader is not None

    def boot(self, wait: bool = True) -> None:
        """Switch the host on with the disk it has; `wait` until SSH and the firewall answer. Raises LabError."""
        if self.on:
            return
        self._mount()
        self._prepare()
        command = ["/bin/sh", "-c", self._in_own_cgroup(), "sh", find("systemd-nspawn"), *self._arguments()]
        spawn(command, self._disk / "console.log").save(self._record)
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout: float = BOOT_SECONDS) -> None:
        """Wait until the host has booted: sshd greets, and systemd has nothing left to do. Raises LabError."""
        if not wait_until(lambda: self.leader and ssh_banner(self.address), timeout, 0.05):
            raise LabError(f"{self.name} does not answer on SSH after {timeout:.0f} s: {self.console_tail()}")
        state = self.run("systemctl is-system-running --wait", check=False, timeout=timeout).stdout.strip()
        if state not in {"running", "degraded"}:
            raise LabError(f"{self.name} has booted badly ({state}): {self.console_tail()}")

    def power_cut(self) -> None:
        """Switch it off as a pulled plug does. The page cache survives: this proves nothing about fsync."""
        leader, supervisor = self.leader, saved(self._record)
        if leader:
            leader.kill()
        self._end_strays()
        if supervisor and not wait_until(lambda: not supervisor.alive, 5.0):
            supervisor.kill()
        if supervisor:
            reap(supervisor.pid)
        self._record.unlink(missing_ok=True)

    def _end_strays(self) -> None:
        """End what still runs in the host's control groups: a host whose nspawn was killed goes on without it."""
        for hierarchy in ("systemd", "unified", "."):
            for file in Path("/sys/fs/cgroup", hierarchy, "redis-lab", self.machine).rglob("payload/**/cgroup.procs"):
                for pid in _words(file):
                    with suppress(ProcessLookupError):
                        process(int(pid)).kill()

    def shut_down(self, timeout: float = 90.0) -> None:
        """Switch it off in order: services stop. Raises LabError when that takes longer than `timeout` seconds."""
        supervisor = saved(self._record)
        if self.on and supervisor:
            self.run("systemctl poweroff --no-block", check=False)
            if not wait_until(lambda: not supervisor.alive, timeout):
                raise LabError(f"{self.name} has not switched off within {timeout:.0f} s")
        self.power_cut()

    def reset(self, wait: bool = True) -> None:
        """Back to a bare host: plug pulled, disk wiped, booted. Its SSH host keys stay, so known_hosts stays true."""
        self.remove(keep_keys=True)
        self.boot(wait)

    def remove(self, keep_keys: bool = False) -> None:
        """Switch it off and remove its disk."""
        self.power_cut()
        self.unmount()
        for name in ("upper", "work", "root"):
            shutil.rmtree(self._disk / name, ignore_errors=False, onerror=absent_is_fine)
        if not keep_keys:
            shutil.rmtree(self._disk, onerror=absent_is_fine)

    def run(
        self, command: str | Sequence[str], *, stdin: str | None = None, check: bool = True, timeout: float = 60.0
    ) -> Completed:
        """Run a command as root on the host, as its admin at the console would (no SSH involved).

        A string goes to `/bin/sh -c`. Raises LabError on a non-zero exit unless `check` is false, and when it is off.
        """
        leader = self.leader
        if leader is None:
            raise LabError(f"{self.name} is switched off")
        done = enter(leader.pid, command, stdin, timeout)
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {command!r} exits {done.returncode}: {(done.stderr or done.stdout)[-1500:]}")
        return done

    def console_tail(self, lines: int = 12) -> str:
        """The last lines of the host's console."""
        log = self._disk / "console.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "no console"

    def known_hosts(self) -> str:
        """The lines of known_hosts for every key of the host."""
        keys = sorted((self._disk / "ssh").glob("ssh_host_*_key.pub"))
        return "".join(f"{self.address} {' '.join(key.read_text().split()[:2])}\n" for key in keys)

    def _mount(self) -> None:
        if self.root.is_mount():
            return
        for name in ("upper", "work", "root"):
            (self._disk / name).mkdir(parents=True, exist_ok=True)
        lower = ":".join(str(tree) for tree in self.trees)
        # Without syncs: several hosts share one disk, and a sentinel that waits two seconds for it goes into tilt.
        shutil.rmtree(self._disk / "work" / "work" / "incompat", onerror=absent_is_fine)  # the last mount's mark
        options = f"lowerdir={lower},upperdir={self._disk}/upper,workdir={self._disk}/work,volatile"
        run(["mount", "-t", "overlay", f"lab-{self.lab.name}", "-o", options, self.root])

    def unmount(self) -> None:
        """Take the disk off."""
        if self.root.is_mount() and not wait_until(self._unmounted, 10.0, 0.1):
            run(["umount", "-l", self.root])

    def _unmounted(self) -> bool:
        return subprocess.run([find("umount"), str(self.root)], capture_output=True, check=False).returncode == 0

    def _prepare(self) -> None:
        """What makes this disk this host; written at every boot, which changes nothing the second time."""
        etc = self.root / "etc"
        if not (self._disk / "upper/etc/machine-id").exists():
            (etc / "machine-id").write_text(uuid.uuid4().hex + "\n")
            self._install_keys()
        (etc / "hostname").write_text(self.spec.machine + "\n")
        self._write_network(etc)

    def _write_network(self, etc: Path) -> None:
        """The static address, for systemd-networkd and, where a genuine EL tree has them, network-scripts."""
        networks, scripts = etc / "systemd/network", etc / "sysconfig/network-scripts"
        networks.mkdir(parents=True, exist_ok=True)
        (networks / "10-host0.network").write_text(
            f"[Match]\nName=host0\n[Network]\nAddress={self.address}/{self.lab.subnet.prefixlen}\n"
            "ConfigureWithoutCarrier=yes\nIgnoreCarrierLoss=yes\n"  # a pulled cable takes no address away
        )
        if scripts.is_dir():
            (scripts / "ifcfg-host0").write_text(
                f"DEVICE=host0\nBOOTPROTO=none\nONBOOT=yes\nIPADDR={self.address}\nPREFIX={self.lab.subnet.prefixlen}\n"
            )

    def _install_keys(self) -> None:
        """The host's own SSH keys (made once, kept over a reset), and the lab's public key for root and admin."""
        keys = self._disk / "ssh"
        if not keys.exists():
            scratch = self._disk / "ssh.new"
            (scratch / "etc/ssh").mkdir(parents=True, exist_ok=True)
            for kind, bits in (("ed25519", "256"), ("ecdsa", "256"), ("rsa", "2048")):  # -A looks long for a larger one
                file = scratch / f"etc/ssh/ssh_host_{kind}_key"
                run(["ssh-keygen", "-q", "-t", kind, "-b", bits, "-N", "", "-C", self.machine, "-f", file])
            (scratch / "etc/ssh").rename(keys)
            shutil.rmtree(scratch)
        for key in keys.iterdir():
            shutil.copy2(key, self.root / "etc/ssh" / key.name)
        public = (disk(self.lab) / "id_ed25519.pub").read_text()
        for home, owner in ((self.root / "root", 0), (self.root / "home/admin", 1000)):
            if home.is_dir():
                _authorize(home / ".ssh", public, owner)

    def _in_own_cgroup(self) -> str:
        """A line of shell that puts itself into a cgroup of this host and becomes its arguments.

        nspawn makes `payload` below the cgroup it was started in: hosts that shared one would share system.slice too.
        """
        return (
            f"for h in systemd unified .; do d=/sys/fs/cgroup/$h; [ -e $d/cgroup.procs ] || continue; "
            f'd=$d/redis-lab/{self.machine}; mkdir -p $d && echo $$ >$d/cgroup.procs; done; exec "$@"'
        )

    def _arguments(self) -> list[str]:
        options = ["--quiet", "--register=no", "--keep-unit", "--boot", "--resolv-conf=off", "--timezone=off"]
        options += ["--link-journal=no", f"--directory={self.root}", f"--machine={self.machine}"]
        options += [f"--hostname={self.spec.machine}", f"--network-bridge={self.lab.bridge}"]
        return [*options, f"--bind-ro={self.repo}:/repo"]


def _authorize(folder: Path, public: str, owner: int) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "authorized_keys"
    file.write_text(public)
    file.chmod(0o600)
    for path in (folder, file):
        shutil.chown(path, owner, owner)


def _words(file: Path) -> list[str]:
    """The words of a file; none when it is gone."""
    try:
        return file.read_text().split()
    except OSError:
        return []


def remove_cgroups(config: LabConfig) -> None:
    """Remove the (empty) control groups of a lab's hosts."""
    for hierarchy in ("systemd", "unified", "."):
        for top in Path("/sys/fs/cgroup", hierarchy, "redis-lab").glob(f"{config.name}-*"):
            wait_until(lambda top=top: _removed(top), 10.0)  # type: ignore[misc]  # a kill may still be carried out


def _removed(top: Path) -> bool:
    for directory, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):
            os.rmdir(directory)
    return not top.exists()


def absent_is_fine(_function: object, path: str, error: object) -> None:
    """For rmtree: what somebody else has removed meanwhile is removed."""
    if Path(path).exists() and isinstance(error, tuple):
        raise error[1]
