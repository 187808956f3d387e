"""All that is built before hosts boot and Pods run; `make test` asks for it first: no test waits for a build."""

from __future__ import annotations

from lab.base import root_trees
from lab.binaries import PACKAGES, build_binaries
from lab.console import Console
from lab.families import FAMILIES
from lab.golang import drop_build_files
from lab.image import image_archive, pause_image
from lab.iptables import iptables_services
from lab.machine import ensure_host_tools
from lab.node import node_tools
from lab.packages import repository


def build_all(console: Console) -> None:
    """Install the tools and build what the cache lacks; a second when it lacks nothing. Raises LabError."""
    ensure_host_tools(console)
    for family in FAMILIES.values():
        root_trees(family, console)
        repository(family, console)
    iptables_services(console)
    build_binaries(PACKAGES, console)
    node_tools(console)
    pause_image(console)
    drop_build_files()
    image_archive(console)
    console.say("all that labs are made of is there")
