"""The interfaces of a control plane: service and Pod addresses that never leave this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from lab.machine import LabError, run
from lab.model import LabConfig

_IPV6_OFF = Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")


class AddressTaken(LabError):
    """Another lab, or something else on this machine, already uses what this lab would."""


@dataclass(frozen=True, slots=True)
class ClusterNetwork:
    """Addresses of one lab's Kubernetes. 198.18.0.0/15 is set aside for tests (RFC 2544): no real network has it."""

    bridge: str  # carries the node's address and the routes of the services
    node_address: str  # where the API server and the kubelet listen: reachable from Pods, not from outside
    services: str
    services_v6: str
    pods: str
    pod_bridge: str

    @property
    def api_service(self) -> str:
        """The address of the Service `kubernetes`: the first of the range, as kube-apiserver chooses it."""
        return str(IPv4Network(self.services)[1])

    def service_ranges(self, families: Sequence[str]) -> str:
        """As kube-apiserver wants it, for these families."""
        ranges = {"IPv4": self.services, "IPv6": self.services_v6}
        return ",".join(ranges[family] for family in families)


def cluster_network(config: LabConfig) -> ClusterNetwork:
    """The addresses of `config`: they follow from its subnet, so two labs do not meet."""
    third = config.subnet.network_address.packed[2]
    return ClusterNetwork(
        bridge=f"rlsvc-{config.name}",
        node_address=f"198.19.{third}.1",
        services=config.service_cidr,
        services_v6=f"fd00:96:0:{third:x}::/112",
        pods=f"198.18.{third}.0/24",
        pod_bridge=f"rlpod-{config.name}",
    )


def bring_up(network: ClusterNetwork) -> None:
    """Make the bridge and the routes.

    Without the routes a service address would follow the default route, and something out there may well answer.
    Raises AddressTaken when the bridge or one of the ranges is there already.
    """
    families = [("-4", network.services), *([("-6", network.services_v6)] if ipv6() else [])]
    for family, cidr in families:
        if json.loads(run(["ip", family, "-json", "route", "show", "exact", cidr]) or "[]"):
            raise AddressTaken(f"this machine has a route to {cidr} already: does another lab use this subnet?")
    if _exists(network.bridge):
        raise AddressTaken(f"the interface {network.bridge} exists already: is this lab up?")
    run(["ip", "link", "add", network.bridge, "type", "bridge"])
    try:
        run(["ip", "address", "add", f"{network.node_address}/32", "dev", network.bridge])
        run(["ip", "link", "set", network.bridge, "up"])
        for family, cidr in families:
            run(["ip", family, "route", "add", cidr, "dev", network.bridge])
    except BaseException:
        take_down(network)
        raise


def take_down(network: ClusterNetwork) -> None:
    """Remove the bridge; its address and the routes go with it. Quiet when it is not there."""
    if _exists(network.bridge):
        run(["ip", "link", "delete", network.bridge])


def _exists(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()


def ipv6() -> bool:
    """Whether this machine has IPv6."""
    return _IPV6_OFF.exists() and _IPV6_OFF.read_text().strip() == "0"
