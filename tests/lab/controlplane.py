"""A real control plane on this machine: etcd, kube-apiserver with RBAC, kube-controller-manager.

It is made fresh at each start, with an authority, tokens and data of its own, and nothing of it is left after a stop.
What it is and how to reach it lies in the lab's state directory, so another process can use it or take it down.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import yaml

from lab import clusternet
from lab.binaries import CONTROL_PLANE, binary
from lab.certs import Authority, new_authority, new_service_account_keys, write_private
from lab.console import Console, default_console
from lab.daemons import Daemons
from lab.guardian import Guardian
from lab.kubeconfig import assert_lab, write_kubeconfig
from lab.machine import LabError
from lab.model import LabConfig
from lab.processes import Process, process

STATE = Path("/run/redis-sentinel-control-plane")
START_SECONDS = 120.0
CLEANING_SECONDS = 90.0  # that the guardian of a driver that died may take
TOKEN_SECONDS = 24 * 3600

# what objects of ours meet: the others would only add memory and seconds to each start
CONTROLLERS = (
    "deployment-controller",
    "endpointslice-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "root-ca-certificate-publisher-controller",
    "service-cidr-controller",
    "serviceaccount-controller",
    "taint-eviction-controller",
)


class KubectlError(LabError):
    """kubectl refused; the message is what it said."""


class ControlPlane:
    """The control plane of the lab `config`. Start and stop it, or use one that another process started.

    `families` are those that it has service addresses of.
    """

    def __init__(
        self, config: LabConfig, console: Console | None = None, families: Sequence[str] = ("IPv4", "IPv6")
    ) -> None:
        self.config = config
        self._families = families
        self.console = console or default_console()
        self.network = clusternet.cluster_network(config)
        self.directory = STATE / config.name
        self.daemons = Daemons(self.directory / "run")
        self.claim: int | None = None
        self._guardian: Guardian | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where the API server listens: reachable from this machine and from Pods, not from outside."""
        return f"https://{self.network.node_address}:{self.config.api_port}"

    @property
    def authority(self) -> Path:
        """The certificate that the API server is known by."""
        return self.directory / "certs" / "ca.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        """The kubeconfig of the cluster's administrator."""
        return self.directory / "admin.kubeconfig"

    @property
    def node_name(self) -> str:
        """The name of the one node that this control plane may have."""
        return f"{self.config.name}-node"

    def running(self) -> bool:
        """Whether the API server's process runs."""
        return self.daemons.alive("kube-apiserver")

    def start(self, keep: bool = False) -> None:
        """Start from nothing and return when the API server and the controllers do their work.

        Everything ends with this process, unless `keep`: then it stays until somebody calls `stop`.
        Raises LabError when this lab is up, AddressTaken when one in the same subnet is, DaemonDied, TimeoutError.
        """
        commands = {name: binary(name, self.console) for name in CONTROL_PLANE}
        self.claim = self._claim()
        self._clean()  # what a killed driver may have left
        try:
            self._guardian = None if keep else Guardian("lab.controlplane:take_down", self.config, self.claim)
            clusternet.bring_up(self.network)
            with self.console.step("starting etcd, kube-apiserver and kube-controller-manager"):
                shutil.rmtree(self.directory, ignore_errors=True)
                self.directory.mkdir(parents=True, mode=0o700)
                self._identities()
                self.daemons.start("etcd", [commands["etcd"], *self._etcd_flags()])
                self.daemons.start("kube-apiserver", [commands["kube-apiserver"], *self._apiserver_flags()])
                self.wait_until(self._ready, "the API server to be ready", "etcd", "kube-apiserver")
                controllers = commands["kube-controller-manager"]
                self.daemons.start("kube-controller-manager", [controllers, *self._controller_flags()])
                self.wait_until(self._controllers_work, "the controllers to work", "kube-controller-manager")
        except BaseException:
            self.stop()
            raise
        if keep:
            self._unclaim()

    @contextmanager
    def without_api_server(self) -> Iterator[None]:
        """The API server is away: nobody listens. At the end another process of it serves what was stored."""
        self.daemons.stop("kube-apiserver")
        try:
            yield
        finally:
            command = binary("kube-apiserver", self.console)
            self.daemons.start("kube-apiserver", [command, *self._apiserver_flags()])
            self.wait_until(self._ready, "the API server to be ready again", "kube-apiserver")

    def stop(self) -> None:
        """End every process and remove data, interfaces and routes. Quiet when nothing is up."""
        self._clean()
        if self._guardian is not None:
            self._guardian.dismiss()
            self._guardian = None
        self._unclaim()

    def _clean(self) -> None:
        self.daemons.stop_all()
        clusternet.take_down(self.network)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _claim(self) -> int:
        """A locked descriptor: this process and its guardians are the only ones to start this lab. Raises LabError."""
        STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
        claim = os.open(STATE / f"{self.config.name}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + CLEANING_SECONDS
        while not self._locked(claim):
            if self._driven(claim) or time.monotonic() > deadline:
                os.close(claim)
                raise LabError(f"lab {self.config.name} is up already, and another process drives it")
            time.sleep(0.05)
        if self.running():
            os.close(claim)
            raise LabError(f"the control plane of lab {self.config.name} is up already ({self.url})")
        os.pwrite(claim, json.dumps(asdict(process(os.getpid()))).ljust(64).encode(), 0)
        return claim

    @staticmethod
    def _locked(claim: int) -> bool:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def _driven(claim: int) -> bool:
        """Whether the process that holds the lock lives; else its guardian holds it, and that will end."""
        record = os.pread(claim, 64, 0)
        return bool(record) and Process(**json.loads(record)).alive

    def _unclaim(self) -> None:
        if self.claim is not None:
            os.close(self.claim)
            self.claim = None

    def kubectl(
        self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None, seconds: float = 120.0
    ) -> str:
        """The output of `kubectl ARGUMENTS`, as the administrator or as whom `kubeconfig` names.

        Raises KubectlError with what kubectl said, NotALab for a kubeconfig that no lab made.
        """
        chosen = kubeconfig or self.admin_kubeconfig
        assert_lab(chosen)
        cache = self.directory / "kubectl"  # not in the home of who runs it
        command = [str(binary("kubectl", self.console)), f"--kubeconfig={chosen}", f"--cache-dir={cache}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def apply(self, what: Path | Iterable[Mapping[str, Any]]) -> str:
        """`kubectl apply --server-side` of a file, a directory (a kustomization or plain files), or documents."""
        arguments = ("apply", "--server-side", "--force-conflicts")
        if isinstance(what, Path):
            kustomize = (what / "kustomization.yaml").exists()
            return self.kubectl(*arguments, "-k" if kustomize else "-f", str(what))
        return self.kubectl(*arguments, "-f", "-", stdin=yaml.safe_dump_all([dict(w) for w in what]))

    def get(self, *arguments: str) -> Any:
        """`kubectl get ARGUMENTS -o json`, parsed."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def serviceaccount_kubeconfig(self, namespace: str, name: str) -> Path:
        """A kubeconfig (0600) that shows a token of the ServiceAccount, as a Pod of it would (TokenRequest)."""
        lifetime = f"--duration={TOKEN_SECONDS}s"
        token = self.kubectl("create", "token", name, f"--namespace={namespace}", lifetime).strip()
        path = self.directory / f"{namespace}.{name}.kubeconfig"
        return self._kubeconfig(path, f"{namespace}/{name}", token)

    def wait_until_allowed(self, kubeconfig: Path, *what: str) -> None:
        """Return when that account may do it (`get rsc -n redis`): the API server learns of a binding a moment later.

        Raises TimeoutError.
        """

        def allowed() -> bool:
            try:
                return self.kubectl("auth", "can-i", *what, kubeconfig=kubeconfig).startswith("yes")
            except KubectlError:
                return False

        self.wait_until(allowed, f"{kubeconfig.name} to be allowed to {' '.join(what)}")

    def operator_environment(self, namespace: str, name: str) -> dict[str, str]:
        """What the operator needs in its environment to run as a process with the rights of that ServiceAccount."""
        kubeconfig = self.serviceaccount_kubeconfig(namespace, name)
        self.wait_until_allowed(kubeconfig, "create", "leases", "-n", namespace)
        return {"KUBECONFIG": str(kubeconfig), "POD_NAMESPACE": namespace, "LOG_FORMAT": "json"}

    def wait_until(
        self, condition: Callable[[], bool], what: str, *daemons: str, seconds: float = START_SECONDS
    ) -> None:
        """Return when `condition()` holds. Raises TimeoutError naming `what`, DaemonDied when one of `daemons` ends."""
        deadline = time.monotonic() + seconds
        while not condition():
            self.daemons.require(*daemons)
            if time.monotonic() > deadline:
                tails = "\n".join(f"{name}:\n{self.daemons.log_tail(name)}" for name in daemons)
                raise TimeoutError(f"{seconds:.0f} s were not enough for {what}\n{tails}")
            time.sleep(0.05)

    def _identities(self) -> None:
        certs = self.directory / "certs"
        authority = new_authority(certs, f"lab-{self.config.name}")
        self._certificates(authority)
        new_service_account_keys(certs)
        rows = []
        for file, user, groups in (
            ("admin", "admin", "system:masters"),
            ("controllers", "system:kube-controller-manager", ""),
            ("scheduler", "system:kube-scheduler", ""),
            ("proxy", "system:kube-proxy", ""),
            ("kubelet", f"system:node:{self.node_name}", "system:nodes"),
        ):
            token = secrets.token_hex(24)
            rows.append(f'{token},{user},{file},"{groups}"')
            self._kubeconfig(self.directory / f"{file}.kubeconfig", user, token)
        write_private(self.directory / "tokens.csv", "\n".join(rows) + "\n")

    def _certificates(self, authority: Authority) -> None:
        address = self.network.node_address
        service = self.network.api_service
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost", "127.0.0.1"]
        authority.server("apiserver", "kube-apiserver", [*names, address, service])
        authority.client("kubelet-client", "apiserver-kubelet-client", "system:masters")
        authority.server("kubelet", f"system:node:{self.node_name}", [self.node_name, address], "system:nodes")

    def _kubeconfig(self, path: Path, user: str, token: str) -> Path:
        return write_kubeconfig(path, self.config.name, self.url, self.authority, user=user, token=token)

    def _etcd_flags(self) -> Sequence[str]:
        client = f"http://127.0.0.1:{self.config.etcd_client_port}"
        peer = f"http://127.0.0.1:{self.config.etcd_peer_port}"
        return (
            f"--data-dir={self.directory / 'etcd'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )

    def _apiserver_flags(self) -> Sequence[str]:
        certs = self.directory / "certs"
        return (
            f"--etcd-servers=http://127.0.0.1:{self.config.etcd_client_port}",
            f"--bind-address={self.network.node_address}",
            f"--advertise-address={self.network.node_address}",
            f"--secure-port={self.config.api_port}",
            f"--cert-dir={self.directory / 'generated'}",
            f"--tls-cert-file={certs / 'apiserver.crt'}",
            f"--tls-private-key-file={certs / 'apiserver.key'}",
            f"--client-ca-file={certs / 'ca.crt'}",
            f"--kubelet-client-certificate={certs / 'kubelet-client.crt'}",
            f"--kubelet-client-key={certs / 'kubelet-client.key'}",
            f"--kubelet-certificate-authority={certs / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",
            f"--service-cluster-ip-range={self.network.service_ranges(self._families)}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={certs / 'sa.pub'}",
            f"--service-account-signing-key-file={certs / 'sa.key'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--event-ttl=24h",  # by default those of an hour ago vanish in the middle of a test that counts them
            f"--token-auth-file={self.directory / 'tokens.csv'}",
        )

    def _controller_flags(self) -> Sequence[str]:
        certs = self.directory / "certs"
        return (
            f"--kubeconfig={self.directory / 'controllers.kubeconfig'}",
            f"--service-account-private-key-file={certs / 'sa.key'}",
            f"--root-ca-file={certs / 'ca.crt'}",
            "--use-service-account-credentials=true",
            f"--controllers={','.join(CONTROLLERS)}",
            "--kube-api-qps=200",  # one service account a controller: at the usual 20 the start takes seconds
            "--kube-api-burst=400",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.config.controller_port}",
            f"--cert-dir={self.directory / 'generated'}",
        )

    def _ready(self) -> bool:
        return self.raw("/readyz") is not None

    def _controllers_work(self) -> bool:
        """A service account appears in `default`: what kube-controller-manager makes there, and Pods need."""
        return self.raw("/api/v1/namespaces/default/serviceaccounts/default") is not None

    def raw(self, path: str) -> bytes | None:
        """The body of a successful GET as the administrator; None for anything else."""
        try:
            with self._opened(path, 20) as response:
                return bytes(response.read())
        except OSError:
            return None

    def versions_since(
        self, path: str, began: Mapping[str, Any], now: Mapping[str, Any], seconds: float = 60.0
    ) -> list[Mapping[str, Any]]:
        """An object as it was stored each time from `began` up to `now`, both among them.

        `path` is the one of its collection. Raises TimeoutError when the watch does not come to `now`.
        """
        since, last = (each["metadata"]["resourceVersion"] for each in (began, now))
        found: list[Mapping[str, Any]] = [began]
        if int(last) <= int(since):
            return found
        query = f"fieldSelector=metadata.name={began['metadata']['name']}&resourceVersion={since}"
        with self._opened(f"{path}?{query}&watch=1&timeoutSeconds={seconds:.0f}", seconds) as response:
            for line in response:
                found.append(json.loads(line)["object"])
                if found[-1]["metadata"]["resourceVersion"] == last:
                    return found
        raise TimeoutError(f"what was to come by {path} did not come within {seconds:.0f} s")

    def _opened(self, path: str, seconds: float) -> Any:
        user = json.loads(self.admin_kubeconfig.read_text())["users"][0]["user"]
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {user['token']}"})
        context = ssl.create_default_context(cafile=str(self.authority))
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        return opener.open(request, timeout=seconds)


def take_down(config: LabConfig) -> None:
    """Take down the control plane of `config`; a node has a guardian of its own."""
    ControlPlane(config).stop()


def clean(config: LabConfig) -> None:
    """Take down the control plane of `config`, and its node if there is one, whoever started them."""
    from lab import node

    if (node.STATE / config.name).exists():
        node.clean(config)
    take_down(config)
