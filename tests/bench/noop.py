"""A pass over the seed's four hosts when all is as declared: the full check, against bare paramiko asking the same."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import paramiko

from bench.figures import Figure, times_faster, times_slower
from bench.others import Others
from hosts.passes import Passes, passes, seed
from lab.labs import Lab
from lab.machine import LabError
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.observe.probe import asked, script

ROUNDS = 40


async def noop(lab: Lab, others: Others) -> list[Figure]:
    """Measure on hosts that are as declared. Both sides keep their connections open; rounds alternate."""
    # The lock would hide the package from the play as well.
    unlocked = tuple(replace(host, package=replace(host.package, lock=False)) for host in seed(lab).hosts)
    async with passes(lab, hosts=unlocked) as loop:
        await loop.until_settled()
        with probing(lab, loop.desired, others.known_hosts()) as probe:
            pairs = [(await _pass(loop), probe()) for _ in range(ROUNDS + 3)][3:]  # the first ones open connections
        ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    play = statistics.median(others.ansible() for _ in range(3))
    deploy = statistics.median(others.pyinfra() for _ in range(3))
    return [
        times_slower("noop_pass_vs_paramiko", ours * 1000, bare * 1000, at_most=1.3),
        times_faster("noop_pass_vs_ansible", ours, play, at_least=100),
        times_faster("noop_pass_vs_pyinfra", ours, deploy, at_least=15),
    ]


async def _pass(loop: Passes) -> float:
    started = time.perf_counter()
    reading = await loop.read()
    took = time.perf_counter() - started
    if not reading.todo.settled:
        raise LabError(f"the hosts are not as declared: {reading.todo}")
    return took


@contextmanager
def probing(lab: Lab, desired: Desired, known_hosts: Path) -> Iterator[Callable[[], float]]:
    """Yield a function that runs the operator's own probe.sh on all hosts at once by bare paramiko; seconds."""
    key = paramiko.Ed25519Key.from_private_key_file(str(lab.private_key))
    scripts = [script(asked(desired, host)).encode() for host in desired.hosts]
    with ExitStack() as stack, ThreadPoolExecutor(len(lab.hosts)) as pool:
        clients = [stack.enter_context(closing(_connected(host.address, key, known_hosts))) for host in lab.hosts]

        def once() -> float:
            started = time.perf_counter()
            answers = list(pool.map(_asked, clients, scripts))
            took = time.perf_counter() - started
            if not all(b"firewall" in answer for answer in answers):
                raise LabError("the probe did not answer")
            return took

        yield once


def _connected(address: str, key: paramiko.PKey, known_hosts: Path) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.load_host_keys(str(known_hosts))
    client.connect(address, username="root", pkey=key, allow_agent=False, look_for_keys=False)
    return client


def _asked(client: paramiko.SSHClient, text: bytes) -> bytes:
    stdin, stdout, _ = client.exec_command("/bin/sh -s", timeout=30)
    stdin.write(text)
    stdin.channel.shutdown_write()
    answer = stdout.read()
    stdout.channel.recv_exit_status()
    return answer
