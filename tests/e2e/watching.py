"""What status and the Service offered while things went wrong, moment by moment, and whether that was ever wrong."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from e2e.rig import Rig, Status
from e2e.test_endpoints import behind
from lab.hosts import Host
from lab.ledger import Reign
from lab.machine import LabError
from lab.processes import wait_until
from lab.resp import Resp, RespError

_EVERY = 0.1
_LATE = 15.0  # seconds by which a look may come after what it sees
_PATIENCE = 5.0  # seconds for which a replica may be seen offered: status, role and status are asked one by one
_LEADS = 60.0  # seconds until the Service must have been seen to lead to a master
_STANDSTILL = {"+tilt", "-tilt", "+sdown", "-sdown"}
_TOLD_LATE = {"+reboot"}  # of a redis that was started before: told when a sentinel asks it for INFO, every ten seconds
_KERNEL = "vm.overcommit_memory"


@dataclass(frozen=True, slots=True)
class Offer:
    """What status said from a moment on: the master's host and address, and whether it is withdrawn."""

    at: float
    host: str
    address: str
    epoch: int
    withdrawn: bool


@dataclass(slots=True)
class Watch:
    """Looks at status and at what is behind the master's Service all the time."""

    rig: Rig
    offers: list[Offer] = field(default_factory=list)
    led: list[tuple[float, str]] = field(default_factory=list)  # since when the Service leads to which address
    wrong: list[str] = field(default_factory=list)
    longest: float = 0.0  # seconds for which a replica was seen offered
    errors: list[BaseException] = field(default_factory=list)
    _suspects: dict[str, float] = field(default_factory=dict)  # addresses of replicas that are offered, since when
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to stop."""
        try:
            while not self._over.wait(_EVERY):
                self.look()
        except BaseException as error:
            self.errors.append(error)

    def stop(self) -> None:
        self._over.set()

    def look(self) -> None:
        """One look: what is offered, and which role that redis has."""
        at, offer = time.time(), offered(self.rig.status(), time.time())
        ready = sorted(address for address, is_ready in behind(self.rig).items() if is_ready)
        if len(ready) > 1:
            self.wrong.append(f"the Service leads to {' and '.join(ready)}")
        for address in ready[:1]:
            if not self.led or self.led[-1][1] != address:
                self.led.append((at, address))
        if offer is not None and (not self.offers or _without_time(self.offers[-1]) != _without_time(offer)):
            self.offers.append(offer)
        self._judge(at, {*ready, *([offer.address] if offer is not None and not offer.withdrawn else [])})

    def _judge(self, at: float, addresses: set[str]) -> None:
        """A replica that is offered longer than the looks take is wrong."""
        replicas = {host.address for host in self.rig.lab if host.address in addresses and self._is_replica(host)}
        self._suspects = {address: self._suspects.get(address, at) for address in replicas}
        self.longest = max([self.longest, *(at - since for since in self._suspects.values())])
        self.wrong += [
            f"{address} is a replica and offered as master since {since:.1f}"
            for address, since in self._suspects.items()
            if at - since > _PATIENCE
        ]

    def _is_replica(self, host: Host) -> bool:
        return role(host, self.rig.password) == "slave"

    def led_to(self, address: str) -> None:
        """Wait until the Service has been seen to lead there. Raises LabError."""
        if not wait_until(lambda: bool(self.led) and self.led[-1][1] == address, _LEADS):
            raise LabError(f"the Service does not lead to {address}: {self.led[-3:]}")

    def reigns(self) -> list[Reign]:
        """Who was master from when on; the first one since ever."""
        found = [Reign(self.offers[0].address, -math.inf)]
        for before, after in pairwise(self.offers):
            if (before.address, before.epoch) != (after.address, after.epoch):
                found.append(Reign(after.address, after.at))
        return found


@contextmanager
def watching(rig: Rig) -> Iterator[Watch]:
    """Watch inside; raises what the watcher died of."""
    watch = Watch(rig)
    watch.look()
    thread = threading.Thread(target=watch.run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()
    if watch.errors:
        raise watch.errors[0]


def sentinel_logs(rig: Rig) -> dict[str, list[str]]:
    """What each sentinel has logged until now."""
    return {host.name: host.run("cat /var/log/redis/sentinel.log").stdout.splitlines() for host in rig.lab.replicas}


def said_since(before: dict[str, list[str]], now: dict[str, list[str]]) -> set[str]:
    """The events that the sentinels logged in between; a line is `3412:X 29 Nov 11:35:07.089 # +tilt #tilt mode on`."""
    return {line.split()[5] for host, lines in now.items() for line in lines[len(before[host]) :]}


def of_the_machine(said: set[str], writes: list[str]) -> bool:
    """Whether something happened to the machine under all labs, which status must tell.

    One that stands still for two seconds puts sentinels into tilt mode, as their own logs say; what else they say in a
    silence counts. And a kubelet of another worker's test sets the kernel that all hosts share, and sets it back.
    """
    assert said <= _STANDSTILL | _TOLD_LATE, said
    return bool(said) or any(_KERNEL in line for line in writes)


def offered(status: Status, at: float) -> Offer | None:
    """Who is offered as master by a status seen at a time, None when nobody; since when, as status has it."""
    master = status.get("master")
    if not master:
        return None
    published = [_at(each["published"]) for each in status.get("failovers", []) if _is_of(each, master)]
    began = max((moment for moment in published if at - moment < _LATE), default=at)
    withdrawn = "withdrawnSince" in master
    return Offer(min(at, began), master["host"], master["address"], int(master.get("configEpoch", 0)), withdrawn)


def _is_of(entry: Status, master: Status) -> bool:
    return bool("published" in entry and entry.get("to") == master["host"])


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def role(host: Host, password: str) -> str:
    """The first word of ROLE, "" when nobody answers."""
    try:
        with Resp.from_outside(host, password=password, timeout=1.0) as redis:
            found = redis.call("ROLE")
    except (OSError, RespError, LabError):
        return ""
    return str(found[0]) if isinstance(found, list) else ""


def _without_time(offer: Offer) -> tuple[str, int, bool]:
    return offer.address, offer.epoch, offer.withdrawn
