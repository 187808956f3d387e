"""What goes wrong on hosts, as context managers: it is wrong inside the with-statement and mended after it.

What stays outside: the clock of a host cannot be set here, and a power cut loses nothing that was written, because the
page cache is this machine's.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.hosts import Host
from lab.machine import LabError, run
from lab.network import table
from lab.processes import Process, descendants, process, wait_until


@contextmanager
def cut_off(*hosts: Host) -> Iterator[None]:
    """The hosts' cables are out: nobody reaches them, and they reach nobody but themselves."""
    try:
        for host in hosts:
            run(["ip", "link", "set", host.interface, "down"])
        yield
    finally:
        for host in hosts:
            if host.on:
                run(["ip", "link", "set", host.interface, "up"])


@contextmanager
def partition(left: Host | tuple[Host, ...], right: Host | tuple[Host, ...]) -> Iterator[None]:
    """The hosts of one side do not reach those of the other; this machine reaches all of them."""
    ones = left if isinstance(left, tuple) else (left,)
    others = right if isinstance(right, tuple) else (right,)
    name = table(ones[0].lab)
    chain = f"p{ones[0].address.rpartition('.')[2]}x{others[0].address.rpartition('.')[2]}"
    here, there = _interfaces(ones), _interfaces(others)
    run(["nft", "-f", "-"], text=(
        f"table bridge {name} {{\nchain {chain} {{\ntype filter hook forward priority 0; policy accept;\n"
        f"iifname {here} oifname {there} drop\niifname {there} oifname {here} drop\n}}\n}}\n"
    ))  # fmt: skip
    try:
        yield
    finally:
        run(["nft", "-f", "-"], text=f"flush chain bridge {name} {chain}\ndelete chain bridge {name} {chain}\n")


@contextmanager
def cut_off_from_here(host: Host) -> Iterator[None]:
    """This machine's own address does not reach the host: the operator does not, its peers and the tests' client do."""
    name, chain, here = table(host.lab), f"h{host.address.rpartition('.')[2]}", host.lab.bridge_address
    run(["nft", "-f", "-"], text=(
        f"table bridge {name} {{\nchain {chain} {{\ntype filter hook output priority 0; policy accept;\n"
        f'oifname "{host.interface}" ip saddr {here} drop\n}}\n}}\n'
    ))  # fmt: skip
    try:
        yield
    finally:
        run(["nft", "-f", "-"], text=f"flush chain bridge {name} {chain}\ndelete chain bridge {name} {chain}\n")


def _interfaces(hosts: tuple[Host, ...]) -> str:
    """The hosts' cables as an nft set."""
    return "{ " + ", ".join(f'"{host.interface}"' for host in hosts) + " }"


@contextmanager
def no_new_connections(host: Host, port: int) -> Iterator[None]:
    """The host's redis and sentinel open no connection to that port of any host; those that stand go on.

    A sentinel that was told to forget stays so: it learns from the master's answers alone what replicas there are.
    """
    name = f"lone{port}"
    rule = f"meta skuid redis tcp dport {port} ct state new drop"
    host.run("nft -f -", stdin=(
        f"table inet {name} {{\nchain out {{\ntype filter hook output priority -5; policy accept;\n{rule}\n}}\n}}\n"
    ))  # fmt: skip
    try:
        yield
    finally:
        host.run(f"nft delete table inet {name}")


@contextmanager
def power_cut(host: Host) -> Iterator[None]:
    """The host is switched off the hard way, and on again at the end (booted, services as enabled)."""
    host.power_cut()
    try:
        yield
    finally:
        host.boot()


@contextmanager
def hang_ssh(host: Host) -> Iterator[None]:
    """SSH hangs: open sessions do not answer, and new connections are accepted by the kernel and never greeted."""
    with _stopped(_sshd(host)):
        yield


@contextmanager
def hang_redis(host: Host) -> Iterator[None]:
    """redis-server hangs: connections open, nothing is answered."""
    with _stopped([_main(host, host.family.units[0])]):
        yield


@contextmanager
def hang_sentinel(host: Host) -> Iterator[None]:
    """redis-sentinel hangs."""
    with _stopped([_main(host, host.family.units[1])]):
        yield


@contextmanager
def freeze(host: Host) -> Iterator[None]:
    """The whole host stands still, as a virtual machine does while it is moved."""
    leader = host.leader
    if leader is None:
        raise LabError(f"{host.name} is switched off")
    with _stopped([leader, *descendants(leader.pid)]):
        yield


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk that can be filled and emptied."""

    host: Host
    path: str

    def fill(self) -> None:
        """Not one byte more fits."""
        fill = f"dd if=/dev/zero of={self.path}/.filler bs=64k; dd if=/dev/zero of={self.path}/.last bs=1"
        self.host.run(fill, check=False)

    def empty(self) -> None:
        """The space that `fill` took is free again."""
        self.host.run(f"rm -f {self.path}/.filler {self.path}/.last")


@contextmanager
def fill_disk(host: Host, path: str = "/var/lib/redis", size: str = "8m") -> Iterator[SmallDisk]:
    """A small file system of its own lies on `path`, and is full. The files there are its first contents.

    At the end it is emptied and its files go back; redis, whose working directory it is, has to let go: it is stopped
    for the change at the start and at the end if it runs.
    """
    with _redis_stopped(host):
        host.run(
            f"set -e; cp -a {path} /run/kept; mount -t tmpfs -o "
            f"size={size},$(stat -c 'mode=%a,uid=%u,gid=%g' {path}) tmpfs {path}; "
            f"cp -a /run/kept/. {path}/; rm -rf /run/kept"
        )
    small = SmallDisk(host, path)
    small.fill()
    try:
        yield small
    finally:
        if host.on:
            small.empty()
            with _redis_stopped(host):
                host.run(
                    f"set -e; cp -a {path} /run/kept; umount {path}; find {path} -mindepth 1 -delete; "
                    f"cp -a /run/kept/. {path}/; rm -rf /run/kept"
                )


@contextmanager
def _redis_stopped(host: Host) -> Iterator[None]:
    unit = host.family.units[0]
    active = host.run(f"systemctl is-active -q {unit}", check=False).returncode == 0
    if active:
        host.run(f"systemctl stop {unit}")
    yield
    if active:
        host.run(f"systemctl start {unit}")


@contextmanager
def _stopped(processes: list[Process]) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end; inside, every one of them really stands."""
    try:
        for one in processes:
            one.signal(signal.SIGSTOP)
        if not wait_until(lambda: all(one.state in {"T", ""} for one in processes), 60.0):
            raise LabError("a process does not stop")
        yield
    finally:
        for one in reversed(processes):
            one.signal(signal.SIGCONT)


def _sshd(host: Host) -> list[Process]:
    """The listener and every session process; the sessions' own children (running commands) go on."""
    found = [one for one in _all(host) if one.name == "sshd"]
    if not found:
        raise LabError(f"{host.name} has no sshd to hang")
    return found


def _all(host: Host) -> list[Process]:
    leader = host.leader
    if leader is None:
        raise LabError(f"{host.name} is switched off")
    return descendants(leader.pid)


def _main(host: Host, unit: str) -> Process:
    """The main process of a unit: the one that carries its daemon's name in the unit's control group."""
    for one in _all(host):
        if one.cgroup.endswith(f"/{unit}.service") and one.name.startswith(f"{host.family.redis.name}-se"):
            return process(one.pid)
    raise LabError(f"{unit} does not run on {host.name}")
