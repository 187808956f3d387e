"""`make demo`: the seed's cluster on four booted machines, installed, failed over and healed, seen from kubectl.

KEEP=1 leaves everything up; NODE=1 runs the operator as the Pod of deploy/ on the lab's own kubelet.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis
import yaml

from lab import hints, labs
from lab.artefacts import build_control_plane
from lab.console import Console, default_console
from lab.controlplane import ControlPlane, KubectlError
from lab.image import image_archive
from lab.machine import LabError, ensure_host_tools
from lab.model import LabConfig, lab_config, lab_from_environment
from lab.node import Node
from lab.operator import ACCOUNT, ROOT, OperatorProcess
from lab.seed import NAMESPACE, SEED, seed_cluster, seed_fits, seed_secrets
from lab.telling import Rows, SentinelTeller

CLUSTER = "redis-cluster"
WRITTEN = "written on the master"
Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person who called asked for."""

    config: LabConfig
    keep: bool
    on_node: bool

    def again(self, *more: str) -> str:
        """The command that shows the same once more, with `more` settings."""
        words = [*more, "NODE=1"] if self.on_node else [*more]
        if self.config.subnet != lab_config().subnet:
            words.append(f"LAB_SUBNET={self.config.subnet}")
        return self.config.make(" ".join(["demo", *words]))


class Demo:
    """One showing. Every wait prints what it waits for, and what changed meanwhile."""

    def __init__(self, console: Console, lab: labs.Lab, cp: ControlPlane, operator: OperatorProcess | None) -> None:
        self.console = console
        self.lab = lab
        self.cp = cp
        self.operator = operator  # None: it is a Pod
        self.password = secrets.token_urlsafe(18)
        self._rows = Rows()

    def status(self) -> Status:
        """The status of the resource as the API server has it now."""
        body = self.cp.get("redissentinelcluster", CLUSTER, "-n", NAMESPACE)
        found: Status = body.get("status") or {}
        return found

    def wait(self, what: str, condition: Callable[[Status], Any], seconds: float) -> Status:
        """Wait until the status meets the condition; each row of `kubectl get rsc` that differs is shown.

        Raises LabError with the status's own sentence when it is not in time, and at once when it cannot come.
        """
        self.console.say(f"-- waiting for {what}")
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            for line in self._rows.new(self.cp.kubectl("get", "rsc", "-n", NAMESPACE)):
                self.console.say(f"   {line}")
            if condition(status):
                return status
            message = status.get("message") or "the operator has not written a status"
            if status.get("phase") == "Blocked":
                raise LabError(f"{what} will not come, the operator is blocked: {message}")
            if self.operator and not self.operator.running:
                raise LabError(f"{what} will not come, the operator has ended:\n{self.operator.tail(5)}")
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not come within {seconds:.0f} s: {message}")
            time.sleep(0.2)

    def redis(self, host: str) -> redis.Redis:
        """A client of the redis on a host, as an application has it."""
        address = self.lab[host].address
        return redis.Redis(host=address, password=self.password, protocol=2, socket_timeout=5, decode_responses=True)

    def log(self) -> str:
        """What the operator has logged, lines of JSON; empty where its Pod is being replaced."""
        if self.operator:
            return self.operator.log.read_text(errors="replace")
        try:
            return self.cp.kubectl("logs", "-n", ACCOUNT, f"deployment/{ACCOUNT}", "--tail=-1")
        except KubectlError:
            return ""


def main() -> int:
    """Show it; 0 when all came as promised."""
    console = default_console()
    try:
        wish = Wish(lab_from_environment(), os.environ.get("KEEP") == "1", os.environ.get("NODE") == "1")
        _run(wish, console)
    except (LabError, TimeoutError, ValueError, redis.RedisError) as error:
        console.say(f"the demo ends here: {error}")
        return 1
    except KeyboardInterrupt:
        console.say("the demo ends here: interrupted")
        return 130
    if not wish.keep:
        console.say(f"all came as promised; to look around: {wish.again('KEEP=1')}")
    return 0


def _run(wish: Wish, console: Console) -> None:
    ensure_host_tools(console)
    labs.refuse_living(wish.config)
    build_control_plane(console, with_node=wish.on_node)
    with _undone(wish, console) as stack:
        lab, cp = _bring_up(wish, console, stack)
        operator = None if wish.on_node else OperatorProcess(cp).start()
        if wish.on_node:
            _pod(wish, console, stack, cp)
        demo = Demo(console, lab, cp, operator)
        try:
            _show(demo)
        except LabError as error:
            describe = f"kubectl -n {NAMESPACE} describe rsc {CLUSTER}"
            nearer = describe if wish.keep else f"{wish.again('KEEP=1')}, then {describe}"
            raise LabError(f"{error}\nto look closer: {nearer}") from error
        finally:
            if wish.keep:
                _how_to_look(demo)


def _bring_up(wish: Wish, console: Console, stack: ExitStack) -> tuple[labs.Lab, ControlPlane]:
    lab = labs.up(wish.config, keep=wish.keep, console=console)
    if not wish.keep:
        stack.callback(labs.down, wish.config)
    cp = ControlPlane(wish.config, console)
    cp.start(keep=wish.keep)
    if not wish.keep:
        stack.callback(cp.stop)
    cp.apply(ROOT / "crds")
    cp.apply(without_deployment(cp))
    return lab, cp


