"""Steps by hand, and what can be broken on a host so that a step mends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from hosts.passes import Passes
from lab.faults import no_new_connections
from lab.hosts import Host
from lab.labs import Lab
from lab.resp import Resp
from lab.seedcluster import MASTER_NAME, PASSWORD
from redis_sentinel_operator.conf.family import EL7
from redis_sentinel_operator.conf.kernel import SYSCTL_FILE
from redis_sentinel_operator.model.step import (
    Action,
    Step,
)

DOWN_AFTER = "down-after-milliseconds"
PATIENCE = 600_000  # milliseconds
OF_THE_MACHINE = r"kernel: vm\."  # all labs share it, and a kubelet sets it


def step(host: Host, action: Action) -> Step:
    return Step(host.name, "a change", "a test", action, 0)


def redis(host: Host, *words: str) -> object:
    with Resp.to(host, 6379, password=PASSWORD) as link:
        return link.call(*words)


def sentinel(host: Host, *words: str) -> object:
    with Resp.to(host, 26379) as link:
        return link.call(*words)


def has(host: Host, key: str, value: str) -> bool:
    return redis(host, "GET", key) == value


async def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(true):  # noqa: ASYNC110 - a host tells nobody
            await asyncio.sleep(0.1)


def conf(host: Host) -> str:
    return host.run(f"cat {host.family.redis_conf}").stdout


def stat(host: Host, path: str) -> str:
    return host.run(f"stat -c '%a %U:%G' {path}").stdout.strip()


def close_ports(host: Host) -> None:
    for where in ("", "--permanent "):
        for port in (6379, 26379):
            host.run(f"firewall-cmd -q {where}--remove-port={port}/tcp", check=False)


def leave_a_ring(lab: Lab, master: Host) -> Host:
    """What a play leaves that restarts all as replicas of a host of its own, which follows the master; return that."""
    first = next(host for host in lab.hosts if host != master)
    lab.at_once(lambda host: host.run("systemctl stop redis"))
    for host in lab.hosts:
        followed = master if host == first else first
        host.run(f"sed -i '/^slaveof /d' /etc/redis.conf; echo 'slaveof {followed.address} 6379' >>/etc/redis.conf")
    lab.at_once(lambda host: host.run("systemctl start redis"))
    return first


async def planned(loop: Passes, kind: type) -> Step:
    """The first step of a kind, once one is planned."""
    async with asyncio.timeout(60):
        while True:
            steps = [each for each in (await loop.read()).todo.steps if isinstance(each.action, kind)]
            if steps:
                return steps[0]
            await asyncio.sleep(0.2)


def table(words: object) -> dict[str, str]:
    """One row of what a sentinel answers."""
    assert isinstance(words, list)
    return {str(name): str(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def told(host: Host) -> dict[str, str]:
    """What a sentinel says of the master."""
    return table(sentinel(host, "SENTINEL", "MASTER", MASTER_NAME))


@contextmanager
def patient(*hosts: Host) -> Iterator[None]:
    """Their sentinels call nobody down inside, however long a slow machine takes for what is looked at there."""
    before = {host: told(host)[DOWN_AFTER] for host in hosts}
    for host in hosts:
        sentinel(host, "SENTINEL", "SET", MASTER_NAME, DOWN_AFTER, str(PATIENCE))
    try:
        yield
    finally:
        for host in hosts:
            sentinel(host, "SENTINEL", "SET", MASTER_NAME, DOWN_AFTER, before[host])


@contextmanager
def kept_ignorant(*hosts: Host) -> Iterator[None]:
    """A sentinel that forgets inside (RESET) knows no replica until the end; else it asks the master again at once."""
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(no_new_connections(host, 6379))
        yield


def set_quorum(host: Host) -> None:
    sentinel(host, "SENTINEL", "SET", MASTER_NAME, "quorum", "3", "parallel-syncs", "2")


BREAKS: dict[str, tuple[Callable[[Host], object], list[str]]] = {
    "a directive in the file": (
        lambda host: host.run("sed -i 's/^repl-timeout .*/repl-timeout 59/' /etc/redis.conf"),
        ["set repl-timeout in /etc/redis.conf"],
    ),
    "a running value": (
        lambda host: redis(host, "CONFIG", "SET", "repl-timeout", "59"),
        ["set repl-timeout on the running redis"],
    ),
    "no masterauth": (
        lambda host: (redis(host, "CONFIG", "SET", "masterauth", ""), redis(host, "CONFIG", "REWRITE")),
        ["set masterauth on the running redis", "set masterauth in /etc/redis.conf"],
    ),
    "a disabled unit": (lambda host: host.run("systemctl disable -q redis"), ["enable redis.service"]),
    "a stopped and disabled replica": (
        lambda host: host.run("systemctl disable -q --now redis"),
        ["start redis (redis.service)", "enable redis.service"],
    ),
    "a killed replica": (
        lambda host: host.run("systemctl kill -s KILL redis; while systemctl -q is-active redis; do sleep 0.1; done"),
        ["start redis (redis.service)"],
    ),
    "a stopped and disabled sentinel": (
        lambda host: host.run("systemctl disable -q --now redis-sentinel"),
        ["start sentinel (redis-sentinel.service)", "enable redis-sentinel.service"],
    ),
    "closed ports": (close_ports, ["open 6379/tcp, 26379/tcp in firewalld in zone public"]),
    "a drop-in that is gone": (
        lambda host: host.run(f"rm {EL7.redis_drop_in} && systemctl daemon-reload"),
        [f"write {EL7.redis_drop_in}"],
    ),
    "no file for the kernel": (
        lambda host: host.run(f"rm {SYSCTL_FILE}"),
        [f"set vm.overcommit_memory to 1 ({SYSCTL_FILE})"],
    ),
    "a queue that is too short": (
        lambda host: host.run("sysctl -q -w net.core.somaxconn=128"),
        [f"set vm.overcommit_memory to 1, net.core.somaxconn to 511 ({SYSCTL_FILE})"],
    ),
    "the sentinel's settings": (set_quorum, ["set quorum, parallel-syncs on the sentinel"]),
    "a file that all can read": (
        lambda host: host.run("chmod 0644 /etc/redis.conf"),
        ["give /etc/redis.conf to redis alone"],
    ),
}
