"""A real OpenSSH server on loopback, run by whoever runs the tests, with keys and logins made for the test."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.ports import number_of, reserve_port
from redis_sentinel_operator.connect import Credentials, Limits, SshTarget

SSHD = "/usr/sbin/sshd"
KEY_TYPES = ("ed25519", "ecdsa", "rsa")
# Where a deadline is not what a test is about, a busy machine must not miss it.
PATIENT = Limits(tcp=50.0, handshake=50.0, auth=50.0, connect=50.0, channel=50.0, grace=50.0)


def make_key(path: Path, key_type: str = "ed25519", passphrase: str = "") -> str:
    """Make a key pair with ssh-keygen and return the private key's text."""
    bits = ["-b", "2048"] if key_type == "rsa" else []
    subprocess.run(
        ["ssh-keygen", "-q", "-a", "4", "-t", key_type, *bits, "-N", passphrase, "-C", "test", "-f", str(path)],
        check=True,
    )
    return path.read_text()


def fingerprint_of(key: Path) -> str:
    """Return what ssh-keygen says is the fingerprint of a key pair."""
    listed = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True)
    return listed.stdout.split()[1]


@dataclass
class Sshd:
    """One sshd: start it, log in to it, hurt it. Its port is its own until `close`, whether it runs or not."""

    folder: Path
    options: tuple[str, ...] = ()
    host_key_types: tuple[str, ...] = ("ed25519",)
    reserved: socket.socket = field(default_factory=reserve_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        assert Path(SSHD).exists(), f"{SSHD} is missing: apt-get install openssh-server"
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        for key_type in self.host_key_types:
            if not self.host_key(key_type).exists():
                make_key(self.host_key(key_type), key_type)
        if not (self.folder / "id").exists():
            make_key(self.folder / "id")
            self.authorize(self.folder / "id.pub")
        self.config.write_text(self._config_text())
        log = (self.folder / "sshd.log").open("ab")
        self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(self.config)], stdout=log, stderr=log)
        log.close()
        self._wait_until_it_listens()

    def close(self) -> None:
        """End it for good."""
        self.stop()
        self.reserved.close()

    def stop(self) -> None:
        """End the listener and every session it has."""
        if self.process is None:
            return
        self.signal_sessions(signal.SIGKILL)
        self.process.kill()
        self.process.wait()
        self.process = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return number_of(self.reserved)

    @property
    def config(self) -> Path:
        return self.folder / "sshd_config"

    def host_key(self, key_type: str) -> Path:
        return self.folder / f"host_{key_type}"

    def authorize(self, public_key: Path) -> None:
        """Let a key in."""
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(public_key.read_text())

    def known_hosts(self, *key_types: str) -> str:
        """Return the lines of known_hosts for the given types, all by default."""
        lines = []
        for key_type in key_types or self.host_key_types:
            kind, blob = self.host_key(key_type).with_suffix(".pub").read_text().split()[:2]
            lines.append(f"[127.0.0.1]:{self.port} {kind} {blob}")
        return "\n".join(lines) + "\n"

    def target(self, **changes: object) -> SshTarget:
        values: dict[str, object] = {"name": "redis_master01", "address": "127.0.0.1", "port": self.port}
        values |= {"user": getpass.getuser()} | changes
        return SshTarget(**values)  # type: ignore[arg-type]

    def credentials(self) -> Credentials:
        return Credentials(private_key=(self.folder / "id").read_text(), known_hosts=self.known_hosts())

    def session_pids(self) -> list[int]:
        """Return the processes of the open connections (not the commands they run)."""
        assert self.process is not None
        return [pid for pid in _descendants(self.process.pid) if _name(pid).startswith("sshd")]

    def signal_sessions(self, number: int) -> int:
        """Send a signal to them, and tell how many there were; one that just ends by itself is left to that."""
        pids = self.session_pids()
        for pid in pids:
            _signal(pid, number)
        return len(pids)

    def log(self) -> str:
        return (self.folder / "sshd.log").read_text()

    def _config_text(self) -> str:
        lines = [
            *self.options,  # sshd takes the first value it reads
            f"SetEnv HOME={self.folder}",  # not the startup files of whoever runs the tests
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"PidFile {self.folder}/pid",
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "MaxStartups 1000",
            "LogLevel VERBOSE",
            *(f"HostKey {self.host_key(key_type)}" for key_type in self.host_key_types),
        ]
        return "\n".join(lines) + "\n"

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + 50
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, f"sshd does not listen:\n{self.log()}"
                assert self.process is not None and self.process.poll() is None, f"sshd ended:\n{self.log()}"
                time.sleep(0.01)


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it ended meanwhile
        return []
    return children + [below for child in children for below in _descendants(child)]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
