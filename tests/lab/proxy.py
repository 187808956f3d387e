"""A network of its own with a kube-proxy in it: from there a client reaches what a Pod reaches by a Service's address.

Rules and settings of kube-proxy stay in that network, so that labs do not meet and nothing is left on the machine: it
ends with the processes in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from lab import clusternet
from lab.binaries import binary
from lab.controlplane import ControlPlane
from lab.machine import find, run
from lab.namespaces import in_network_of

T = TypeVar("T")
_NETWORK, _PROXY = "proxy-network", "kube-proxy"


class Proxy:
    """kube-proxy for the cluster of `plane`, in a network that hangs on the bridge of the same lab's hosts."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.node = f"{plane.config.name}-proxy"
        self._address = str(plane.config.subnet[3])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and return when it leads connections. Raises LabError, TimeoutError."""
        command = binary(_PROXY, self.plane.console)
        self.stop()
        try:
            self._network()
            self._node()
            config = self.plane.directory / "kube-proxy.json"
            config.write_text(json.dumps(self._config()))
            self.plane.daemons.start(_PROXY, [find("nsenter"), f"--net={self._space}", command, f"--config={config}"])
            self.plane.wait_until(self._ready, "kube-proxy to be ready", _PROXY)
        except BaseException as error:
            error.add_note(f"{_PROXY}:\n{self.plane.daemons.log_tail(_PROXY)}")
            self.stop()
            raise

    def stop(self) -> None:
        """End it. Quiet when it is not up."""
        for daemon in (_PROXY, _NETWORK):
            self.plane.daemons.stop(daemon)
        self.plane.kubectl("delete", "node", self.node, "--ignore-not-found")

    def inside(self, act: Callable[[], T]) -> T:
        """The result of `act` in that network; sockets that it opens stay there. Raises what `act` raises."""
        return in_network_of(self._holder, act)

    @property
    def _holder(self) -> int:
        self.plane.daemons.require(_NETWORK)
        pid = self.plane.daemons.pid(_NETWORK)
        assert pid is not None
        return pid

    @property
    def _space(self) -> str:
        return f"/proc/{self._holder}/ns/net"

    def _network(self) -> None:
        config = self.plane.config
        ours = os.stat("/proc/self/ns/net").st_ino
        self.plane.daemons.start(_NETWORK, [find("unshare"), "--net", "sleep", "infinity"])
        self.plane.wait_until(lambda: os.stat(self._space).st_ino != ours, "a network of its own", _NETWORK)
        cable = f"rlpx-{config.name}"
        run(["ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(self._holder)])
        run(["ip", "link", "set", cable, "master", config.bridge, "up"])
        inside = ["nsenter", f"--net={self._space}", "ip"]
        run([*inside, "link", "set", "lo", "up"])
        run([*inside, "address", "add", f"{self._address}/{config.subnet.prefixlen}", "dev", "eth0"])
        run([*inside, "link", "set", "eth0", "up"])
        run([*inside, "route", "add", "default", "via", config.bridge_address])
        if clusternet.ipv6():
            run([*inside, "address", "add", f"{config.ipv6(3)}/64", "dev", "eth0", "nodad"])
            run([*inside, "-6", "route", "add", self.plane.network.services_v6, "dev", "eth0"])

    def _node(self) -> None:
        """kube-proxy works for a node: one that is no more than its name and its address."""
        self.plane.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}}])
        addresses = [{"type": "InternalIP", "address": self._address}]
        patch = json.dumps({"status": {"addresses": addresses}})
        self.plane.kubectl("patch", "node", self.node, "--subresource=status", "--type=merge", "-p", patch)

    def _config(self) -> dict[str, Any]:
        kubeconfig: Path = self.plane.directory / "proxy.kubeconfig"
        return {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(kubeconfig)},
            "hostnameOverride": self.node,
            "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
            "nftables": {"masqueradeAll": True, "minSyncPeriod": "0s"},
        }

    def _ready(self) -> bool:
        """Whether its rules are there: those of the Service `kubernetes`, which every cluster has."""
        rules = run(["nsenter", f"--net={self._space}", "nft", "list", "ruleset"])
        return self.plane.network.api_service in rules
