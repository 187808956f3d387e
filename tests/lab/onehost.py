"""The servers of one family as a cluster in one network: real Redis and Sentinel processes, without machines.

For what only the servers' own words are asked for: which events their sentinels publish. It lives in a network
namespace of its own (`unshare --net`), where four addresses of the lab are the loopback's.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.machine import LabError, run
from lab.processes import wait_until
from lab.resp import Resp, RespError

NAME = "redis-cluster"
PASSWORD = "PASSWORD"  # what a recording shows in its place: no secret, and easy to find
SCRIPT = "/usr/local/bin/notify"  # where a recording says that the notification script lies
HOSTS = {
    f"redis_{name}": f"192.168.37.{41 + at}" for at, name in enumerate(("master01", *(f"slave0{n}" for n in (1, 2, 3))))
}
Message = tuple[float, str, str, str]  # seconds since the epoch, host, channel, payload

_REDIS = """port 6379
bind {address}
dir {folder}
requirepass {password}
masterauth {password}
repl-diskless-sync no
save ""
"""
_SENTINEL = """port {port}
bind {address}
dir {folder}
protected-mode no
sentinel monitor {name} {master} 6379 2
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 3000
sentinel auth-pass {name} {password}
sentinel notification-script {name} {folder}/notify
"""
_NOTIFY = """#!/bin/sh
case "$1 $2" in
+reset-master*) exit 2 ;;
+set*down-after-milliseconds\\ 30000) exec sleep 100 ;;
esac
"""


@dataclass(slots=True)
class Node:
    """A host's redis and sentinel; only what was started runs."""

    name: str
    address: str
    binary: Path
    folder: Path
    common: str = ""  # lines of both files
    port: int = 26379  # of its sentinel
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start_redis(self, master: str = "", extra: str = "") -> None:
        """Start redis with a file of its own, a replica of the address `master`."""
        text = _REDIS.format(address=self.address, folder=self.folder, password=PASSWORD)
        text += self.common + (f"slaveof {master} 6379\n" if master and master != self.address else "")
        (self.folder / "redis.conf").write_text(text + extra)
        self._start("redis", "redis.conf")

    def write_sentinel(self, master: str) -> None:
        """Write the sentinel's first file: it watches `master`, and calls a script that misbehaves on demand."""
        values = {"address": self.address, "folder": self.folder, "port": self.port, "name": NAME, "master": master}
        (self.folder / "sentinel.conf").write_text(self.common + _SENTINEL.format(**values, password=PASSWORD))
        (self.folder / "notify").write_text(_NOTIFY)
        (self.folder / "notify").chmod(0o755)

    def start_sentinel(self) -> None:
        """Start the sentinel with its file as it is."""
        self._start("sentinel", "sentinel.conf", "--sentinel")

    def signal(self, which: str, number: int) -> None:
        """Signal redis or sentinel; after one that ends it, wait for its end."""
        process = self.running[which]
        process.send_signal(number)
        if number in {signal.SIGTERM, signal.SIGKILL}:
            process.wait(10)

    def ask(self, *words: str) -> object:
        """The answer of its redis."""
        with Resp.at(self.address, 6379, password=PASSWORD) as link:
            return link.call(*words)

    def say(self, *words: str) -> object:
        """The answer of its sentinel."""
        with Resp.at(self.address, self.port) as link:
            return link.call(*words)

    def _start(self, which: str, file: str, *arguments: str) -> None:
        with (self.folder / f"{which}.log").open("ab") as log:
            self.running[which] = subprocess.Popen(
                [self.binary, self.folder / file, *arguments], stdout=log, stderr=log
            )


