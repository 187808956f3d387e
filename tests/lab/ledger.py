"""A client that writes all the time and keeps what it was told is written, to compare with what is there at the end.

It finds the master as an application does: it asks one sentinel after the other, asks the server there for its role,
and stays with that server until it refuses or fails. Every write is a key of its own, so that a later one hides no
loss. Three threads write: plain SET, by EVAL, and in MULTI. The connections come from the lab's client address, which
captures know as the tests' own.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from lab.hosts import Host
from lab.labs import Lab
from lab.machine import LabError
from lab.processes import wait_until
from lab.resp import Resp, RespError, Value
from lab.seedcluster import MASTER_NAME

KINDS = ("plain", "eval", "multi")
_PACE = 0.02  # seconds between two writes of one kind
_PATIENCE = 1.0  # seconds for an answer, as the README advises applications
_AGAIN = 0.1  # seconds before the next try after a failure
_SCRIPT = "return redis.call('set', KEYS[1], ARGV[1])"
_BATCH = 500


class Fate(StrEnum):
    """Why an acknowledged write is missing."""

    LOST = "lost"  # the master of today acknowledged it, as master: nothing explains that
    DIED = "died with its master"  # acknowledged by the master of its time, which failed before it was replicated
    DEPOSED = "of a deposed master"  # acknowledged by one that sentinel had replaced already: Redis's own loss


@dataclass(frozen=True, slots=True)
class Ack:
    """An acknowledged write: of which kind, when the answer came (seconds since the epoch), and from whom."""

    key: str
    value: str
    kind: str
    at: float
    node: str  # address


@dataclass(frozen=True, slots=True)
class Reign:
    """Who is master by a verdict, from when on (seconds since the epoch)."""

    address: str
    since: float


@dataclass(slots=True)
class Ledger:
    """What was acknowledged until now. With the password "" it logs in nowhere; `another` comes after a refused one."""

    lab: Lab
    password: str = field(repr=False)
    name: str = MASTER_NAME
    another: str = field(default="", repr=False)
    acks: list[Ack] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    _run: str = field(default_factory=lambda: secrets.token_hex(4))
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin writing; return when each kind has been acknowledged once. Raises LabError when that does not come."""
        self._threads = [threading.Thread(target=self._write, args=(kind,), daemon=True) for kind in KINDS]
        for thread in self._threads:
            thread.start()
        self.wait(60.0)

    def stop(self) -> None:
        """Write no more. Raises what a writer died of."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def wait(self, seconds: float, node: str = "") -> None:
        """Wait until each kind has been acknowledged anew (by the server at `node`). Raises LabError."""
        known = len(self.acks)

        def anew() -> bool:
            return {ack.kind for ack in self.acks[known:] if node in ("", ack.node)} == set(KINDS)

        if not wait_until(anew, seconds):
            raise LabError(f"no write of each kind was acknowledged by {node or 'anybody'} within {seconds:.0f} s")

    def missing(self, master: Host) -> list[Ack]:
        """The acknowledged writes that the redis of a host does not have. Stop before."""
        with Resp.to(master, password=self.password or None) as redis:
            return [ack for batch in _batches(self.acks) for ack in _not_there(redis, batch)]

    def first(self, node: str) -> float:
        """When the server at `node` acknowledged for the first time."""
        return min(ack.at for ack in self.acks if ack.node == node)

    def pause(self) -> float:
        """The longest time without any acknowledgement, in seconds."""
        times = sorted(ack.at for ack in self.acks)
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def _write(self, kind: str) -> None:
        number, redis, node = 0, None, ""
        try:
            while not self._over.wait(_PACE):
                try:
                    if redis is None:
                        redis, node = self._connected()
                    number += 1
                    key = f"ledger:{self._run}:{kind}:{number}"
                    if _acknowledged(redis, kind, key, str(number)):
                        self.acks.append(Ack(key, str(number), kind, time.time(), node))
                except (OSError, RespError):
                    if redis is not None:
                        redis.close()
                    redis = None
                    self._over.wait(_AGAIN)
        except BaseException as error:  # told by stop()
            self.errors.append(error)
        finally:
            if redis is not None:
                redis.close()

    def _connected(self) -> tuple[Resp, str]:
        """A connection to the master that the first answering sentinel names. Raises OSError, RespError."""
        address = self._named()
        host = next(host for host in self.lab.hosts if host.address == address)
        try:
            redis = Resp.from_outside(host, password=self.password or None, timeout=_PATIENCE)
        except RespError:
            if not self.another:
                raise
            redis = Resp.from_outside(host, password=self.another, timeout=_PATIENCE)
        try:
            role = redis.call("ROLE")
        except BaseException:
            redis.close()
            raise
        if not isinstance(role, list) or role[0] != "master":
            redis.close()
            raise ConnectionError(f"{address} is no master")
        return redis, address

    def _named(self) -> str:
        for host in self.lab.replicas:
            try:
                with Resp.from_outside(host, 26379, timeout=_PATIENCE) as sentinel:
                    found = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
            except (OSError, RespError):
                continue
            if isinstance(found, list):
                return str(found[0])
        raise ConnectionError("no sentinel names a master")


@contextmanager
def ledger(lab: Lab, password: str, name: str = MASTER_NAME) -> Iterator[Ledger]:
    """Write inside; at the end nothing is written any more. Raises LabError, and what a writer died of."""
    book = Ledger(lab, password, name)
    book.start()
    try:
        yield book
    finally:
        book.stop()


def fate(ack: Ack, reigns: Sequence[Reign]) -> Fate:
    """Why a missing write is missing; `reigns` in order of time, the first one since ever."""
    last, before = reigns[-1], reigns[:-1]
    if ack.node == last.address and (ack.at >= last.since or all(each.address != ack.node for each in before)):
        return Fate.LOST
    reigning = next(each for each in reversed(reigns) if each.since <= ack.at)
    return Fate.DIED if reigning.address == ack.node else Fate.DEPOSED


def fates(missing: Iterable[Ack], reigns: Sequence[Reign]) -> dict[Fate, list[Ack]]:
    """The missing writes by why they are missing; every fate is a key."""
    found: dict[Fate, list[Ack]] = {each: [] for each in Fate}
    for ack in missing:
        found[fate(ack, reigns)].append(ack)
    return found


def _acknowledged(redis: Resp, kind: str, key: str, value: str) -> bool:
    """Write; whether the answer says that it is written. Raises OSError, RespError."""
    if kind == "plain":
        return redis.call("SET", key, value) == "OK"
    if kind == "eval":
        return redis.call("EVAL", _SCRIPT, "1", key, value) == "OK"
    for words in (("MULTI",), ("SET", key, value), ("EXEC",)):
        redis.send(*words)
    answers = [redis.read() for _ in range(3)]
    refused = next((each for each in answers if isinstance(each, RespError)), None)
    if refused is not None:
        raise refused
    return answers[-1] == ["OK"]


def _not_there(redis: Resp, batch: Sequence[Ack]) -> list[Ack]:
    values: Value = redis.call("MGET", *(ack.key for ack in batch))
    assert isinstance(values, list)
    return [ack for ack, value in zip(batch, values, strict=True) if value != ack.value]


def _batches(acks: Sequence[Ack]) -> Iterator[Sequence[Ack]]:
    return (acks[first : first + _BATCH] for first in range(0, len(acks), _BATCH))
