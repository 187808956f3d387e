"""`make demo`: the seed's cluster on four booted machines, installed, failed over and healed, seen from kubectl.

KEEP=1 leaves everything up; NODE=1 runs the operator as the Pod of deploy/ on the lab's own kubelet.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import redis
import yaml

from lab import labs
from lab.binaries import binary
from lab.console import Console, default_console
from lab.controlplane import ControlPlane
from lab.machine import LabError
from lab.model import LabConfig, lab_from_environment
from lab.operator import ACCOUNT, ROOT, OperatorProcess
from lab.seed import NAMESPACE, SEED, seed_secrets

CLUSTER = "redis-cluster"


class Demo:
    """One showing. Every wait prints what it waits for, and what changed meanwhile."""

    def __init__(self, console: Console, lab: labs.Lab, cp: ControlPlane, password: str) -> None:
        self.console = console
        self.lab = lab
        self.cp = cp
        self._password = password
        self._row = ""

    def status(self) -> dict[str, Any]:
        """The status of the resource as the API server has it now."""
        body = self.cp.get("redissentinelcluster", CLUSTER, "-n", NAMESPACE)
        found: dict[str, Any] = body.get("status") or {}
        return found

    def wait(self, what: str, condition: Callable[[dict[str, Any]], Any], seconds: float) -> dict[str, Any]:
        """Wait until the status meets the condition; each row of `kubectl get rsc` that differs is shown."""
        self.console.say(f"-- waiting for {what}")
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            self._show()
            if condition(status):
                return status
            if time.monotonic() > deadline:
                raise LabError(f"{what} did not come within {seconds:.0f} s; status: {json.dumps(status, indent=1)}")
            time.sleep(0.2)

    def redis(self, host: str) -> redis.Redis:
        """A client of the redis on a host, as an application has it."""
        address = self.lab[host].address
        return redis.Redis(host=address, password=self._password, protocol=2, socket_timeout=5, decode_responses=True)

    def _show(self) -> None:
        heading, *rows = self.cp.kubectl("get", "rsc", "-n", NAMESPACE).splitlines()
        row = rows[0] if rows else ""
        settled = row.rsplit(None, 1)[0]  # without AGE
        if settled and settled != self._row:
            self._row = settled
            self.console.say(f"   {heading}\n   {row}")


def main() -> int:
    """Show it; 0 when all came as promised."""
    console = default_console()
    config = lab_from_environment()
    keep = os.environ.get("KEEP") == "1"
    try:
        with ExitStack() as stack:
            lab, cp, password = _bring_up(config, console, stack, keep)
            log = None if (on_node := os.environ.get("NODE") == "1") else _operator(cp)
            if on_node:
                _pod(stack, cp, config, keep)
            _show(Demo(console, lab, cp, password), log)
            if keep:
                _how_to_look(console, cp, log)
    except LabError as error:
        console.say(f"the demo ends here: {error}")
        return 1
    return 0


def _bring_up(config: LabConfig, console: Console, stack: ExitStack, keep: bool) -> tuple[labs.Lab, ControlPlane, str]:
    lab = labs.up(config, keep=keep, console=console)
    if not keep:
        stack.callback(_down, config, console)
    cp = ControlPlane(config)
    with console.step("starting etcd, kube-apiserver and kube-controller-manager"):
        cp.start(keep=keep)
    if not keep:
        stack.callback(cp.stop)
    password = secrets.token_urlsafe(18)
    cp.apply(ROOT / "crds")
    cp.apply(without_deployment(cp))
    return lab, cp, password


def _down(config: LabConfig, console: Console) -> None:
    with console.step("cleaning up"):
        labs.down(config)


def without_deployment(cp: ControlPlane) -> list[dict[str, Any]]:
    """deploy/ but its Deployment: for an operator that runs as a process with that ServiceAccount's token."""
    documents = yaml.safe_load_all(cp.kubectl("kustomize", str(ROOT / "deploy")))
    return [document for document in documents if document["kind"] != "Deployment"]


