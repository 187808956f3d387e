"""The lab's own network: one bridge with two addresses of this machine; hosts hang on it and nothing else does."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

from lab.machine import LabError, run
from lab.model import LabConfig


def raise_bridge(config: LabConfig) -> None:
    """Make the bridge. Raises LabError when the subnet is in use on this machine by something else."""
    for link in json.loads(run(["ip", "-j", "address"])):
        for address in link["addr_info"]:
            if link["ifname"] != config.bridge and ip_address(address["local"]) in config.subnet:
                raise LabError(f"{config.subnet} is in use by {link['ifname']}: give the lab another LAB_SUBNET")
    if not Path("/sys/class/net", config.bridge).exists():
        run(["ip", "link", "add", config.bridge, "type", "bridge"])
        for address in (config.bridge_address, config.client_address):
            run(["ip", "address", "add", f"{address}/{config.subnet.prefixlen}", "dev", config.bridge])
        run(["ip", "link", "set", config.bridge, "up"])
        run(["iptables", "-w", "-I", "FORWARD", *_bridge_rule(config)])


def remove_bridge(config: LabConfig) -> None:
    """Take away what :func:`raise_bridge` and the faults made, if anything is left of it."""
    rule = _bridge_rule(config)
    if "-A FORWARD " + " ".join(rule) in run(["iptables", "-w", "-S", "FORWARD"]).replace('"', ""):
        run(["iptables", "-w", "-D", "FORWARD", *rule])
    heal_partitions(config)
    if Path("/sys/class/net", config.bridge).exists():
        run(["ip", "link", "delete", config.bridge])


def heal_partitions(config: LabConfig) -> None:
    """Remove every partition between hosts of the lab."""
    if f"table bridge {table(config)}\n" in run(["nft", "list", "tables"]) + "\n":
        run(["nft", "delete", "table", "bridge", table(config)])


def table(config: LabConfig) -> str:
    """The nft table (family bridge) of the lab's partitions."""
    return f"rl_{config.name}"


def _bridge_rule(config: LabConfig) -> list[str]:
    """Bridged frames pass iptables where br_netfilter is loaded: a strict FORWARD chain would drop them."""
    return [
        "-i",
        config.bridge,
        "-o",
        config.bridge,
        "-m",
        "comment",
        "--comment",
        f"lab-{config.name}",
        "-j",
        "ACCEPT",
    ]
