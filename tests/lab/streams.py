"""Record what the sentinels of a family publish in failovers of every kind, and whatever else they have an event for.

`python -m lab.streams FAMILY FOLDER [STORY...]` plays the stories of `STORIES` in their order on one cluster and writes
a file of JSON lines for each: time, host, channel, payload. The servers are the family's own, in a network namespace.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.families import FAMILIES, Family
from lab.machine import LabError
from lab.onehost import NAME, PASSWORD, Node, OneHost, wait_for
from lab.packages import server_package
from lab.resp import RespError

_INSIDE = "LAB_STREAMS_INSIDE"


def begins(this: OneHost) -> None:
    """The sentinels find replicas and each other."""
    this.start()


def stopped(this: OneHost) -> None:
    """The master ends in order."""
    this.master.signal("redis", signal.SIGTERM)
    _switch(this)


def returns(this: OneHost) -> None:
    """The old master comes back as a master, and is made a replica."""
    since = len(this.heard)
    _down(this).start_redis()
    this.wait_heard("+convert-to-slave", since)
    this.wait_heard("+role-change", since)
    this.wait_whole()


def requested(this: OneHost) -> None:
    """A person asks for it."""
    this.sentinels[1].say("SENTINEL", "FAILOVER", NAME)
    _switch(this)
    this.wait_whole()


def hung(this: OneHost) -> None:
    """The master hangs, and comes back when all is over."""
    old = this.master
    old.signal("redis", signal.SIGSTOP)
    _switch(this)
    old.signal("redis", signal.SIGCONT)
    this.wait_whole()


def aborted(this: OneHost) -> None:
    """No replica may be promoted."""
    since = len(this.heard)
    _priorities(this, "0")
    this.master.signal("redis", signal.SIGTERM)
    this.wait_heard("-failover-abort-no-good-slave", since)


def after_abort(this: OneHost) -> None:
    """They may again: the next attempt succeeds."""
    for node in this.nodes:
        if node.running["redis"].poll() is None:
            node.ask("CONFIG", "SET", "slave-priority", "100")
    _switch(this)


def not_elected(this: OneHost) -> None:
    """One sentinel is left and needs nobody to agree that the master is down, but two to be elected."""
    since = len(this.heard)
    master, (one, *others) = this.master, this.sentinels
    this.set("quorum", 1, on=[one])
    for node in others:
        node.signal("sentinel", signal.SIGSTOP)
    master.signal("redis", signal.SIGSTOP)
    this.wait_heard("-failover-abort-not-elected", since, one.name)


def tilt(this: OneHost) -> None:
    """Sentinels that stood still do nothing for half a minute; the master that hung is there again."""
    since = len(this.heard)
    one, *others = this.sentinels
    hanging = next(node for node in this.nodes if _state(node) == "T")
    for node in others:
        node.signal("sentinel", signal.SIGCONT)
    hanging.signal("redis", signal.SIGCONT)
    for node in others:
        this.wait_heard("-tilt", since, node.name, seconds=60)
    this.set("quorum", 2, on=[one])
    this.wait_whole()


def slave_timeout(this: OneHost) -> None:
    """The best replica cannot be told to become a master: sentinel's MULTI with CONFIG REWRITE fails there."""
    since = len(this.heard)
    best, master = this.replicas[0], this.master
    best.signal("redis", signal.SIGTERM)
    best.start_redis(master.address, 'rename-command CONFIG ""\nslave-priority 1\n')
    for node in this.sentinels:
        wait_for(lambda node=node: "1" in priorities_seen(node, best), "the best replica known as such")  # type: ignore[misc]
    this.wait_whole()
    master.signal("redis", signal.SIGTERM)
    this.wait_heard("-failover-abort-slave-timeout", since)
    best.signal("redis", signal.SIGTERM)
    _switch(this)
    for node in (best, master):
        node.start_redis(this.master.address)
    this.wait_whole()


