"""What every end-to-end test works with: four hosts, an API server, the operator as a process, the seed's cluster."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from lab import labs
from lab.canary import Canary
from lab.controlplane import ControlPlane, KubectlError
from lab.demo import without_deployment
from lab.machine import LabError
from lab.model import LabConfig
from lab.operator import NAMES, ROOT, OperatorProcess
from lab.processes import wait_until
from lab.seed import NAMESPACE, seed_cluster, seed_secrets

NAME = "redis-cluster"
PLURAL = "redissentinelclusters"
FAST_RESYNC = {"RSO_RESYNC": "12"}  # what nobody tells the operator is found five times sooner than by default
# A hung host's own deadlines, of reading and of connecting: what comes before a word of them did not wait for it.
PATIENT = FAST_RESYNC | {"RSO_PROBE_TIMEOUT": "300", "RSO_CONNECT_TIMEOUT": "300", "RSO_RESP_TIMEOUT": "300"}
_INFO_FRESH = 7.0  # seconds; sentinels ask every ten
Status = dict[str, Any]


class Rig:
    """Hosts, API server, one operator. `password` is the seed's; it must never be seen anywhere."""

    def __init__(self, lab: labs.Lab, cp: ControlPlane) -> None:
        self.lab = lab
        self.cp = cp
        self.password = "Canary-" + secrets.token_urlsafe(12)
        cp.apply(ROOT / "crds")
        cp.apply(without_deployment(cp))
        self.operator = OperatorProcess(cp, settings=FAST_RESYNC)
        self.canary = Canary(self.password, lab, operator_logs(cp), self.told)
        self.spoiled = "not made yet"  # why the cluster that is there is not for the next test; "" where it is

    # ---- the resource ------------------------------------------------------------------------------------------------

    def declare(self, namespace: str = NAMESPACE, **changes: Any) -> dict[str, Any]:
        """Apply the seed's namespace, Secrets and cluster with changes of its spec (None: without); return it."""
        self.namespace(namespace)
        documents = seed_secrets(self.lab.private_key.read_text(), self.lab.known_hosts(), self.password)
        for document in documents:
            document["metadata"]["namespace"] = namespace
        self.cp.apply(documents)
        cluster = seed_cluster(self.lab.config)
        cluster["metadata"]["namespace"] = namespace
        cluster["spec"] = {key: value for key, value in {**cluster["spec"], **changes}.items() if value is not None}
        self.cp.apply([cluster])
        return cluster

    def namespace(self, name: str) -> None:
        """Make a namespace unless it is there."""
        self.cp.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}])

    def body(self, namespace: str = NAMESPACE) -> dict[str, Any]:
        """The resource as stored. Asked five times a second, so without kubectl: a start of it takes 0.1 s of CPU."""
        stored = self.cp.raw(f"/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{namespace}/{PLURAL}/{NAME}")
        found: dict[str, Any] = json.loads(stored) if stored else self.cp.get(PLURAL, NAME, "-n", namespace)
        return found

    def writes_since(self, body: Mapping[str, Any]) -> list[str]:
        """What was written to the resource since `body` was read (minutes at most): each value, also what is back."""
        return [line for old, new in pairwise(self.versions_since(body)) for line in _written(old, new)]

    def versions_since(self, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """The resource as it was stored each time since `body` was read (minutes at most), that one among them."""
        where = body["metadata"]
        path = f"/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{where['namespace']}/{PLURAL}"
        return self.cp.versions_since(path, body, self.body(where["namespace"]))

    def as_listed(self, namespace: str = NAMESPACE) -> dict[str, Any]:
        """The resource as stored, with the version of the list that it is in: what is written from now on is later.

        An API server that was started since the resource was written last cannot tell what came after that write. By
        kubectl, which waits where such a one says 429 ("storage is (re)initializing") to its first question.
        """
        path = f"/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{namespace}/{PLURAL}"
        found = json.loads(self.cp.kubectl("get", "--raw", path))
        body: dict[str, Any] = next(each for each in found["items"] if each["metadata"]["name"] == NAME)
        body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
        return body

    def status(self, namespace: str = NAMESPACE) -> Status:
        """Its status, {} while there is none."""
        found: Status = self.body(namespace).get("status") or {}
        return found

    def wait(
        self, condition: Callable[[Status], Any], what: str, seconds: float = 60, namespace: str = NAMESPACE
    ) -> Status:
        """Wait until the status meets the condition; the error shows the status and the end of the operator's log."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status(namespace)
            if condition(status):
                return status
            if time.monotonic() > deadline:
                text = json.dumps(status, indent=1)
                raise LabError(f"{what} did not come within {seconds:.0f} s\n{text}\n{self.operator.tail()}")
            time.sleep(0.2)

    def wait_healthy(self, seconds: float = 120, namespace: str = NAMESPACE) -> Status:
        """Wait until all is as declared for the present generation and nothing is going on."""
        generation = self.body(namespace)["metadata"]["generation"]
        return self.wait(
            lambda s: is_healthy(s) and s.get("observedGeneration") == generation, "Healthy", seconds, namespace
        )

    def wait_quiet(self) -> dict[str, Any]:
        """Wait until all is healthy and every sentinel is followed, and return the resource: nothing more is to come.

        A cluster is healthy a second or two before the last follower is connected and the Services were looked at;
        status tells that as well. A sentinel that hung is in tilt for half a minute after that, and no act begins.
        """
        sentinels = {host.name for host in self.lab.replicas}
        self.wait_healthy()
        self.wait(lambda _: not any(self._in_tilt(name) for name in sentinels), "the end of a sentinel's tilt")
        self.wait_healthy()
        self.wait(
            lambda s: {h["name"] for h in s["hosts"] if h.get("followed")} >= sentinels, "every sentinel followed"
        )
        self.wait(lambda s: condition(s, "EndpointsInSync").get("status") == "True", "the Services in status")
        return self.body()

    def delete(self, namespace: str = NAMESPACE, seconds: float = 90) -> float:
        """Delete the resource and wait until it is gone; how long that took, in seconds."""
        self.canary.search_texts()
        started = time.monotonic()
        self.cp.kubectl(
            "delete",
            "rsc",
            NAME,
            "-n",
            namespace,
            "--ignore-not-found",
            f"--timeout={seconds:.0f}s",
            seconds=seconds + 5,
        )
        return time.monotonic() - started

    def forget(self) -> None:
        """End every operator, also one that a failed test left with the Lease, and remove every resource."""
        for name in NAMES:
            self.cp.daemons.stop(name, 0)
        self.canary.search_texts()
        for item in self.cp.get("rsc", "-A")["items"]:
            namespace = item["metadata"]["namespace"]
            where = ("rsc", item["metadata"]["name"], "-n", namespace)
            try:
                self.cp.kubectl("patch", *where, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
                self.cp.kubectl("delete", *where, "--ignore-not-found", "--timeout=20s")
            except KubectlError as error:
                if "NotFound" not in str(error):
                    raise

    def told(self) -> dict[str, str]:
        """What the operator tells through the API server: Events, and the resources with their status."""
        return {kind: json.dumps(self.cp.get(kind, "-A")) for kind in ("events", "rsc", "leases")}

    def restart(self) -> None:
        """Start the operator anew, and wait until it has looked at the cluster and all is well."""
        self.operator.kill()
        self.operator.start()
        self.operator.wait_until(self.operator.has_passed, "a pass of this run of the operator", 60)
        self.wait_healthy()

    def leftovers(self) -> list[str]:
        """What an earlier test left behind in the seed's cluster, which is healthy."""
        found = [
            f"{each['type']} is {each['status']}" for each in self.status()["conditions"] if each["status"] != "True"
        ]
        if self.body()["spec"] != seed_cluster(self.lab.config)["spec"]:
            found.append("another spec")
        if len(self.cp.get("rsc", "-A")["items"]) != 1:
            found.append("another resource")
        for host in self.lab:
            with self.redis(host.name) as client:
                priority = client.config_get("slave-priority")["slave-priority"]
            if priority != "100":
                found.append(f"slave-priority {priority} on {host.name}")
        return found

    # ---- the hosts ---------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Bare hosts again; what is on them is searched for the password before."""
        self.canary.search_hosts()
        self.lab.reset()

    def redis(self, host: str) -> Redis:
        """A client of the redis on a host, as an application has it."""
        return Redis(
            host=self.lab[host].address, password=self.password, protocol=2, socket_timeout=15, decode_responses=True
        )

    def sentinel(self, host: str) -> Redis:
        """A client of the sentinel on a host."""
        return Redis(host=self.lab[host].address, port=26379, protocol=2, socket_timeout=15, decode_responses=True)

    def _in_tilt(self, host: str) -> bool:
        with self.sentinel(host) as client:
            return bool(client.info("sentinel")["sentinel_tilt"])

    def before_a_silence(self) -> None:
        """Wait until no sentinel is just about to ask the master for INFO.

        Up to Redis 4 one whose INFO is due, and gets no answer, asks for INFO again and again and sends no PING more:
        without a reset of the connection it never calls the master down (sentinel.c, sentinelSendPeriodicCommands: INFO
        *else* PING). That is Redis' own, one time in ten, and not what is tested.
        """
        if not wait_until(lambda: all(self._info_age(host.name) < _INFO_FRESH for host in self.lab.replicas), 60, 0.1):
            raise LabError("a sentinel has not asked the master for INFO within 60 s")

    def _info_age(self, host: str) -> float:
        """Seconds since a sentinel had the master's INFO, 0 where none answers."""
        try:
            with self.sentinel(host) as client:
                return float(client.sentinel_master(NAME)["info-refresh"]) / 1000
        except RedisError:
            return 0.0

    def master_by_role(self) -> list[str]:
        """The hosts whose redis says that it is a master."""
        return [host.name for host in self.lab if self._role(host.name) == "master"]

    def _role(self, host: str) -> str:
        try:
            with self.redis(host) as client:
                return str(client.execute_command("ROLE")[0])
        except RedisError:
            return ""


@contextmanager
def raised(config: LabConfig) -> Iterator[Rig]:
    """Hosts and API server in a lab; it fails at the end where the password showed in between."""
    with labs.hosts_lab(config) as lab, ControlPlane(config) as cp:
        rig = Rig(lab, cp)
        with rig.canary.watching():
            yield rig
            rig.operator.kill()


def operator_logs(cp: ControlPlane) -> tuple[Path, ...]:
    """The log files of all operator processes there may be."""
    return tuple(cp.daemons.directory / f"{name}.log" for name in NAMES)


def _written(old: Any, new: Any, path: str = "") -> list[str]:
    """Each value that differs, with where it is; of a write's own traces only the version."""
    if old == new or path.endswith(".managedFields"):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        return [line for key in {**old, **new} for line in _written(old.get(key), new.get(key), f"{path}.{key}")]
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [line for at, pair in enumerate(zip(old, new, strict=True)) for line in _written(*pair, f"{path}[{at}]")]
    return [f"{path}: {old!r} became {new!r}"]


def condition(status: Status, kind: str) -> dict[str, Any]:
    """The condition of that type, {} when there is none."""
    return next((each for each in status.get("conditions", []) if each["type"] == kind), {})


def is_healthy(status: Status) -> bool:
    """Whether all is as declared and stable."""
    return status.get("phase") == "Healthy" and condition(status, "Ready").get("status") == "True"


def master(status: Status) -> str:
    """The host that status calls master, "" when none."""
    return str((status.get("master") or {}).get("host", ""))
