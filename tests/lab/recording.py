"""Record what every sentinel and redis of a cluster answers, every 50 ms, through a real failover.

`python -m lab.recording FOLDER` raises a lab of its own, lets its cluster fail over in each way of `WAYS`, and writes
one JSON file a way. What is kept is what says who is master: votes (GET-MASTER-ADDR-BY-NAME), SENTINEL MASTER's
address, epoch and flags, tilt, and ROLE. Equal frames one after the other are one frame.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.faults import hang_redis
from lab.hosts import Host
from lab.labs import Lab, hosts_lab
from lab.machine import LabError
from lab.model import lab_config
from lab.processes import wait_until
from lab.resp import Resp, RespError
from lab.seedcluster import HandMade, make_by_hand

EVERY = 0.05  # seconds between frames
STALE = 0.25  # seconds after which an answer is no answer any more
WAYS = (("stopped", 3), ("killed", 3), ("hung", 3), ("asked", 3), ("stopped", 2), ("killed", 2), ("hung", 2))
Answer = Any  # what JSON holds


@dataclass(slots=True)
class Probe:
    """Asks one server again and again; `answer` is the last one, None when it does not answer."""

    connect: Callable[[], Resp]
    ask: Callable[[Resp], Answer]
    _last: tuple[float, Answer] = field(default=(0.0, None))
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def answer(self) -> Answer:
        """The newest answer unless it is stale."""
        at, answer = self._last
        return answer if time.monotonic() - at < STALE else None

    def run(self) -> None:
        """Ask until ended."""
        link: Resp | None = None
        while not self._ended.wait(EVERY / 2):
            try:
                link = link or self.connect()
                self._last = (time.monotonic(), self.ask(link))
            except ConnectionRefusedError:
                link, self._last = None, (time.monotonic(), "stopped")
            except (OSError, RespError, LabError):
                if link is not None:
                    link.close()
                link = None
        if link is not None:
            link.close()

    def end(self) -> None:
        """Ask no more."""
        self._ended.set()


def ask_sentinel(name: str) -> Callable[[Resp], Answer]:
    """The question to a sentinel: [vote, told address, config epoch, flags, tilt]; [] when it does not know `name`."""

    def ask(link: Resp) -> Answer:
        for words in (("GET-MASTER-ADDR-BY-NAME", name), ("MASTER", name)):
            link.send("SENTINEL", *words)
        link.send("INFO", "sentinel")
        vote, master, info = link.read(), link.read(), link.read()
        if not isinstance(vote, list) or not isinstance(master, list):
            return []
        told = dict(zip(master[::2], master[1::2], strict=True))
        tilt = "sentinel_tilt:1" in str(info)
        return [vote[0], told["ip"], int(str(told["config-epoch"])), told["flags"], tilt]

    return ask


def ask_redis(link: Resp) -> Answer:
    """The question to a redis: its role."""
    role = link.call("ROLE")
    return role[0] if isinstance(role, list) else None


@dataclass(slots=True)
class Recorder:
    """Frames of all servers of a cluster: [milliseconds, sentinels' answers, redis' answers] by host name."""

    sentinels: dict[str, Probe]
    redises: dict[str, Probe]
    frames: list[list[Answer]] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Record inside the with-statement."""
        probes = [*self.sentinels.values(), *self.redises.values()]
        ended = threading.Event()
        threads = [threading.Thread(target=probe.run) for probe in probes]
        threads.append(threading.Thread(target=self._collect, args=(ended,)))
        for thread in threads:
            thread.start()
        try:
            if not wait_until(lambda: self.frames, 60.0):
                raise LabError("the servers do not all answer: there is nothing to record")
            yield
        finally:
            ended.set()
            for probe in probes:
                probe.end()
            for thread in threads:
                thread.join()

    def last_whole(self, replica: str) -> int:
        """How many frames there are up to the last in which everybody was heard and that host's redis is a replica."""
        whole = (
            at
            for at, (_, sentinels, redises) in enumerate(self.frames, 1)
            if redises[replica] == "slave" and None not in (*sentinels.values(), *redises.values())
        )
        return max(whole, default=0)

    def _collect(self, ended: threading.Event) -> None:
        started = time.monotonic()
        while not ended.wait(EVERY):
            frame = [
                {name: probe.answer for name, probe in self.sentinels.items()},
                {name: probe.answer for name, probe in self.redises.items()},
            ]
            if not self.frames and any(None in answers.values() for answers in frame):
                continue  # a capture begins when everybody has been heard
            if not self.frames or self.frames[-1][1:] != frame:
                self.frames.append([round(1000 * (time.monotonic() - started)), *frame])


def recorder(made: HandMade) -> Recorder:
    """A recorder of a cluster made by hand."""

    def redis(host: Host) -> Probe:
        return Probe(lambda: Resp.to(host, 6379, password=made.password, timeout=STALE), ask_redis)

    def sentinel(host: Host) -> Probe:
        return Probe(lambda: Resp.to(host, 26379, timeout=STALE), ask_sentinel(made.name))

    servers = (made.master, *made.replicas)
    return Recorder(
        {each.name: sentinel(each) for each in made.sentinels}, {each.name: redis(each) for each in servers}
    )