def _operator(cp: ControlPlane) -> Path:
    operator = OperatorProcess(cp).start()
    return operator.log


def _pod(stack: ExitStack, cp: ControlPlane, config: LabConfig, keep: bool) -> None:
    from lab.image import image_archive
    from lab.node import Node

    node = Node(config, cp)
    node.start()
    if not keep:
        stack.callback(node.stop)
    node.load(image_archive())
    cp.apply(ROOT / "deploy")
    cp.kubectl("rollout", "status", f"deployment/{ACCOUNT}", "-n", ACCOUNT, "--timeout=120s", seconds=130)


def _show(demo: Demo, log: Path | None) -> None:
    say = demo.console.say
    say("== 1. apply: four bare hosts become a cluster")
    lab = demo.lab
    demo.cp.kubectl("apply", "-f", str(SEED / "namespace.yaml"))
    demo.cp.apply(seed_secrets(lab.private_key.read_text(), lab.known_hosts(), demo._password))
    demo.cp.kubectl("apply", "-k", str(SEED))
    applied = time.monotonic()
    status = demo.wait("condition Ready", _is_ready, 180)
    ready = time.monotonic()
    master = status["master"]["host"]
    _write_and_read(demo, master)
    say(f"== 2. failover: redis on {master} is stopped (systemctl stop redis)")
    stopped = time.time()
    with _events(demo.console, log):
        lab[master].run("systemctl stop redis")
        demo.wait("another master in status", lambda s: s["master"]["host"] != master, 60)
        say(f"== 3. healing: {master} comes back as a replica")
        demo.wait("all as declared, 3/3 replicas", _is_whole, 90)
    healed = time.time()
    failover = demo.status()["failovers"][-1]
    link = demo.redis(master).info("replication")
    say(f"   {master}: role:{link['role']} master_host:{link['master_host']} link:{link['master_link_status']}")
    say(f"   {failover['to']} has the key: {demo.redis(failover['to']).get('demo')!s}")
    say("== measured")
    say(f"   apply to Ready                       {ready - applied:6.1f} s")
    for name in ("detected", "elected", "promoted", "switched", "published"):
        if failover.get(name):
            say(
                f"   master stopped to {name:<18} {datetime.fromisoformat(failover[name]).timestamp() - stopped:6.1f} s"
            )
    say(f"   master stopped to all healed         {healed - stopped:6.1f} s")


def _write_and_read(demo: Demo, master: str) -> None:
    with demo.redis(master) as client:
        client.set("demo", "written on the master")
        client.wait(3, 3000)
    for replica in (host.name for host in demo.lab if host.name != master):
        with demo.redis(replica) as client:
            demo.console.say(f"   {replica} reads: {client.get('demo')}")


def _is_ready(status: dict[str, Any]) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))


def _is_whole(status: dict[str, Any]) -> bool:
    return status.get("replicas") == "3/3" and status.get("phase") == "Healthy"


@contextmanager
def _events(console: Console, log: Path | None) -> Iterator[None]:
    """Show what the sentinels said meanwhile, in the order the operator received it."""
    start = log.stat().st_size if log else 0
    yield
    if log is None:
        return
    console.say("   what the sentinels said:")
    with log.open() as lines:
        lines.seek(start)
        for line in lines:
            record = json.loads(line)
            if "channel" in record:
                console.say(f"   {record['message'].partition(': ')[2]}")


def _how_to_look(console: Console, cp: ControlPlane, log: Path | None) -> None:
    follow = f"tail -f {log}" if log else f"kubectl logs -f -n {ACCOUNT} deployment/{ACCOUNT}"
    console.say(
        f"== left running\n   export KUBECONFIG={cp.admin_kubeconfig}\n"
        f"   {binary('kubectl', console)} get rsc -A -o wide\n"
        f"   make lab-shell HOST=redis_slave01\n   {follow}\n   make lab-down     ends it"
    )


if __name__ == "__main__":
    sys.exit(main())
