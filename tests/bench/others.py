"""The alternatives: the seed's procedure by Ansible and by pyinfra, from an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.labs import Lab
from lab.machine import LabError

HERE = Path(__file__).parent
PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Others:
    """Both tools over the hosts of a lab. `work` is a directory for inventories and secrets, root's only."""

    venv: Path
    lab: Lab
    password: str
    work: Path

    def ansible(self) -> float:
        """Run the play; seconds. Raises LabError with what it printed when it did not succeed."""
        variables = self._file("vars.json", json.dumps({"password": self.password, "master": self._master}))
        hosts = {f"h{at}": {"ansible_host": host.address} for at, host in enumerate(self.lab.hosts)}
        ssh = f"-o UserKnownHostsFile={self.known_hosts()} -o StrictHostKeyChecking=yes"
        common = {"ansible_user": "root", "ansible_ssh_private_key_file": str(self.lab.private_key)}
        common["ansible_ssh_common_args"] = ssh
        inventory = self._file("inventory.json", json.dumps({"all": {"hosts": hosts, "vars": common}}))
        environment = {
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NO_TARGET_SYSLOG": "1",  # it would write what it is given, the password too, into the journal
            "ANSIBLE_HOME": str(self.work / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_NOCOLOR": "1",
        }
        return self._timed(["ansible-playbook", "-i", str(inventory), "-e", f"@{variables}", "play.yml"], environment)

    def pyinfra(self) -> float:
        """Run the deploy; seconds. Raises LabError."""
        common = {
            "ssh_user": "root",
            "ssh_key": str(self.lab.private_key),
            "ssh_known_hosts_file": str(self.known_hosts()),
            "ssh_strict_host_key_checking": "yes",
        }
        hosts = [(host.address, common) for host in self.lab.replicas]
        inventory = self._file("inventory.py", f"hosts = {hosts!r}\n")
        return self._timed(["pyinfra", "-y", str(inventory), "deploy.py"], {"PASSWORD": self.password})

    @property
    def _master(self) -> str:
        return self.lab.master01.address

    def known_hosts(self) -> Path:
        """Return a file with the keys of all hosts."""
        return self._file("known_hosts", self.lab.known_hosts())

    def _file(self, name: str, text: str) -> Path:
        path = self.work / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _timed(self, command: list[str], environment: dict[str, str]) -> float:
        started = time.perf_counter()
        done = subprocess.run(
            [str(self.venv / "bin" / command[0]), *command[1:]],
            cwd=HERE,
            env={**_environment(), "PATH": f"{self.venv / 'bin'}:{os.environ['PATH']}", **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        took = time.perf_counter() - started
        if done.returncode != 0:
            raise LabError(f"{command[0]} did not succeed:\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}")
        return took


def _environment() -> dict[str, str]:
    """The environment without what makes Python find this project's packages instead of the tool's own."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
