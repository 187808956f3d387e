"""What a lab is: its name, its network and its hosts. Standard library only; other modules make it real."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")
FIRST_HOST = 41  # the last octet of redis_master01, as in the procedure that the project began with


@dataclass(frozen=True, slots=True)
class LabHost:
    """A host: its name as in the resource (underscores are legal there), its address, and which EL it is."""

    name: str
    address: str
    family: str = "el7"

    @property
    def machine(self) -> str:
        """The name as a DNS label: hostnames and machine names bear no underscore."""
        return self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class LabConfig:
    """A lab that may stand beside others: everything it makes carries `name` and lives in `subnet`.

    `name` has at most 8 characters, because interface names (15) are made from it. Ports are those of the control
    plane on the loopback of this machine; they follow from the subnet, so that two labs do not meet.
    """

    name: str
    subnet: IPv4Network
    hosts: tuple[LabHost, ...]
    service_cidr: str
    api_port: int
    etcd_client_port: int
    etcd_peer_port: int
    controller_port: int
    scheduler_port: int
    kubelet_port: int

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a lab's name is a lower-case word of at most 8 characters, not {self.name!r}")

    @property
    def bridge(self) -> str:
        """The name of the bridge interface."""
        return f"rl-{self.name}"

    @property
    def bridge_address(self) -> str:
        """This machine in the lab: where the operator's connections come from."""
        return str(self.subnet[1])

    @property
    def client_address(self) -> str:
        """A second address of this machine in the lab, for the tests' own clients: captures tell the two apart."""
        return str(self.subnet[2])

    def ipv6(self, number: int) -> str:
        """An IPv6 address of the lab's network, for a test that gives its hosts some: of a subnet that is its own."""
        return f"fd00:97:0:{self.subnet.network_address.packed[2]:x}::{number:x}"

    @property
    def state(self) -> Path:
        """What the lab knows of itself, for `lab status` and `lab shell` of another process; gone with the lab."""
        return Path("/run/redis-sentinel-lab") / self.name

    def make(self, words: str) -> str:
        """`make WORDS` as it is typed for this lab: with its name where that is not the usual one."""
        return f"make {words}" if self.name == lab_config().name else f"make {words} LAB_NAME={self.name}"

    def host(self, name: str) -> LabHost:
        """The host called `name`. Raises KeyError."""
        for host in self.hosts:
            if name in (host.name, host.machine):
                return host
        raise KeyError(f"lab {self.name} has no host {name!r}: {', '.join(h.name for h in self.hosts)}")


def lab_config(
    name: str = "demo", subnet: str = "192.168.3.0/24", replicas: int = 3, families: Sequence[str] = ("el7",)
) -> LabConfig:
    """The lab `name` in `subnet`: redis_master01 at .41, redis_slave01.. from .42 on.

    `families` are those of the hosts in order; the last one holds for all that follow.
    """
    network = IPv4Network(subnet)
    if network.prefixlen != 24 or not network.is_private:
        raise ValueError(f"a lab's subnet is a private /24, not {subnet}")
    names = ["redis_master01", *(f"redis_slave{n:02d}" for n in range(1, replicas + 1))]
    kinds = [families[min(i, len(families) - 1)] for i in range(len(names))]
    hosts = tuple(
        LabHost(n, str(network[FIRST_HOST + i]), kind) for i, (n, kind) in enumerate(zip(names, kinds, strict=True))
    )
    third = IPv4Address(int(network.network_address)).packed[2]
    base = 20000 + third * 20
    return LabConfig(
        name=name,
        subnet=network,
        hosts=hosts,
        service_cidr=f"10.{third}.0.0/16",
        api_port=base,
        etcd_client_port=base + 1,
        etcd_peer_port=base + 2,
        controller_port=base + 3,
        scheduler_port=base + 4,
        kubelet_port=base + 5,
    )


def lab_from_environment() -> LabConfig:
    """The lab that LAB_NAME, LAB_SUBNET, LAB_REPLICAS and LAB_FAMILIES (`el7 el9`) name; without them the demo's."""
    env = os.environ
    return lab_config(
        env.get("LAB_NAME", "demo"),
        env.get("LAB_SUBNET", "192.168.3.0/24"),
        int(env.get("LAB_REPLICAS", "3")),
        env.get("LAB_FAMILIES", "el7").split(),
    )
