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
from lab.hosts import Host
from lab.observe import untouched
from lab.seed import NAMESPACE, seed_cluster, seed_secrets

Secrets = dict[str, dict[str, Any]]
Trouble = Callable[[Rig], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Case:
    """One mistake: how it is made, and the condition that names it. `message` is filled in by `_values`."""

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
def no_repository(rig: Rig) -> Iterator[None]:
    """redis_slave02 has no repository."""
    host = rig.lab["redis_slave02"]
    host.run("mkdir /root/repos && mv /etc/yum.repos.d/* /root/repos")
    try:
        yield
    finally:
        host.run("mv /root/repos/* /etc/yum.repos.d && rmdir /root/repos")


@contextmanager
def foreign_data(rig: Rig) -> Iterator[None]:
    """Somebody's dump lies on redis_slave02."""
    host = rig.lab["redis_slave02"]
    host.run("mkdir -p /var/lib/redis && printf REDIS0007 > /var/lib/redis/dump.rdb")
    try:
        yield
    finally:
        host.run("rm -rf /var/lib/redis")


ALL = "Hosts redis_master01, redis_slave01, redis_slave02 and redis_slave03: "
ONE = "Host redis_slave02 ({address}:22): "
SECRET = "The Secret {name} in namespace redis ({field}) "
CREATE = "kubectl -n redis create secret generic "
NOT_LET_IN = (
    "user {user} is not let in with the key ssh-ed25519 {key}; put the public key into that user's "
    "~/.ssh/authorized_keys (it and its folders writable for that user only), or correct the Secret or spec.ssh.user; "
    "sshd's log on the host has the reason. Nothing is changed there until then."
)
NOT_USABLE = (
    "The password of spec.auth.passwordSecretRef cannot be used: it has {what} in it. Sentinel keeps it unquoted in "
    "its file. Choose one of letters, digits and !#$%&()*+,./:;<=>?@[]^_{{|}}~-."
)
USER: dict[str, Any] = {"secretRef": {"name": "redis-ssh"}}


def _said(template: str, **values: str) -> str:
    """A message in which these values are filled in, and the others are left for later."""
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


CASES: dict[str, Case] = {
    "no ssh secret": Case(
        "CredentialsInSync",
        "SecretMissing",
        _said(SECRET, name="redis-ssh", field="spec.ssh.secretRef")
        + f"does not exist. Nothing is changed without it. Create it: `{CREATE}redis-ssh --type=kubernetes.io/ssh-auth "
        "--from-file=ssh-privatekey=id_ed25519 --from-file=known_hosts=known_hosts`.",
        secrets=no_ssh_secret,
    ),
    "no password secret": Case(
        "CredentialsInSync",
        "SecretMissing",
        _said(SECRET, name="redis-auth", field="spec.auth.passwordSecretRef")
        + f"does not exist. Nothing is changed without it. Create it: `{CREATE}redis-auth "
        "--type=kubernetes.io/basic-auth --from-file=password=password-file`.",
        secrets=no_password_secret,
    ),
    "secret of another type": Case(
        "CredentialsInSync",
        "SecretWrongType",
        _said(SECRET, name="redis-auth", field="spec.auth.passwordSecretRef")
        + "is of type Opaque, not kubernetes.io/basic-auth, so it is not read. Create it anew with that type, or say "
        "that it is meant for the operator: `kubectl -n redis label secret redis-auth "
        "redis-sentinel-operator.io/use=true`.",
        secrets=opaque,
    ),
    "password with a blank": Case(
        "CredentialsInSync",
        "PasswordNotUsable",
        _said(NOT_USABLE, what="white space"),
        secrets=password("pass word"),
    ),
    "password with a quote": Case(
        "CredentialsInSync", "PasswordNotUsable", _said(NOT_USABLE, what="a quote"), secrets=password("pass'word")
    ),
    "wrong key": Case(
        "HostsReachable",
        "AuthenticationFailed",
        ALL + _said(NOT_LET_IN, user="root", key="{stranger}"),
        secrets=other_key,
    ),
    "unknown host key": Case(
        "HostsReachable",
        "HostKeyUnknown",
        ONE + "the Secret's known_hosts has no key of it; compare and add the lines that "
        "`ssh-keyscan -t ed25519,ecdsa,rsa {address}` prints. Nothing is sent to a host that cannot be told apart from "
        "another.",
        secrets=no_known_host,
    ),
    "changed host key": Case(
        "HostsReachable",
        "HostKeyChanged",
        ONE + "it shows the key ssh-ed25519 {shown}, but the Secret's known_hosts says ssh-ed25519 {known}; if the "
        "host was set up anew, replace its lines by what `ssh-keyscan -t ed25519,ecdsa,rsa {address}` prints; if not, "
        "somebody may answer in its place. Nothing is sent to a host with another key.",
        secrets=changed_host_key,
    ),
    "host down": Case(
        "HostsReachable",
        "HostUnreachable",
        ONE + "the TCP connection was not finished in time (5 s). The operator tries again by itself. Check that the "
        "machine is up, that address and port are right, and that its sshd can be reached from the operator's node.",
        trouble=lambda rig: cut_off(rig.lab["redis_slave02"]),
    ),
    "wrong user": Case(
        "HostsReachable",
        "AuthenticationFailed",
        ALL + _said(NOT_LET_IN, user="nobody1", key="{own}"),
        spec={"ssh": USER | {"user": "nobody1"}},
    ),
    "no sudo": Case(
        "HostsReachable",
        "SudoRefused",
        ALL + "sudo does not let user plain become root without a password (sudo: a password is required); `plain "
        "ALL=(root) NOPASSWD: /usr/bin/timeout` and `Defaults:plain !requiretty` in "
        "/etc/sudoers.d/redis-sentinel-operator make it work. Nothing is changed there until then.",
        spec={"ssh": USER | {"user": "plain", "sudo": True}},
        trouble=user_without_sudo,
    ),
    "package in no repository": Case(
        "PreflightPassed",
        "PackageNotFound",
        ALL + "no enabled repository (epel) has redis-9.9.9-1.el7. Nothing is changed on any host. Add a "
        "repository that has it to the yum configuration there, or correct spec.package.",
        spec={"package": {"version": "9.9.9-1.el7"}},
    ),
    "package in no repository of one host": Case(
        "PreflightPassed",
        "PackageNotFound",
        "Host redis_slave02 ({address}): no enabled repository (there is none) has redis. Nothing is changed on any "
        "host. Add a repository that has it to the yum configuration there, or correct spec.package.",
        trouble=no_repository,
    ),
    "port taken": Case(
        "PreflightPassed",
        "PortTaken",
        "Port 6379 of redis_slave02 is taken by python3 (process {squatter}). Nothing is started there. Stop what "
        "listens there.",
        trouble=port_taken,
    ),
    "foreign data": Case(
        "PreflightPassed",
        "ForeignData",
        "This resource did not make what is on redis_slave02: data in /var/lib/redis/dump.rdb. Nothing is changed on "
        "any host. If it is to be taken over, start its sentinels with master name redis-cluster; if it may go, remove "
        "it from the host.",
        trouble=foreign_data,
    ),
    "not supported yet": Case(
        "ConfigInSync",
        "NotSupportedYet",
        "spec.unsafe.fewSentinels: true is not supported yet; set it to false, or remove it.",
        spec={"unsafe": {"fewSentinels": True}},
    ),
    "a directive that is nearly right": Case(
        "ConfigInSync",
        "InvalidSpec",
        "spec.redis.config.repl-timeuot: no Redis has this directive; did you mean repl-timeout? Correct the name, or "
        "remove it.",
        spec={"redis": {"config": {"repl-timeuot": 60}}},
    ),
    "a directive of a later version": Case(
        "ConfigInSync",
        "DirectiveNotInVersion",
        "spec.redis.config.lazyfree-lazy-expire: the redis of redis_master01 is of version 3.2.6-2.el7, which does not "
        "have it and would not start with it. Nothing is changed on any host. Remove it from the spec.",
        spec={"redis": {"config": {"lazyfree-lazy-expire": "yes"}}, "package": {"version": "3.2.6-2.el7"}},
    ),
}


def _values(rig: Rig) -> dict[str, str]:
    """What differs from lab to lab: redis_slave02's address and keys, the SSH keys, the process on its port."""
    host, keys = rig.lab["redis_slave02"], rig.lab.private_key.parent
    first = rig.lab["redis_slave01"]
    squatter = host.run("systemctl show -p MainPID squatter", check=False).stdout.strip()
    return {
        "address": host.address,
        "own": _fingerprint(Path(f"{rig.lab.private_key}.pub").read_text()),
        "stranger": _fingerprint(Path(keys / "stranger.pub").read_text()) if (keys / "stranger.pub").exists() else "",
        "shown": _fingerprint(_ed25519(host)),
        "known": _fingerprint(_ed25519(first)),
        "squatter": squatter.removeprefix("MainPID="),
    }


def _ed25519(host: Host) -> str:
    line = next(line for line in host.known_hosts().splitlines() if " ssh-ed25519 " in line)
    return line.partition(" ")[2]


def _fingerprint(public: str) -> str:
    told = subprocess.run(["ssh-keygen", "-lf", "-"], input=public, capture_output=True, text=True, check=True)
    return told.stdout.split()[1]


@pytest.fixture(scope="module")
def hosts(rig: Rig) -> Rig:
    """Bare hosts for all cases: none of them changes anything."""
    rig.forget()
    rig.reset()
    rig.operator.start()
    return rig


@pytest.mark.timeout(300)
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
        wanted = {"status": "False", "reason": case.reason, "message": case.message.format(**_values(hosts))}
        try:  # a first reading may have gone on without a host
            status = hosts.wait(lambda s: wanted.items() <= condition(s, case.condition).items(), str(wanted), 90)
            assert condition(status, "Ready")["status"] == "False"
            assert "bootstrap" not in status, "the set-up was not begun"
        finally:
            hosts.delete()
            hosts.cp.kubectl("delete", "secret", "-n", NAMESPACE, "--all")
    assert not any(NAME in item["metadata"]["name"] for item in hosts.cp.get("rsc", "-A")["items"])