def masters(made: HandMade, live: tuple[Host, ...]) -> set[tuple[str, int]]:
    """What the live sentinels name, with the epoch; a flag beside `master` counts as one more opinion."""
    found: set[tuple[str, int]] = set()
    for host in live:
        with Resp.to(host, 26379) as link:
            vote, told, epoch, flags, _ = ask_sentinel(made.name)(link)
            found |= {(vote, epoch)} | ({(f"{told} {flags}", epoch)} if flags != "master" or told != vote else set())
    return found


def agreed(made: HandMade, live: tuple[Host, ...]) -> str:
    """The address that all live sentinels name without any flag; "" when they do not."""
    found = masters(made, live)
    return next(iter(found))[0] if len(found) == 1 else ""


@contextmanager
def _redis(how: str, master: Host) -> Iterator[None]:
    if how == "hung":
        with hang_redis(master):
            yield
        return
    if how == "asked":
        yield
        return
    master.run("systemctl stop redis" if how == "stopped" else "systemctl kill -s KILL redis", check=False)
    try:
        yield
    finally:
        master.run("systemctl start --no-block redis")


@contextmanager
def _one_sentinel_less(host: Host | None) -> Iterator[None]:
    if host is None:
        yield
        return
    host.run("systemctl stop redis-sentinel")
    try:
        yield
    finally:
        host.run("systemctl start --no-block redis-sentinel")


def whole(made: HandMade) -> bool:
    """Whether all sentinels agree, and the master that they name has all replicas online."""
    try:
        address = agreed(made, made.sentinels)
        hosts = [host for host in (made.master, *made.replicas) if host.address == address]
        if not hosts:
            return False
        with Resp.to(hosts[0], 6379, password=made.password) as link:
            return str(link.call("INFO", "replication")).count("state=online") == len(made.replicas)
    except (OSError, RespError, ValueError):
        return False


def fail_over(made: HandMade, how: str, live_sentinels: int = 3) -> dict[str, Answer]:
    """Record one failover, from a second before its cause until the old master is a replica; return the capture.

    `how`: stopped (systemctl stop), killed (SIGKILL), hung (SIGSTOP until the switch is over), asked (by SENTINEL).
    Raises LabError when the cluster is not whole before, or does not fail over.
    """
    if not wait_until(lambda: whole(made), 120.0, 0.5):
        raise LabError("the cluster does not come together before the failover")
    everybody = (made.master, *made.replicas)
    old = next(host for host in everybody if host.address == agreed(made, made.sentinels))
    spare = next((host for host in made.sentinels if host is not old), None) if live_sentinels == 2 else None
    live = tuple(host for host in made.sentinels if host is not spare)
    recording = recorder(made)
    with _one_sentinel_less(spare), recording.running():
        time.sleep(1.0)  # frames of the calm before
        with _redis(how, old):
            if how == "asked":
                with Resp.to(live[0], 26379) as link:
                    link.call("SENTINEL", "FAILOVER", made.name)
            if not wait_until(lambda: agreed(made, live) not in ("", old.address), 60.0, 0.2):
                raise LabError(f"no failover within 60 s: {masters(made, live)}")
        if not wait_until(lambda: recording.last_whole(old.name), 60.0, 0.2):
            raise LabError(f"{old.name} does not become a replica")
    return {
        "redis": "3.2.6",
        "how": how,
        "live": live_sentinels,
        "master_name": made.name,
        "hosts": {host.name: host.address for host in everybody},
        "sentinels": [host.name for host in made.sentinels],
        "old": old.address,
        "new": agreed(made, live),
        "frames": recording.frames[: recording.last_whole(old.name)],
    }


def write(capture: dict[str, Answer], path: Path) -> None:
    """Save a capture, one frame a line."""
    frames = ",\n".join(json.dumps(frame, separators=(",", ":")) for frame in capture["frames"])
    head = json.dumps({key: value for key, value in capture.items() if key != "frames"}, indent=1)
    path.write_text(f'{head[:-2]},\n "frames": [\n{frames}\n]}}\n')


def record_all(lab: Lab, folder: Path) -> None:
    """Record each way, one after the other, on one cluster made by hand."""
    made = make_by_hand(lab)
    for how, live in WAYS:
        capture = fail_over(made, how, live)
        path = folder / f"{how}-{live}-live.json"
        write(capture, path)
        print(f"{path}: {len(capture['frames'])} frames, {path.stat().st_size} bytes", flush=True)


def main() -> None:
    """Write all captures into the folder of the first argument."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with hosts_lab(lab_config("judge", "192.168.38.0/24")) as lab:
        record_all(lab, folder)


if __name__ == "__main__":
    main()
