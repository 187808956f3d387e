"""What is wrong with the input is said in a condition, in full and with its mend, and no host is changed by it.

What the API server refuses by itself is in tests/api.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from e2e.rig import NAME, Rig, condition
from lab.faults import cut_off
from lab.observe import untouched
from lab.seed import NAMESPACE, seed_cluster, seed_secrets

Secrets = dict[str, dict[str, Any]]
Trouble = Callable[[Rig], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Case:
    """One mistake: how it is made, and the condition that names it. In `message` {address} is redis_slave02's."""

    condition: str
    reason: str
    message: str
    spec: dict[str, Any] = field(default_factory=dict)
    secrets: Callable[[Rig, Secrets], None] = lambda rig, secrets: None
    trouble: Trouble = lambda rig: nullcontext()


def _set(secrets: Secrets, name: str, key: str, value: str) -> None:
    secrets[name]["data"][key] = base64.b64encode(value.encode()).decode()


def other_key(rig: Rig, secrets: Secrets) -> None:
    """A private key that no host knows."""
    path = rig.lab.private_key.parent / "stranger"
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    _set(secrets, "redis-ssh", "ssh-privatekey", path.read_text())


def no_known_host(rig: Rig, secrets: Secrets) -> None:
    """known_hosts without redis_slave02."""
    address = rig.lab["redis_slave02"].address
    lines = [line for line in rig.lab.known_hosts().splitlines(keepends=True) if not line.startswith(address + " ")]
    _set(secrets, "redis-ssh", "known_hosts", "".join(lines))


def changed_host_key(rig: Rig, secrets: Secrets) -> None:
    """known_hosts in which redis_slave02 has the keys of redis_slave01."""
    first, second = rig.lab["redis_slave01"], rig.lab["redis_slave02"]
    text = "".join(host.known_hosts() for host in rig.lab if host.name != second.name)
    text += first.known_hosts().replace(first.address, second.address)
    _set(secrets, "redis-ssh", "known_hosts", text)


def no_ssh_secret(rig: Rig, secrets: Secrets) -> None:
    """The Secret is not there."""
    del secrets["redis-ssh"]


def no_password_secret(rig: Rig, secrets: Secrets) -> None:
    """The Secret is not there."""
    del secrets["redis-auth"]


def opaque(rig: Rig, secrets: Secrets) -> None:
    """A Secret of the general type."""
    secrets["redis-auth"]["type"] = "Opaque"


def password(text: str) -> Callable[[Rig, Secrets], None]:
    """Another password in the Secret."""
    return lambda rig, secrets: _set(secrets, "redis-auth", "password", text)


@contextmanager
def user_without_sudo(rig: Rig) -> Iterator[None]:
    """A user `plain` that may log in and nothing more, on every host."""
    public = Path(f"{rig.lab.private_key}.pub").read_text()
    for host in rig.lab:
        host.run("useradd -m -s /bin/sh plain && install -d -m 700 -o plain -g plain ~plain/.ssh")
        host.run("cat > ~plain/.ssh/authorized_keys && chown plain: ~plain/.ssh/authorized_keys", stdin=public)
    try:
        yield
    finally:
        for host in rig.lab:
            host.run("userdel -rf plain 2>/dev/null")


@contextmanager
def port_taken(rig: Rig) -> Iterator[None]:
    """Another program listens on 6379 of redis_slave02."""
    host = rig.lab["redis_slave02"]
    host.run("systemd-run -q --unit=squatter python3 -m http.server 6379")
    host.run("for i in $(seq 50); do ss -ltn | grep -q :6379 && exit 0; sleep 0.1; done; exit 1")
    try:
        yield
    finally:
        host.run("systemctl stop squatter")


@contextmanager
def foreign_data(rig: Rig) -> Iterator[None]:
    """Somebody's dump lies on redis_slave02."""
    host = rig.lab["redis_slave02"]
    host.run("mkdir -p /var/lib/redis && printf REDIS0007 > /var/lib/redis/dump.rdb")
    try:
        yield
    finally:
        host.run("rm -rf /var/lib/redis")


CASES: dict[str, Case] = {
    "no ssh secret": Case("CredentialsInSync", "SecretMissing", "", secrets=no_ssh_secret),
    "no password secret": Case("CredentialsInSync", "SecretMissing", "", secrets=no_password_secret),
    "secret of another type": Case("CredentialsInSync", "SecretWrongType", "", secrets=opaque),
    "password with a blank": Case("CredentialsInSync", "PasswordNotUsable", "", secrets=password("pass word")),
    "password with a quote": Case("CredentialsInSync", "PasswordNotUsable", "", secrets=password("pass'word")),
    "wrong key": Case("HostsReachable", "AuthenticationFailed", "", secrets=other_key),
    "unknown host key": Case("HostsReachable", "HostKeyUnknown", "", secrets=no_known_host),
    "changed host key": Case("HostsReachable", "HostKeyChanged", "", secrets=changed_host_key),
    "host down": Case("HostsReachable", "HostUnreachable", "", trouble=lambda rig: cut_off(rig.lab["redis_slave02"])),
    "wrong user": Case(
        "HostsReachable",
        "AuthenticationFailed",
        "",
        spec={"ssh": {"secretRef": {"name": "redis-ssh"}, "user": "nobody1"}},
    ),
    "no sudo": Case(
        "HostsReachable",
        "SudoRefused",
        "",
        spec={"ssh": {"secretRef": {"name": "redis-ssh"}, "user": "plain", "sudo": True}},
        trouble=user_without_sudo,
    ),
    "package in no repository": Case(
        "PreflightPassed", "PackageNotFound", "", spec={"package": {"version": "9.9.9-1.el7"}}
    ),
    "port taken": Case("PreflightPassed", "PortTaken", "", trouble=port_taken),
    "foreign data": Case("PreflightPassed", "ForeignData", "", trouble=foreign_data),
    "not supported yet": Case("ConfigInSync", "NotSupportedYet", "", spec={"redis": {"config": {"maxmemory": "1gb"}}}),
}


@pytest.fixture(scope="module")
def hosts(rig: Rig) -> Rig:
    """Bare hosts for all cases: none of them changes anything."""
    rig.forget()
    rig.lab.reset()
    rig.operator.start()
    return rig


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", CASES)
def test_it_is_said_and_nothing_is_changed(hosts: Rig, name: str) -> None:
    case = CASES[name]
    secrets = {
        document["metadata"]["name"]: document
        for document in seed_secrets(hosts.lab.private_key.read_text(), hosts.lab.known_hosts(), hosts.password)
    }
    case.secrets(hosts, secrets)
    cluster = seed_cluster(hosts.lab.config)
    cluster["spec"].update(case.spec)
    hosts.namespace(NAMESPACE)
    with case.trouble(hosts), untouched(*hosts.lab.hosts):
        hosts.cp.apply([*secrets.values(), cluster])
        try:
            status = hosts.wait(lambda s: condition(s, case.condition).get("reason") == case.reason, case.reason, 60)
            told = condition(status, case.condition)
            assert told["status"] == "False"
            assert told["message"] == case.message.format(address=hosts.lab["redis_slave02"].address)
            assert condition(status, "Ready")["status"] == "False"
        finally:
            hosts.delete()
            hosts.cp.kubectl("delete", "secret", "-n", NAMESPACE, "--all")
    assert not any(NAME in item["metadata"]["name"] for item in hosts.cp.get("rsc", "-A")["items"])