def ends_in_time(this: OneHost) -> None:
    """A replica that cannot log in at any master holds the failover's end up, until its time is over."""
    since = len(this.heard)
    odd = this.replicas[0]
    for node in this.replicas:
        node.ask("CONFIG", "SET", "slave-priority", "100" if node is not odd else "0")
    for node in this.sentinels:
        wait_for(lambda node=node: "0" in priorities_seen(node, odd), "the priority seen")  # type: ignore[misc]
    odd.ask("CONFIG", "SET", "masterauth", "wrong")
    this.sentinels[0].say("SENTINEL", "FAILOVER", NAME)
    this.wait_heard("+failover-end-for-timeout", since)
    this.wait_heard("+slave-reconf-sent-be", since)
    _switch(this, since)
    odd.ask("CONFIG", "SET", "masterauth", PASSWORD)
    odd.ask("CONFIG", "SET", "slave-priority", "100")
    this.wait_whole()


def replica_hangs(this: OneHost) -> None:
    """A replica that hangs is given up by the leader; it looks for those while it may reconfigure one more."""
    this.set("parallel-syncs", 3)
    this.set("down-after-milliseconds", 20000)
    this.set("failover-timeout", 40000)
    since = len(this.heard)
    hanging = this.replicas[0]
    _priorities(this, "0", only=hanging)
    hanging.signal("redis", signal.SIGSTOP)
    this.sentinels[2].say("SENTINEL", "FAILOVER", NAME)
    this.wait_heard("-slave-reconf-sent-timeout", since)
    hanging.signal("redis", signal.SIGCONT)
    hanging.ask("CONFIG", "SET", "slave-priority", "100")
    _switch(this, since)
    this.wait_whole()
    this.set("failover-timeout", 3000)


def reboots(this: OneHost) -> None:
    """The master restarts before anybody calls it down."""
    since = len(this.heard)
    master = this.master
    master.signal("redis", signal.SIGKILL)
    master.start_redis()
    this.wait_heard("+reboot", since)
    this.wait_whole()


def by_hand(this: OneHost) -> None:
    """A person changes settings, resets, removes and adds a master; a script of theirs fails, another never ends."""
    since = len(this.heard)
    one = this.sentinels[0]
    master, astray = this.master, this.replicas[0]
    this.set("parallel-syncs", 2)
    one.say("SENTINEL", "SET", NAME, "auth-pass", PASSWORD)
    one.say("SENTINEL", "RESET", NAME)
    this.wait_heard("-script-error", since, one.name)
    this.wait_whole()
    astray.ask("SLAVEOF", this.replicas[1].address, "6379")
    this.wait_heard("+fix-slave-config", since)
    this.set("down-after-milliseconds", 30000, on=[one])
    this.wait_heard("-script-timeout", since, one.name, seconds=90)
    two = this.sentinels[1]
    two.say("SENTINEL", "REMOVE", NAME)
    two.say("SENTINEL", "MONITOR", NAME, master.address, "6379", "2")
    two.say("SENTINEL", "SET", NAME, "auth-pass", PASSWORD)
    this.wait_heard("+monitor", since, two.name)
    this.wait_whole()


def addresses(this: OneHost) -> None:
    """A sentinel moves to another port, while two masters are watched; another loses its id."""
    since = len(this.heard)
    for node in this.sentinels:
        node.say("SENTINEL", "MONITOR", "other", this.master.address, "6379", "2")
        node.say("SENTINEL", "SET", "other", "auth-pass", PASSWORD)
    for node in this.sentinels:
        this.wait_heard("+sentinel", since, node.name)
    moving, forgetful = this.sentinels[1:]
    wait_for(lambda: all(_others(node) == 2 for node in this.sentinels), "all sentinels known for both masters")
    moving.signal("sentinel", signal.SIGTERM)
    file = moving.folder / "sentinel.conf"
    file.write_text(file.read_text().replace("port 26379\n", "port 26380\n", 1))
    moving.port = 26380
    moving.start_sentinel()
    this.wait_heard("+sentinel-address-switch", since)
    this.wait_heard("+sentinel-address-update", since)
    forgetful.signal("sentinel", signal.SIGTERM)
    forgetful.write_sentinel(this.nodes[0].address if _role(this.nodes[0]) == "master" else _chief(this).address)
    forgetful.start_sentinel()
    this.wait_heard("+sentinel-invalid-addr", since)