class OneHost:
    """Four hosts' servers, three sentinels, and all that these publish in `heard`.

    `bind_source`: the servers go out from their own address only when told so (7.0 and later), and on one machine they
    would all have the same one.
    """

    def __init__(self, binary: Path, folder: Path, *, bind_source: bool = False) -> None:
        run(["ip", "link", "set", "lo", "up"])
        self.nodes: list[Node] = []
        for name, address in HOSTS.items():
            run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
            (folder / name).mkdir()
            common = f"bind-source-addr {address}\n" if bind_source else ""
            self.nodes.append(Node(name, address, binary, folder / name, common))
        self.sentinels = self.nodes[1:]
        self.heard: list[Message] = []
        self._ended = threading.Event()

    def start(self) -> None:
        """Start everything and listen. Raises LabError when it does not come together."""
        first = self.nodes[0].address
        for node in self.nodes:
            node.start_redis(first)
        wait_for(lambda: _online(self.nodes[0]) == 3, "three replicas")
        for node in self.sentinels:
            node.write_sentinel(first)
            node.start_sentinel()
            threading.Thread(target=self._listen, args=(node,), daemon=True).start()
        self.wait_whole()

    def end(self) -> None:
        """Kill everything."""
        self._ended.set()
        for node in self.nodes:
            for process in node.running.values():
                process.kill()
                process.wait()

    @property
    def master(self) -> Node:
        """The node that the sentinels name."""
        named = {str(self.view(node)["ip"]) for node in self.sentinels}
        found = [node for node in self.nodes if {node.address} == named]
        if not found:
            raise LabError(f"the sentinels name {named}")
        return found[0]

    def master_by_majority(self) -> Node:
        """The node that most sentinels name. Raises LabError when there is none."""
        named = [str(self.view(node)["ip"]) for node in self.sentinels]
        found = [node for node in self.nodes if named.count(node.address) >= 2]
        if not found:
            raise LabError(f"the sentinels name {named}")
        return found[0]

    @property
    def replicas(self) -> list[Node]:
        """The others."""
        return [node for node in self.nodes if node is not self.master]

    def view(self, node: Node) -> dict[str, str]:
        """SENTINEL MASTER of a sentinel."""
        words = node.say("SENTINEL", "MASTER", NAME)
        assert isinstance(words, list)
        return dict(zip(words[::2], words[1::2], strict=True))

    def set(self, option: str, value: int, on: Iterable[Node] = ()) -> None:
        """SENTINEL SET on all sentinels, or on some."""
        for node in on or self.sentinels:
            node.say("SENTINEL", "SET", NAME, option, str(value))

    def wait_whole(self) -> None:
        """Wait until all sentinels agree and all replicas are online. Raises LabError."""
        wait_for(self._whole, "a whole cluster", 60.0)

    def wait_heard(self, channel: str, since: int, *names: str, seconds: float = 40.0) -> None:
        """Wait until one sentinel, or each of `names`, has said it since that message. Raises LabError."""
        wanted = set(names)

        def said() -> bool:
            by = {host for _, host, told, _ in self.heard[since:] if told == channel}
            return bool(by) and wanted <= by

        wait_for(said, f"{channel} from {sorted(wanted) or 'a sentinel'}", seconds)

    def _whole(self) -> bool:
        try:
            views = [self.view(node) for node in self.sentinels]
            same = {(view["ip"], view["config-epoch"], view["flags"]) for view in views}
            known = {(view["num-slaves"], view["num-other-sentinels"]) for view in views}
            return (
                len(same) == 1 and known == {("3", "2")} and views[0]["flags"] == "master" and _online(self.master) == 3
            )
        except (OSError, RespError):
            return False

    def _listen(self, node: Node) -> None:
        """Write down what a sentinel publishes, through its restarts."""
        while not self._ended.is_set():
            try:
                with Resp.at(node.address, node.port, timeout=86400) as link:
                    link.call("PSUBSCRIBE", "*")
                    while True:
                        message = link.read()
                        assert isinstance(message, list)
                        _, _, channel, payload = message
                        said = str(payload).replace(f"{node.folder}/notify", SCRIPT)
                        self.heard.append((round(time.time(), 3), node.name, str(channel), said))
            except OSError:
                time.sleep(0.02)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for it. Raises LabError."""
    if not wait_until(condition, seconds, 0.05):
        raise LabError(f"{what} did not come within {seconds:.0f} s")


def _online(node: Node) -> int:
    try:
        return str(node.ask("INFO", "replication")).count("state=online")
    except (OSError, RespError):
        return 0
