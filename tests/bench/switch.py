"""How fast a switch of the master is published, over real failovers, against a bare subscriber that just patches."""

from __future__ import annotations

import http.client
import json
import ssl
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import ReadOnlyError, RedisError, ResponseError

from bench.figures import Figure, compared
from e2e.rig import NAME, Rig, is_healthy, master
from lab.controlplane import ControlPlane
from lab.hosts import Host
from lab.labs import Lab
from lab.machine import LabError
from lab.operator import OperatorProcess
from lab.processes import wait_until
from lab.seed import NAMESPACE

FORCED, KILLS, UNATTENDED = 20, 10, 3
# Shorter than by default: a sentinel begins no second failover within twice its failover-timeout.
SENTINEL = {"downAfterMilliseconds": 2000, "failoverTimeoutMilliseconds": 5000}
PATIENCE = 90.0
RETURN = 3.0  # after the switch; what starts within two seconds of it is not proved to be younger
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
BARE = "bare-subscriber"


@dataclass
class Heard:
    """When sentinels said what, time.monotonic(); and how long the bare subscriber took, in seconds."""

    events: list[tuple[str, float]] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def has(self, channel: str, since: float) -> bool:
        """Whether it was said since then."""
        return any(name == channel and at >= since for name, at in self.events)

    def first(self, channel: str, since: float) -> float:
        """When it was said first after `since`. Raises LabError."""
        times = [at for name, at in self.events if name == channel and at >= since]
        if not times:
            raise LabError(f"no sentinel said {channel}")
        return min(times)


@dataclass(frozen=True, slots=True)
class Switched:
    """One failover, in milliseconds: `over` from the first +switch-master, `promoted` from +promoted-slave.

    `writable`: for how long a master that was killed, and started again after the switch, took writes.
    """

    killed: bool
    status: float
    endpoint: float
    over: float
    promoted: float
    writable: float


def switch(lab: Lab, cp: ControlPlane) -> list[Figure]:
    """Measure: the operator and the bare subscriber hear of the same failovers."""
    rig = Rig(lab, cp)
    rig.operator = OperatorProcess(cp)  # its passes are a minute apart, as with everybody
    rig.declare(sentinel=SENTINEL)
    rig.operator.start()
    rig.wait_healthy()
    heard = Heard()
    with _listening(rig, heard):
        found = [_round(rig, heard, killed=number % 3 == 2) for number in range(FORCED + KILLS)]
        rig.operator.stop()
        alone = [_writable_alone(rig, heard) for _ in range(UNATTENDED)]
    return _figures(found, heard.bare, alone)


def _figures(found: Sequence[Switched], bare: Sequence[float], alone: Sequence[float]) -> list[Figure]:
    baseline = statistics.median(bare) * 1000
    figures: list[Figure] = []
    for where in ("status", "endpoint"):
        times = [float(getattr(each, where)) for each in found]
        figures += [
            Figure(f"switch_to_{where}_p50_ms", round(statistics.median(times), 1), "ms", at_most=20),
            Figure(f"switch_to_{where}_p99_ms", round(_p99(times), 1), "ms", at_most=100),
            compared(f"switch_to_{where}_vs_bare_subscriber", statistics.median(times), baseline),
        ]
    over = statistics.median(each.over for each in found if each.killed)
    writable = statistics.median(each.writable for each in found if each.killed)
    return [
        *figures,
        Figure("endpoint_after_switch_master_p50_ms", _median(each.over for each in found), "ms"),
        Figure("endpoint_after_promoted_slave_p50_ms", _median(each.promoted for each in found), "ms"),
        Figure("kill_to_published_over_sentinel_ms", round(over, 1), "ms", at_most=50),
        compared("old_master_writable_ms", writable, statistics.median(alone)),
    ]


def _median(times: Iterator[float]) -> float:
    return round(statistics.median(times), 1)


def _p99(times: Sequence[float]) -> float:
    return sorted(times)[round(0.99 * (len(times) - 1))]


def _round(rig: Rig, heard: Heard, *, killed: bool) -> Switched:
    """One failover, from a healthy cluster to a healthy cluster."""
    old = rig.lab[master(rig.status())]
    began = time.monotonic()
    if killed:
        old.run("systemctl kill -s KILL redis")
    else:
        force(rig)
    told = {where: _published(rig, where, began) for where in ("status", "endpoint")}
    writable = _writable(rig, old) if killed else 0.0
    rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all well again", PATIENCE)
    stored = told["endpoint"]["seen"] + told["endpoint"]["took"]
    switched = heard.first("+switch-master", began)
    return Switched(
        killed,
        told["status"]["took"] * 1000,
        told["endpoint"]["took"] * 1000,
        (stored - switched) * 1000,
        (stored - heard.first("+promoted-slave", began)) * 1000,
        writable * 1000,
    )


