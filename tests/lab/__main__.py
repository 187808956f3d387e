"""`python -m lab`: raise a lab and leave it up, look at it, enter its hosts, take it down.

Which lab is meant follows from LAB_NAME and LAB_SUBNET (or --name and --subnet); without them it is the demo's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import click

from lab import hints, labs
from lab.artefacts import build_all, build_control_plane
from lab.console import Console, aligned, default_console
from lab.controlplane import ControlPlane, clean
from lab.families import FAMILIES
from lab.hosts import Host
from lab.machine import LabError, ensure_host_tools, find
from lab.model import LabConfig, lab_config, lab_from_environment
from lab.operator import ROOT
from lab.packages import repository
from lab.seedcluster import make_by_hand

P = ParamSpec("P")


def _plainly(act: Callable[P, None]) -> Callable[P, None]:
    """What a lab cannot do is a sentence for the person at the terminal, not a traceback."""

    @wraps(act)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            act(*args, **kwargs)
        except (LabError, TimeoutError) as error:
            raise click.ClickException(str(error)) from error

    return guarded


@click.group()
@click.option("--name", help="The lab's name, at most 8 letters and digits. Default: LAB_NAME, or demo.")
@click.option("--subnet", help="Its subnet, a private /24. Default: LAB_SUBNET, or 192.168.3.0/24.")
@click.option("--replicas", type=click.IntRange(0, 40), help="How many hosts beside redis_master01. Default: 3.")
@click.option(
    "--families", help="Which EL the hosts are, in order: 'el7 el9'; the last for all the rest. Default: el7."
)
@click.pass_context
def main(
    context: click.Context, name: str | None, subnet: str | None, replicas: int | None, families: str | None
) -> None:
    """A lab of real hosts and a real API server on this machine."""
    if os.geteuid() != 0:
        raise click.ClickException("labs belong to root: do this as root")
    try:
        context.obj = _config(name, subnet, replicas, families)
    except (LabError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _config(name: str | None, subnet: str | None, replicas: int | None, families: str | None) -> LabConfig:
    base = lab_from_environment()
    wanted = name or base.name
    if wanted in labs.names() and subnet is None and replicas is None and families is None:
        return labs.config_of(wanted)
    count = len(base.hosts) - 1 if replicas is None else replicas
    kinds = [host.family for host in base.hosts] if families is None else families.split()
    return lab_config(wanted, subnet or str(base.subnet), count, kinds)


@main.command()
@click.option("--hosts-only", is_flag=True, help="Leave out the API server.")
@click.option("--by-hand", is_flag=True, help="Make the cluster on the hosts, as an admin does by hand.")
@click.pass_obj
@_plainly
def up(config: LabConfig, hosts_only: bool, by_hand: bool) -> None:
    """Raise the lab and leave it up."""
    console = default_console()
    ensure_host_tools(console)
    labs.refuse_living(config)
    if not hosts_only:
        build_control_plane(console, with_node=False)
    lab = labs.up(config, keep=True, console=console)
    if by_hand:
        with console.step("making the cluster by hand"):
            make_by_hand(lab)
    plane = ControlPlane(config)
    if not hosts_only and not plane.running():
        plane.start(keep=True)
    if not hosts_only:
        plane.apply(ROOT / "crds")
    _how_to_go_on(config, console, None if hosts_only else plane)


@main.command()
@click.pass_obj
@_plainly
def down(config: LabConfig) -> None:
    """Take the lab away: hosts, API server, network."""
    console = default_console()
    if config.name in labs.names() or ControlPlane(config).directory.exists():
        with console.step(f"taking lab {config.name} down"):
            _take_away(config)
        return
    _take_away(config)  # what is left of one that was killed while it came up
    others = [f"`{lab_config(name).make('lab-down')}`" for name in labs.names() if labs.is_kept(name)]
    console.say(f"no lab {config.name} is up" + (f"; for another: {', '.join(others)}" if others else ""))


def _take_away(config: LabConfig) -> None:
    clean(config)
    labs.down(config)


@main.command()
@_plainly
def status() -> None:
    """Show which labs are up, and what runs in them."""
    found = labs.names()
    if not found:
        default_console().say("no lab is up")
    for name in found:
        try:
            lab = labs.attach(name)
        except LabError:  # taken down this moment
            continue
        heading = ("host", "address", "EL", "power", "redis", "sentinel", "firewalld")
        print("\n".join([_title(lab.config), *(f"  {line}" for line in aligned([heading, *lab.at_once(_row)]))]))


@main.command()
@click.argument("host")
@click.argument("command", nargs=-1)
@click.pass_obj
@_plainly
def shell(config: LabConfig, host: str, command: tuple[str, ...]) -> None:
    """A shell on HOST as root, or COMMAND there."""
    machine = _host(config, host)
    leader = machine.leader
    if leader is None:
        raise LabError(
            f"{machine.name} is switched off: `{config.make(f'lab-boot HOST={machine.name}')}` switches it on"
        )
    spaces = ["-t", str(leader.pid), "-m", "-u", "-i", "-n", "-p", "-C", "--root", "--wd"]
    words = ["/bin/sh", "-c", " ".join(command)] if command else ["/bin/bash", "-l"]
    environment = ["/usr/bin/env", "-i", f"TERM={os.environ.get('TERM', 'dumb')}", "HOME=/root"]
    environment.append("PATH=/usr/sbin:/usr/bin:/sbin:/bin")
    sys.stdout.flush()
    os.execv(find("nsenter"), ["nsenter", *spaces, "--", *environment, *words])


@main.command()
@click.argument("hosts", nargs=-1)
@click.pass_obj
@_plainly
def reset(config: LabConfig, hosts: tuple[str, ...]) -> None:
    """Make HOSTS (all of them by default) bare again; their SSH host keys stay."""
    with default_console().step(f"resetting {', '.join(hosts) or 'all hosts'}"):
        labs.attach(config.name).reset(*hosts)


@main.command()
@click.argument("host")
@click.pass_obj
@_plainly
def boot(config: LabConfig, host: str) -> None:
    """Switch HOST on."""
    _host(config, host).boot()


@main.command("power-cut")
@click.argument("host")
@click.pass_obj
@_plainly
def power_cut(config: LabConfig, host: str) -> None:
    """Pull HOST's plug."""
    _host(config, host).power_cut()