@contextmanager
def _undone(wish: Wish, console: Console) -> Iterator[ExitStack]:
    """Undo what is pushed on the stack as one step, however the showing ends; nothing is pushed where all is kept."""
    stack = ExitStack()
    try:
        yield stack
    finally:
        if not wish.keep:
            with console.step("cleaning up"):
                stack.close()


def without_deployment(cp: ControlPlane) -> list[dict[str, Any]]:
    """deploy/ but its Deployment: for an operator that runs as a process with that ServiceAccount's token."""
    documents = yaml.safe_load_all(cp.kubectl("kustomize", str(ROOT / "deploy")))
    return [document for document in documents if document["kind"] != "Deployment"]


def _pod(wish: Wish, console: Console, stack: ExitStack, cp: ControlPlane) -> None:
    node = Node(wish.config, cp)
    node.start()
    if not wish.keep:
        stack.callback(node.stop)
    with console.step("importing the operator's image into the node's containerd"):
        node.load(image_archive(console))
    with console.step("kubectl apply -k deploy/", "its Pod to be ready"):
        cp.apply(ROOT / "deploy")
        cp.kubectl("rollout", "status", f"deployment/{ACCOUNT}", "-n", ACCOUNT, "--timeout=120s", seconds=130)


def _show(demo: Demo) -> None:
    say = demo.console.say
    say(f"== 1. apply: {len(demo.lab.hosts)} bare hosts become a cluster")
    _declare(demo)
    applied = time.monotonic()
    master = demo.wait("condition Ready", _is_ready, 180)["master"]["host"]
    ready = time.monotonic()
    _write_and_read(demo, master)
    say(f"== 2. failover: redis on {master} is stopped (systemctl stop redis)")
    stopped = time.time()
    sentinels = SentinelTeller(demo.console, demo.log, stopped)
    demo.lab[master].run("systemctl stop redis")
    demo.wait("another master in status", lambda s: (s.get("master") or {}).get("host") not in (None, master), 60)
    sentinels.tell()
    say(f"== 3. healing: {master} comes back as a replica")
    replicas = len(demo.lab.replicas)
    demo.wait(f"all as declared, {replicas}/{replicas} replicas", lambda s: _is_whole(s, replicas), 90)
    healed = time.time()
    sentinels.tell()
    failover = demo.status()["failovers"][-1]
    _follows(demo, master, demo.lab[failover["to"]].address)
    _shows_the_key(demo, failover["to"])
    say("== measured")
    say(f"   apply to Ready                       {ready - applied:6.1f} s")
    for name in ("detected", "elected", "promoted", "switched", "published"):
        if failover.get(name):
            after = datetime.fromisoformat(failover[name]).timestamp() - stopped
            say(f"   master stopped to {name:<18} {after:6.1f} s")
    say(f"   master stopped to all healed         {healed - stopped:6.1f} s")


def _follows(demo: Demo, host: str, master: str) -> None:
    with demo.redis(host) as client:
        link = client.info("replication")
    found = (link["role"], link.get("master_host"), link.get("master_link_status"))
    demo.console.say("   {}: role:{} master_host:{} link:{}".format(host, *found))
    _promised(found == ("slave", master, "up"), f"{host} is no replica of {master} whose link is up")


def _declare(demo: Demo) -> None:
    """Apply the example as a user does: its files where the lab has their addresses, else the same with the lab's."""
    demo.cp.kubectl("apply", "-f", str(SEED / "namespace.yaml"))
    demo.cp.apply(seed_secrets(demo.lab.private_key.read_text(), demo.lab.known_hosts(), demo.password))
    example = SEED.relative_to(ROOT)
    if seed_fits(demo.lab.config):
        demo.console.say(f"   kubectl apply -k {example}")
        demo.cp.kubectl("apply", "-k", str(SEED))
    else:
        demo.console.say(f"   kubectl apply -f {example}/cluster.yaml, with the addresses of {demo.lab.config.subnet}")
        demo.cp.apply([seed_cluster(demo.lab.config)])


def _write_and_read(demo: Demo, master: str) -> None:
    replicas = [host.name for host in demo.lab if host.name != master]
    with demo.redis(master) as client:
        client.set("demo", WRITTEN)
        followed = client.wait(len(replicas), 3000)
    _promised(followed == len(replicas), f"{followed} of {len(replicas)} replicas had the write within 3 s")
    for replica in replicas:
        _shows_the_key(demo, replica)


def _shows_the_key(demo: Demo, host: str) -> None:
    with demo.redis(host) as client:
        found = client.get("demo")
    demo.console.say(f"   {host} reads: {found}")
    _promised(found == WRITTEN, f"{host} does not have what was written on the master")


def _promised(kept: bool, otherwise: str) -> None:
    """Raises LabError with what is the case where a promise is not kept."""
    if not kept:
        raise LabError(otherwise)


def _is_ready(status: Status) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))


def _is_whole(status: Status, replicas: int) -> bool:
    return status.get("replicas") == f"{replicas}/{replicas}" and status.get("phase") == "Healthy"


def _how_to_look(demo: Demo) -> None:
    log = f"tail -f {demo.operator.log}" if demo.operator else f"kubectl logs -f -n {ACCOUNT} deployment/{ACCOUNT}"
    lines = [*hints.kubectl_ready(demo.cp), *hints.cluster_looks(), log, *hints.lab_looks(demo.lab.config)]
    demo.console.say("== left running\n   " + "\n   ".join(lines))


if __name__ == "__main__":
    sys.exit(main())