STORIES: dict[str, Callable[[OneHost], None]] = {
    "begins": begins,
    "stopped": stopped,
    "returns": returns,
    "requested": requested,
    "hung": hung,
    "aborted": aborted,
    "after-abort": after_abort,
    "returns-again": returns,
    "not-elected": not_elected,
    "tilt": tilt,
    "slave-timeout": slave_timeout,
    "ends-in-time": ends_in_time,
    "replica-hangs": replica_hangs,
    "reboots": reboots,
    "by-hand": by_hand,
    "addresses": addresses,
}


# -- what the stories share


def _switch(this: OneHost, since: int | None = None) -> None:
    """Wait until every sentinel has told of the switch and the leader of its end."""
    begun = len(this.heard) if since is None else since
    this.wait_heard("+switch-master", begun, *(node.name for node in this.sentinels), seconds=60)


def _down(this: OneHost) -> Node:
    return next(node for node in this.nodes if node.running["redis"].poll() is not None)


def _state(node: Node) -> str:
    return Path(f"/proc/{node.running['redis'].pid}/stat").read_text().rpartition(") ")[2][0]


def _priorities(this: OneHost, value: str, only: Node | None = None) -> None:
    """Set the priority of the replicas and wait until every sentinel has seen it."""
    chosen = [only] if only else this.replicas
    for node in chosen:
        node.ask("CONFIG", "SET", "slave-priority", value)
    for node in chosen:
        wait_for(lambda node=node: all(value in priorities_seen(s, node) for s in this.sentinels), "priorities seen")  # type: ignore[misc]


def priorities_seen(sentinel: Node, of: Node) -> set[str]:
    """The priority of a replica as a sentinel knows it."""
    rows = sentinel.say("SENTINEL", "SLAVES", NAME)
    assert isinstance(rows, list)
    tables = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows if isinstance(row, list)]
    return {str(row["slave-priority"]) for row in tables if row["ip"] == of.address}


def _others(node: Node) -> int:
    """Of how many other sentinels it knows for the second master."""
    words = node.say("SENTINEL", "MASTER", "other")
    assert isinstance(words, list)
    return int(str(words[words.index("num-other-sentinels") + 1]))


def _role(node: Node) -> str:
    try:
        answer = node.ask("ROLE")
    except (OSError, RespError):
        return ""
    return str(answer[0]) if isinstance(answer, list) else ""


def _chief(this: OneHost) -> Node:
    return next(node for node in this.nodes if _role(node) == "master")


def record(family: Family, folder: Path, until: str) -> None:
    """Play the stories up to one and write down what was heard in each."""
    with TemporaryDirectory() as scratch:
        this = OneHost(server(family, Path(scratch)), Path(scratch), bind_source=family.redis.name == "valkey")
        try:
            for name, play in STORIES.items():
                since = len(this.heard)
                play(this)
                time.sleep(0.3)  # what the last message brings with it
                lines = [json.dumps(message) for message in this.heard[since:]]
                (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
                print(f"{family.name} {name}: {len(lines)} messages", flush=True)
                if name == until:
                    return
        finally:
            this.end()


def server(family: Family, folder: Path) -> Path:
    """The redis-server of a family's package. Its path must not hold `redis-sentinel`: redis would become one."""
    package = server_package(family, family.redis.releases[0])
    archive = subprocess.run(["rpm2archive", "-"], input=package.read_bytes(), capture_output=True, check=True).stdout
    subprocess.run(["tar", "-xz", "-C", str(folder)], input=archive, check=True)
    return next(path for path in folder.glob("usr/bin/*-server") if not path.is_symlink())


def enter_namespace(module: str, environment: Mapping[str, str]) -> None:
    """Go on as a process with a network of its own, which nothing outlives."""
    if _INSIDE not in environment:
        command = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-m"]
        os.execvpe(command[0], [*command, module, *sys.argv[1:]], {**environment, _INSIDE: "1"})


def main() -> None:
    """Record the family of the first argument into the folder of the second, up to the story of the third."""
    enter_namespace("lab.streams", os.environ)
    family, folder, *until = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        record(FAMILIES[family], Path(folder), *until or [""])
    except LabError as error:
        sys.exit(f"{family}: {error}")


if __name__ == "__main__":
    main()