@main.command()
@_plainly
def artefacts() -> None:
    """Build all that labs are made of, so that nothing has to be built later."""
    build_all(default_console())


@main.command()
@_plainly
def packages() -> None:
    """Build the hosts' packages and say where their repositories lie, and which server stands for which EL's."""
    for family in FAMILIES.values():
        default_console().say(f"{family.name:5} {family.redis.name} {family.redis.version:7} {repository(family)}")


def _host(config: LabConfig, name: str) -> Host:
    try:
        return labs.attach(config.name)[name]
    except KeyError as error:
        raise LabError(str(error.args[0])) from error


def _row(host: Host) -> tuple[str, ...]:
    if not host.on:
        return (host.name, host.address, host.family.name, "off", "-", "-", "-")
    try:
        server = host.family.redis.name
        units = f"{server} {server}-sentinel firewalld"
        states = host.run(f"systemctl is-active {units}", check=False).stdout.split()
    except LabError:  # switched off this moment, or it does not answer
        states = []
    return (host.name, host.address, host.family.name, "on", *(states if len(states) == 3 else ["?", "?", "?"]))


def _title(config: LabConfig) -> str:
    kept = "stays up until it is taken down" if labs.is_kept(config.name) else "goes with the process that raised it"
    plane = ControlPlane(config)
    api = f"API server at {plane.url}" if plane.running() else "no API server"
    return f"lab {config.name}, {config.subnet}, {api}; it {kept}"


def _how_to_go_on(config: LabConfig, console: Console, plane: ControlPlane | None) -> None:
    lines = aligned([(host.name, host.address) for host in config.hosts])
    if plane is not None:
        lines += [*hints.kubectl_ready(plane), "kubectl explain rsc.spec"]
    console.say("== left running\n   " + "\n   ".join([*lines, *hints.lab_looks(config)]))
    if plane is not None:
        again = f"{config.make('lab-down')}, then make demo KEEP=1"
        console.say(f"The resource is defined, and no operator runs; one does with: {again}")


if __name__ == "__main__":
    main()
