"""All that is built before hosts boot and Pods run; `make test` asks for it first: no test waits for a build."""

from __future__ import annotations

from lab.base import root_trees
from lab.binaries import CONTROL_PLANE, NODE, PROXY, build_binaries
from lab.console import Console
from lab.families import FAMILIES
from lab.golang import drop_build_files
from lab.health import health_program
from lab.helm import helm_command
from lab.image import image_archive, pause_image
from lab.iptables import iptables_services
from lab.machine import ensure_host_tools
from lab.monitors import monitor_definitions
from lab.node import node_tools
from lab.packages import repository
from lab.prometheus import prometheus_programs
from lab.redis7 import redis_7


def build_all(console: Console) -> None:
    """Install the tools and build what the cache lacks; a second when it lacks nothing. Raises LabError."""
    ensure_host_tools(console)
    for family in FAMILIES.values():
        root_trees(family, console)
        repository(family, console)
    iptables_services(console)
    redis_7(console)
    helm_command(console)
    prometheus_programs(console)
    health_program(console)
    monitor_definitions(console)
    build_binaries(PROXY, console)
    build_control_plane(console, with_node=True)
    console.say("all that labs are made of is there")


def build_control_plane(console: Console, *, with_node: bool) -> None:
    """Build what the cache lacks of the control plane, and of a node and the image that runs on it. Raises LabError."""
    build_binaries((*CONTROL_PLANE, *NODE) if with_node else CONTROL_PLANE, console)
    if with_node:
        node_tools(console)
        pause_image(console)
        image_archive(console)
    drop_build_files()
