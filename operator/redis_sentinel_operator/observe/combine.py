"""What the probe and the servers' own answers say together: pure.

A refused connection alone is no proof that nothing runs: a server may be starting, or listen elsewhere. Only together
with the host's process list and its listening sockets it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from redis_sentinel_operator.conf import redis_conf, sentinel_conf
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    Denied,
    Fact,
    FileFacts,
    HostFacts,
    Known,
    Process,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.observe.exchange import NO_ANSWER, Closed
from redis_sentinel_operator.observe.probe import ProbeFacts
from redis_sentinel_operator.observe.sections import Socket

T = TypeVar("T", bound=RedisFacts | SentinelFacts)


def host_facts(
    desired: Desired,
    host: DesiredHost,
    probed: ProbeFacts,
    redis: RedisFacts | Denied | Closed | Unknown,
    sentinel: SentinelFacts | Denied | Closed | Unknown,
) -> HostFacts:
    """Return all facts of a host from the three answers it gave."""
    return HostFacts(
        name=host.name,
        address=host.address,
        os=probed.os,
        packages=probed.packages,
        files=probed.files,
        units=probed.units,
        firewall=probed.firewall,
        data=probed.data,
        processes=probed.processes,
        listeners=probed.listeners((desired.redis_port, desired.sentinel_port)),
        claim=probed.claim,
        leftovers=probed.leftovers,
        machine=probed.machine,
        redis=server(redis, host.name, desired.redis_port, probed, sentinel=False),
        sentinel=server(_with_id(sentinel, probed), host.name, desired.sentinel_port, probed, sentinel=True),
    )


def passwords(files: Fact[Mapping[str, FileFacts | None]]) -> tuple[Secret, ...]:
    """Return the passwords that stand in the host's own files: with one of them its redis was started, or set since."""
    found: list[str] = []
    for file in files.value.values() if isinstance(files, Known) else ():
        if file is None:
            continue
        conf = redis_conf.parse(file.text)
        found += [value for name in ("requirepass", "masterauth") for value in conf.get_all(name)]
        of_sentinel = sentinel_conf.parse(file.text)
        found += [each.reveal() for name in of_sentinel.masters if (each := of_sentinel.auth_pass(name))]
    return tuple(Secret(each) for each in dict.fromkeys(found) if each)


def known(answer: T | Denied | Closed | Unknown) -> Fact[T | Denied | None]:
    """Return an answer as a fact when nothing else was read: a closed port is Unknown then."""
    return _unknown(answer) if isinstance(answer, Closed | Unknown) else Known(answer)


def server(
    answer: T | Denied | Closed | Unknown, host: str, port: int, probed: ProbeFacts, *, sentinel: bool
) -> Fact[T | Denied | None]:
    """Return an answer as a fact in the light of the probe: Known(None) where nothing of the kind runs."""
    if isinstance(answer, Closed | Unknown):
        why = _silence(answer, host, port, probed, sentinel)
        return Known(None) if why is None else why
    return Known(answer)


def _unknown(answer: Closed | Unknown) -> Unknown:
    return Unknown(answer.message, NO_ANSWER) if isinstance(answer, Closed) else answer


def _silence(answer: Closed | Unknown, host: str, port: int, probed: ProbeFacts, sentinel: bool) -> Unknown | None:
    """Say why nothing answered; None when it is proved that nothing of the kind runs."""
    plain = _unknown(answer)
    if plain.reason != NO_ANSWER:
        return plain  # the host could not be asked
    if isinstance(probed.processes, Unknown) or isinstance(probed.sockets, Unknown):
        return plain
    running = _running(probed.processes.value, probed.sockets.value, port, sentinel)
    if running:
        kind, process = "sentinel" if sentinel else "redis", f"{running[0].name}, pid {running[0].pid}"
        return Unknown(f"the {kind} on {host} runs ({process}) but does not answer on port {port}", NO_ANSWER)
    on_port = [socket for socket in probed.sockets.value if socket.port == port]
    if any(_is_ours(socket.process) for socket in on_port) or (isinstance(answer, Unknown) and not on_port):
        return plain
    return None  # nobody listens, or a program that is neither redis nor sentinel


def _running(processes: Sequence[Process], sockets: Sequence[Socket], port: int, sentinel: bool) -> list[Process]:
    """Return the processes of the kind, without those that are known to listen on other ports only."""
    ports: dict[int, set[int]] = {}
    for socket in sockets:
        ports.setdefault(socket.pid, set()).add(socket.port)
    return [
        process for process in processes if process.sentinel == sentinel and port in (ports.get(process.pid) or {port})
    ]


def _is_ours(process: str) -> bool:
    return not process or "redis" in process or "valkey" in process


def _with_id(
    answer: SentinelFacts | Denied | Closed | Unknown, probed: ProbeFacts
) -> SentinelFacts | Denied | Closed | Unknown:
    """Add the id from sentinel.conf: before 6.2 a sentinel does not tell its own (SENTINEL MYID)."""
    if not isinstance(answer, SentinelFacts) or answer.my_id or isinstance(probed.files, Unknown):
        return answer
    files: Mapping[str, FileFacts | None] = probed.files.value
    own = [file for path, file in files.items() if file and path == answer.config_file]
    others = [file for path, file in files.items() if file and path.endswith("sentinel.conf")]
    ids = (sentinel_conf.parse(file.text).my_id for file in own or others)
    return replace(answer, my_id=next((each for each in ids if each), ""))