def force(rig: Rig) -> None:
    """Have a sentinel switch; it refuses for as long as it waits for news of the replicas after the last switch."""

    def accepted() -> bool:
        try:
            sentinel.execute_command("SENTINEL", "FAILOVER", NAME)
        except ResponseError:
            return False
        return True

    with rig.sentinel(rig.lab.replicas[0].name) as sentinel:
        if not wait_until(accepted, PATIENCE):
            raise LabError("the sentinel begins no failover")


def _writable_alone(rig: Rig, heard: Heard) -> float:
    """The same for a master that comes back while no operator runs, in milliseconds."""
    (old,) = rig.master_by_role()
    began = time.monotonic()
    rig.lab[old].run("systemctl kill -s KILL redis")
    if not wait_until(lambda: heard.has("+switch-master", began), PATIENCE):
        raise LabError("the sentinels do not switch")
    took = _writable(rig, rig.lab[old])
    if not wait_until(lambda: all_linked(rig), PATIENCE):
        raise LabError("the replicas do not follow")
    return took * 1000


def all_linked(rig: Rig) -> bool:
    """Whether there is one master, and all others follow it."""
    masters = rig.master_by_role()
    if len(masters) != 1:
        return False
    with rig.redis(masters[0]) as client:
        return len(client.execute_command("ROLE")[2]) == len(rig.lab.hosts) - 1


def _writable(rig: Rig, old: Host) -> float:
    """Start the old master as a person would; the seconds from the first to the last write that it takes."""
    time.sleep(RETURN)
    old.run("systemctl start --no-block redis")
    first = last = 0.0
    with Redis(host=old.address, password=rig.password, protocol=2, socket_timeout=1) as client:
        while True:
            try:
                client.set("bench:writable", "yes")
                last = time.monotonic()
                first = first or last
            except ReadOnlyError:
                return last - first
            except RedisError:  # not up yet, loading, or its clients were just thrown out
                pass
            time.sleep(0.005)


def _published(rig: Rig, where: str, since: float) -> dict[str, Any]:
    """The operator's own line of when it had stored a switch."""

    def told() -> dict[str, Any] | None:
        lines = (line for line in rig.operator.lines() if line.get("published") == where)
        return next((line for line in lines if line["seen"] > since), None)

    found: dict[str, Any] = rig.operator.wait_until(told, f"the switch in {where}", PATIENCE)
    return found


@contextmanager
def _listening(rig: Rig, heard: Heard) -> Iterator[None]:
    """Subscribe to all sentinels; the bare subscriber to one, as a connection of its own."""
    patch = _patcher(rig)

    def note(channel: str) -> None:
        heard.events.append((channel, time.monotonic()))

    def bare(channel: str) -> None:
        if channel == "+switch-master":
            received = time.monotonic()
            patch()
            heard.bare.append(time.monotonic() - received)

    with ExitStack() as stack:
        for host in rig.lab.replicas:
            stack.enter_context(_subscribed(rig.sentinel(host.name), note))
        stack.enter_context(_subscribed(rig.sentinel(rig.lab.replicas[-1].name), bare))
        yield


@contextmanager
def _subscribed(sentinel: Redis, tell: Callable[[str], None]) -> Iterator[None]:
    ended = threading.Event()
    pubsub = sentinel.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    pubsub.subscribe("+switch-master", "+promoted-slave")

    def listen() -> None:
        while not ended.is_set():
            message = pubsub.get_message(timeout=0.5)
            if message is not None:
                tell(str(message["channel"]))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        pubsub.close()
        sentinel.close()


def _patcher(rig: Rig) -> Callable[[], None]:
    """Return what patches an EndpointSlice over one connection that is kept open, as little as can be done."""
    rig.cp.apply([_slice()])
    user = json.loads(rig.cp.admin_kubeconfig.read_text())["users"][0]["user"]
    context = ssl.create_default_context(cafile=str(rig.cp.authority))
    connection = http.client.HTTPSConnection(urlsplit(rig.cp.url).netloc, context=context)
    headers = {"Authorization": f"Bearer {user['token']}", "Content-Type": "application/merge-patch+json"}
    turn = [0]

    def patch() -> None:
        turn[0] += 1
        body = json.dumps({"endpoints": [{"addresses": [f"192.0.2.{turn[0]}"], "conditions": {"ready": True}}]})
        connection.request("PATCH", f"{SLICES}/{BARE}", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != http.HTTPStatus.OK:
            raise LabError(f"the bare subscriber's patch was refused: {answer.status}")

    return patch


def _slice() -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": BARE, "namespace": NAMESPACE},
        "addressType": "IPv4",
        "endpoints": [],
    }
