"""A whole lab of hosts: raise it, take it up from another process, take it down without leaving anything."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lab.base import root_trees
from lab.console import Console, default_console
from lab.families import FAMILIES
from lab.hosts import Host, absent_is_fine, disk, remove_cgroups
from lab.machine import LabError, allow_many_watches, ensure_host_tools, run
from lab.model import LabConfig, lab_config
from lab.network import heal_partitions, raise_bridge, remove_bridge
from lab.packages import repository
from lab.processes import Process, process
from lab.reaper import dismiss_reaper, start_reaper

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lab:
    """The hosts of a lab that is up."""

    config: LabConfig
    hosts: tuple[Host, ...]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __getitem__(self, name: str) -> Host:
        """The host called `name` (redis_master01 or redis-master01). Raises KeyError."""
        return self.hosts[self.config.hosts.index(self.config.host(name))]

    @property
    def master01(self) -> Host:
        """The first host: the master of a cluster made by hand."""
        return self.hosts[0]

    @property
    def replicas(self) -> tuple[Host, ...]:
        """The other hosts."""
        return self.hosts[1:]

    @property
    def private_key(self) -> Path:
        """The file of the SSH key that root and admin of every host accept (ed25519, no passphrase)."""
        return disk(self.config) / "id_ed25519"

    def known_hosts(self) -> str:
        """known_hosts for all hosts of the lab, every key type."""
        return "".join(host.known_hosts() for host in self.hosts)

    def boot(self, *names: str) -> None:
        """Switch hosts on (all of them by default), at the same time. Raises LabError."""
        self.at_once(Host.boot, self._chosen(names))

    def reset(self, *names: str) -> None:
        """Back to bare hosts (all of them by default), at the same time; partitions are healed. Raises LabError."""
        heal_partitions(self.config)
        self.at_once(Host.reset, self._chosen(names))

    def at_once(self, act: Callable[[Host], T], hosts: Iterable[Host] | None = None) -> list[T]:
        """`act` on every host at the same time, its results in order. Raises what the first failing one raised."""
        with ThreadPoolExecutor(max_workers=16) as pool:
            return list(pool.map(act, self.hosts if hosts is None else hosts))

    def _chosen(self, names: tuple[str, ...]) -> tuple[Host, ...]:
        return tuple(self[name] for name in names) or self.hosts


def up(config: LabConfig, *, keep: bool = False, boot: bool = True, console: Console | None = None) -> Lab:
    """Raise the hosts of a lab, booted and bare. Raises LabError.

    Without `keep` the lab goes away with this process, however that ends; with it the lab stands until `down`.
    What a lab of this name that died left behind is removed first; one that lives is an error.
    """
    console = console or default_console()
    ensure_host_tools(console)
    allow_many_watches()
    refuse_living(config)
    down(config)
    lab = _assemble(config, console)
    token = uuid.uuid4().hex
    config.state.mkdir(parents=True, mode=0o700)
    _write_state(config, keep, token)
    if not keep:
        start_reaper(config, token)
    _make_key(lab.private_key)
    raise_bridge(config)
    if boot:
        with console.step(f"lab {config.name}: booting {len(lab.hosts)} hosts in {config.subnet}"):
            lab.boot()
    return lab


def attach(name: str) -> Lab:
    """The lab `name`, raised by another process. Raises LabError when there is none."""
    state = _read_state(name)
    if state is None:
        raise LabError(f"there is no lab {name!r} on this machine")
    return _assemble(config_of(name), default_console())


def config_of(name: str) -> LabConfig:
    """The configuration that the lab `name` was raised with. Raises LabError when there is none."""
    state = _read_state(name)
    if state is None:
        raise LabError(f"there is no lab {name!r} on this machine")
    families = str(state.get("families", "el7")).split()  # a lab of an older checkout says none
    return lab_config(name, str(state["subnet"]), int(state["replicas"]), families)


def down(config: LabConfig) -> None:
    """Take a lab away: hosts, disks, mounts, bridge, rules, state. Taking nothing away is fine."""
    for spec in config.hosts:
        Host(config, spec, (), Path("/nowhere")).remove()
    remove_bridge(config)
    remove_cgroups(config)
    shutil.rmtree(disk(config), onerror=absent_is_fine)
    shutil.rmtree(config.state, onerror=absent_is_fine)
    dismiss_reaper(config)


@contextmanager
def hosts_lab(config: LabConfig, *, boot: bool = True) -> Iterator[Lab]:
    """A lab for the length of a with-statement."""
    lab = up(config, boot=boot)
    try:
        yield lab
    finally:
        down(config)


def names() -> list[str]:
    """The labs that are up on this machine, or left behind by a process that died."""
    parent = lab_config().state.parent
    return sorted(path.parent.name for path in parent.glob("*/lab.json"))


def is_kept(name: str) -> bool:
    """Whether the lab was raised to outlive its maker."""
    return bool((_read_state(name) or {}).get("keep"))


def owner_alive(name: str) -> bool:
    """Whether the process that raised the lab still runs."""
    state = _read_state(name) or {}
    return "pid" in state and Process(int(state["pid"]), int(state["started"])).alive


def token_of(name: str) -> str:
    """What tells this raising of the lab from an earlier or later one of the same name; empty when it is down."""
    return str((_read_state(name) or {}).get("token", ""))


def refuse_living(config: LabConfig) -> None:
    """Raises LabError where a lab of this name is up, which nobody may take over."""
    if is_kept(config.name):
        raise LabError(f"lab {config.name} is up already: `{config.make('lab-down')}` takes it away")
    if owner_alive(config.name):
        raise LabError(
            f"lab {config.name} belongs to a process that runs: give this one another LAB_NAME and LAB_SUBNET"
        )


def _assemble(config: LabConfig, console: Console) -> Lab:
    kinds = {spec.family: FAMILIES[spec.family] for spec in config.hosts}
    made = {name: (root_trees(kind, console), repository(kind, console)) for name, kind in kinds.items()}
    return Lab(config, tuple(Host(config, spec, *made[spec.family]) for spec in config.hosts))


def _write_state(config: LabConfig, keep: bool, token: str) -> None:
    me = process(os.getpid())
    families = " ".join(host.family for host in config.hosts)
    state = {"subnet": str(config.subnet), "replicas": len(config.hosts) - 1, "families": families}
    state |= {"keep": keep, "pid": me.pid, "started": me.started, "token": token}
    (config.state / "lab.json").write_text(json.dumps(state))


def _read_state(name: str) -> dict[str, str | int] | None:
    try:
        state: dict[str, str | int] = json.loads((lab_config(name).state / "lab.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return state


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", path])
