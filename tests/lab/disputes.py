"""Record what sentinels and servers answer while it is in dispute, or only seems to be, who is master.

`python -m lab.disputes FAMILY FOLDER` plays `DISPUTES` one after the other on a cluster of that family's servers, in a
network namespace, and writes for each a JSON file in the form of `lab.recording`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.families import FAMILIES, Family
from lab.machine import LabError
from lab.onehost import HOSTS, NAME, PASSWORD, Node, OneHost, wait_for
from lab.recording import STALE, Probe, Recorder, ask_redis, ask_sentinel, write
from lab.resp import Resp
from lab.streams import enter_namespace, priorities_seen, server

_CALM = 1.0  # seconds of the calm before and after


def concurrent(this: OneHost) -> None:
    """All sentinels are asked at the same moment, and do not choose the same replica: one epoch, two masters.

    They choose by priority, which each finds out at its own INFO. By themselves they do not come to one mind: a hello
    of the same epoch changes nothing. The next failover has a higher one.
    """
    one = this.sentinels[0]
    one.signal("sentinel", signal.SIGTERM)
    time.sleep(3.0)
    one.start_sentinel()  # it asks for INFO at another time than the others now
    this.wait_whole()
    odd, usual = this.replicas[0], this.replicas[1]
    usual.ask("CONFIG", "SET", "slave-priority", "50")
    wait_for(lambda: all("50" in priorities_seen(each, usual) for each in this.sentinels), "one opinion")
    odd.ask("CONFIG", "SET", "slave-priority", "1")
    wait_for(lambda: 0 < sum("1" in priorities_seen(each, odd) for each in this.sentinels) < 3, "two opinions", 20.0)
    links = [Resp.at(node.address, node.port) for node in this.sentinels]
    for link in links:
        link.send("SENTINEL", "FAILOVER", NAME)
    for link in links:
        link.read()
        link.close()
    since = len(this.heard)
    this.wait_heard("+switch-master", since, *(node.name for node in this.sentinels))
    time.sleep(3.0)
    this.sentinels[0].say("SENTINEL", "FAILOVER", NAME)
    wait_for(lambda: len({this.view(node)["ip"] for node in this.sentinels}) == 1, "one mind")
    for node in (odd, usual):
        node.ask("CONFIG", "SET", "slave-priority", "100")
    this.wait_whole()


def split(this: OneHost) -> None:
    """Two of three sentinels are away, then all; then they are back."""
    for node in this.sentinels:
        node.signal("sentinel", signal.SIGTERM)
        time.sleep(0.5)
    for node in this.sentinels:
        node.start_sentinel()
    this.wait_whole()


def tilt(this: OneHost) -> None:
    """Two sentinels stand still for three seconds and are in tilt mode for half a minute."""
    since = len(this.heard)
    chosen = this.sentinels[:2]
    for node in chosen:
        node.signal("sentinel", signal.SIGSTOP)
    time.sleep(3.0)
    for node in chosen:
        node.signal("sentinel", signal.SIGCONT)
    for node in chosen:
        this.wait_heard("-tilt", since, node.name, seconds=60)
    this.wait_whole()


def two_masters(this: OneHost) -> None:
    """A person makes a replica a master; the sentinels make it a replica again."""
    since = len(this.heard)
    odd = this.replicas[0]
    odd.ask("SLAVEOF", "NO", "ONE")
    this.wait_heard("+convert-to-slave", since)
    this.wait_whole()


def epoch_reset(this: OneHost) -> None:
    """A person removes the master from all sentinels and adds it again: they count from nought."""
    _told_anew(this, this.master.address)


def stale(this: OneHost) -> None:
    """All sentinels are told anew, but of a server that is a replica."""
    right, wrong = this.master.address, this.replicas[0].address
    _monitor(this, wrong)
    time.sleep(2.0)
    _told_anew(this, right)


def retemplated(this: OneHost) -> None:
    """One sentinel gets a new file with a new id and the first master of all; its old self stays as a ghost."""
    this.sentinels[0].say("SENTINEL", "FAILOVER", NAME)
    since = len(this.heard)
    this.wait_heard("+switch-master", since, *(node.name for node in this.sentinels))
    this.wait_whole()
    one, stale_master = this.sentinels[2], this.replicas[0]
    one.signal("sentinel", signal.SIGTERM)
    one.write_sentinel(stale_master.address)
    one.start_sentinel()
    this.wait_heard("+sentinel-invalid-addr", since)
    wait_for(lambda: this.view(one)["ip"] == this.master_by_majority().address, "the sentinel told by the others")
    time.sleep(2.0)


DISPUTES: dict[str, Callable[[OneHost], None]] = {
    "split": split,
    "tilt": tilt,
    "two-masters": two_masters,
    "concurrent": concurrent,
    "epoch-reset": epoch_reset,
    "stale": stale,
    "retemplated": retemplated,
}


def _told_anew(this: OneHost, address: str) -> None:
    _monitor(this, address)
    this.wait_whole()


def _monitor(this: OneHost, address: str) -> None:
    for node in this.sentinels:
        node.say("SENTINEL", "REMOVE", NAME)
        node.say("SENTINEL", "MONITOR", NAME, address, "6379", "2")
        node.say("SENTINEL", "SET", NAME, "auth-pass", PASSWORD)
        node.say("SENTINEL", "SET", NAME, "down-after-milliseconds", "5000")
        time.sleep(0.3)  # a person is not quicker


def recorder(this: OneHost) -> Recorder:
    """A recorder of all its servers."""

    def sentinel(node: Node) -> Probe:
        return Probe(lambda: Resp.at(node.address, node.port, timeout=STALE), ask_sentinel(NAME))

    def redis(node: Node) -> Probe:
        return Probe(partial(Resp.at, node.address, 6379, password=PASSWORD, timeout=STALE), ask_redis)

    return Recorder(
        {node.name: sentinel(node) for node in this.sentinels}, {node.name: redis(node) for node in this.nodes}
    )


def record(family: Family, folder: Path) -> None:
    """Play all and write down what was answered in each."""
    with TemporaryDirectory() as scratch:
        this = OneHost(server(family, Path(scratch)), Path(scratch), bind_source=family.redis.name == "valkey")
        try:
            this.start()
            this.set("down-after-milliseconds", 5000)
            for name, play in DISPUTES.items():
                old = this.master.address
                recording = recorder(this)
                with recording.running():
                    time.sleep(_CALM)
                    play(this)
                    time.sleep(_CALM)
                head = {"redis": family.redis.version, "how": name, "live": 3, "master_name": NAME, "hosts": HOSTS}
                head |= {"sentinels": [node.name for node in this.sentinels]}
                head |= {"old": old, "new": this.master_by_majority().address}
                write(head | {"frames": recording.frames}, folder / f"{name}.json")
                print(f"{family.name} {name}: {len(recording.frames)} frames", flush=True)
        finally:
            this.end()


def main() -> None:
    """Record the family of the first argument into the folder of the second."""
    enter_namespace("lab.disputes", os.environ)
    family, folder = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        record(FAMILIES[family], Path(folder))
    except LabError as error:
        sys.exit(f"{family}: {error}")


if __name__ == "__main__":
    main()
