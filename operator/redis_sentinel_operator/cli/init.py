"""`kubectl rsc init`: the first cluster.yaml and Secrets, from a list of hosts."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from shlex import quote
from typing import TextIO

import click

from redis_sentinel_operator.cli.asking import Asked, Found, ask, together
from redis_sentinel_operator.cli.drafting import Draft, Place, cluster_yaml
from redis_sentinel_operator.cli.exits import CliError, Usage
from redis_sentinel_operator.cli.kube import Where
from redis_sentinel_operator.cli.options import examples
from redis_sentinel_operator.model.secret import Secret

_SCAN_SECONDS = 5
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Ssh:
    """How the operator is to log in; `key` is the path of the private key, as it is to be typed."""

    user: str
    port: int
    key: str


@click.command(
    epilog=examples(
        "kubectl rsc init redis-cluster redis_master01=192.168.3.41 redis_slave01=192.168.3.42 \\",
        "    redis_slave02=192.168.3.43 redis_slave03=192.168.3.44",
    )
)
@click.argument("name")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("-n", "--namespace", metavar="NAME", help="The namespace; redis without it.")
@click.option("--directory", type=click.Path(path_type=Path), default=Path(), help="Where to write; here without it.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--ssh-user", default="root", metavar="NAME", help="Who logs in on the hosts; root without it.")
@click.option("--ssh-port", type=click.IntRange(1, 65535), default=22, metavar="PORT", help="Of sshd; 22 without it.")
@click.option("--ssh-key", default="~/.ssh/id_ed25519", metavar="FILE", help="The key; ~/.ssh/id_ed25519 without it.")
@click.option("--password-file", type=click.File("r"), metavar="FILE", help="Redis' password, - for stdin.")
@click.option("--no-ask", is_flag=True, help="Do not ask redis and sentinel on the hosts.")
@click.pass_context
def init(
    ctx: click.Context,
    *,
    name: str,
    hosts: Sequence[str],
    namespace: str | None,
    directory: Path,
    force: bool,
    ssh_user: str,
    ssh_port: int,
    ssh_key: str,
    password_file: TextIO | None,
    no_ask: bool,
) -> None:
    """Write cluster.yaml and known_hosts from a list of hosts.

    HOST is NAME=ADDRESS, or one of both. The hosts' keys are fetched by ssh-keyscan: compare them before you trust
    them. Redis and sentinel, where they run, are asked who is master and how they are set; nothing is written to them.
    Nothing is sent to Kubernetes; how the
    Secrets are made is printed.
    """
    if not _NAME.fullmatch(name):
        raise Usage(f"{name!r} is no name for a cluster: at most 52 small letters, digits and '-', a letter first")
    places = tuple(places_of(hosts))
    outer = ctx.parent.obj.namespace if ctx.parent is not None and isinstance(ctx.parent.obj, Where) else ""
    ssh = Ssh(ssh_user, ssh_port, ssh_key)
    for file in ("cluster.yaml", "known_hosts"):
        if (directory / file).exists() and not force:
            raise Usage(f"{directory / file} is there already: --force writes over it, --directory goes elsewhere")
    password = Secret(password_file.read().removesuffix("\n")) if password_file is not None else None
    asked: Mapping[str, Asked] = {} if no_ask else ask([place.address for place in places], password)
    found = together(asked)
    keys, missing = _scan(places, ssh_port)
    draft = Draft(name, namespace or outer or "redis", places, ssh_user, ssh_port, asked, found)
    _write(directory, {"cluster.yaml": cluster_yaml(draft), "known_hosts": keys})
    for line in (*_report(draft, found), *(f"{each}: no host key could be fetched" for each in missing)):
        click.echo(f"Note: {line}", err=True)
    click.echo(commands(draft, directory, ssh))


def places_of(hosts: Sequence[str]) -> Iterator[Place]:
    """Return name and address of each host. Raises Usage."""
    seen: set[str] = set()
    for number, text in enumerate(hosts, 1):
        name, separator, address = text.partition("=")
        if not separator:
            name, address = (f"host{number:02}", text) if _is_address(text) else (text.partition(".")[0], text)
        address = address if _is_address(address) else _looked_up(address)
        if not _HOST.fullmatch(name):
            raise Usage(f"{name!r} is no name for a host: letters, digits, '.', '_' and '-'")
        for each in (name, address):
            if each in seen:
                raise Usage(f"{each} is there twice")
            seen.add(each)
        yield Place(name, str(ip_address(address)))


def commands(draft: Draft, directory: Path, ssh: Ssh) -> str:
    """Return what is to be typed next."""
    space = quote(draft.namespace)
    file = quote(str(directory / "cluster.yaml"))
    known = quote(str(directory / "known_hosts"))
    key = ssh.key if ssh.key.startswith("~/") else quote(ssh.key)
    key = key.replace("~/", "$HOME/", 1)
    lines = [
        f"# {file} and {known} are written. Compare the keys with those of the hosts",
        "# (there: for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $f; done):",
        f"ssh-keygen -lf {known}",
        f"kubectl create namespace {space}",
        f"kubectl -n {space} create secret generic redis-ssh --type=kubernetes.io/ssh-auth \\",
        f'  --from-file=ssh-privatekey="{key}" --from-file=known_hosts={known}',
        *([] if draft.without_password else _password_commands(space)),
        "# What the operator would do; it changes nothing as long as the file says `management: Observe`:",
        f"kubectl apply -f {file}",
        f"kubectl rsc status {draft.name} -n {space}",
    ]
    return "\n".join(lines)


def _password_commands(namespace: str) -> list[str]:
    return [
        "# The password, neither shown nor in the shell's history:",
        "( umask 077; read -rsp 'Redis password: ' p; printf %s \"$p\" > password )",
        f"kubectl -n {namespace} create secret generic redis-auth --type=kubernetes.io/basic-auth \\",
        "  --from-file=password && rm password",
    ]


def _report(draft: Draft, found: Found) -> Iterator[str]:
    yield from found.doubts
    if found.master is not None and found.master.name != draft.name:
        yield f"the sentinels know the master as {found.master.name!r}, so masterName is that"


def _scan(places: Sequence[Place], port: int) -> tuple[str, list[str]]:
    """Return the lines for known_hosts, and the addresses of which there are none."""
    wanted = [place.address for place in places]
    command = ["ssh-keyscan", "-T", str(_SCAN_SECONDS), "-p", str(port), "-t", "ed25519,ecdsa,rsa", *wanted]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=_SCAN_SECONDS * 3 + 2 * len(wanted)
        )
    except FileNotFoundError:
        raise CliError("ssh-keyscan is missing here: install OpenSSH's client") from None
    except subprocess.TimeoutExpired:
        raise CliError("ssh-keyscan did not end: are these the right addresses?") from None
    lines = sorted(line for line in done.stdout.splitlines() if line and not line.startswith("#"))
    there = {line.split()[0].split("]")[0].lstrip("[") for line in lines}
    return "".join(f"{line}\n" for line in lines), [each for each in wanted if each not in there]


def _write(directory: Path, files: Mapping[str, str]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (directory / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CliError(f"{error.filename} cannot be written: {error.strerror}") from None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _looked_up(name: str) -> str:
    try:
        if not re.search(r"[A-Za-z]", name):  # `10.0.0` would be taken for 10.0.0.0
            raise OSError
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        raise Usage(f"{name!r} is no address, and no name that is known here; write NAME=ADDRESS") from None
