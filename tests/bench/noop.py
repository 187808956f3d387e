"""A pass over the seed's four hosts when all is as declared: the full check, against bare paramiko asking the same."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko

from bench.figures import Figure, times_faster, times_slower
from bench.others import Others
from hosts.passes import Passes, passes, seed
from lab.labs import Lab
from lab.machine import LabError
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.observe.memory import Memory, Recall
from redis_sentinel_operator.observe.probe import Asked, asked, parse, script

TURNS, TURN = 8, 6


async def noop(lab: Lab, others: Others) -> list[Figure]:
    """Measure on hosts that are as declared.

    Both sides keep their connections open and ask only for what they do not know. They take turns; the first pass of a
    turn does not count, as a host tells more after somebody else has asked.
    """
    # The lock would hide the package from the play as well.
    unlocked = tuple(replace(host, package=replace(host.package, lock=False)) for host in seed(lab).hosts)
    async with passes(lab, hosts=unlocked) as loop:
        await loop.until_settled()
        with probing(lab, loop.desired, others.known_hosts()) as probe:
            passed, probed = [], []
            for _ in range(TURNS):
                passed += [await _pass(loop) for _ in range(TURN)][1:]
                probed += [probe() for _ in range(TURN)][1:]
    ours, bare = statistics.median(passed), statistics.median(probed)
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
    with ExitStack() as stack, ThreadPoolExecutor(len(lab.hosts)) as pool:
        clients = [stack.enter_context(closing(_connected(host.address, key, known_hosts))) for host in lab.hosts]
        bare = [_Bare(asked(desired, host)) for host in desired.hosts]

        def once() -> float:
            scripts = [each.script() for each in bare]
            started = time.perf_counter()
            answers = list(pool.map(_asked, clients, scripts))
            took = time.perf_counter() - started
            for each, answer in zip(bare, answers, strict=True):
                each.learn(answer)
            return took

        yield once


@dataclass(slots=True)
class _Bare:
    """What is asked of one host, as the operator asks it; what it may leave out is worked out off the clock."""

    question: Asked
    memory: Memory = field(default_factory=Memory)

    def script(self) -> bytes:
        return script(self.question, memory=self.memory).encode()

    def learn(self, answer: bytes) -> None:
        recall = Recall(self.memory)
        facts = parse(answer, self.question, recall)
        if not isinstance(facts.firewall, Known):
            raise LabError(f"the probe did not answer: {facts.firewall.message}")
        self.memory = recall.memory()


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
