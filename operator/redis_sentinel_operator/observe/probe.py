"""The probe: one script a host and pass, and the facts in its answer.

The script answers in sections, each with its own end mark: one that failed or is cut off costs just its own fact.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from redis_sentinel_operator.conf import kernel
from redis_sentinel_operator.conf.family import FAMILIES
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    Claim,
    DataFile,
    Fact,
    FileFacts,
    FirewallFacts,
    Known,
    Listener,
    MachineFacts,
    OsFacts,
    Process,
    UnitFacts,
    Unknown,
)
from redis_sentinel_operator.observe import sections
from redis_sentinel_operator.observe.claim import CLAIM_PATH, claim_of
from redis_sentinel_operator.observe.firewall import firewall_of
from redis_sentinel_operator.observe.memory import Damaged, Memory, Recall, Rows
from redis_sentinel_operator.observe.sections import Socket

SECTIONS = (
    "os",
    "claim",
    "files",
    "units",
    "processes",
    "listeners",
    "data",
    "packages",
    "firewall",
    "machine",
    "stamps",
)
PARTS = ("probe.sh", "probe_files.sh", "probe_firewall.sh")
REASON = "ProbeFailed"
PACKAGES = ("redis*", "valkey*")  # patterns of rpm -qa
_MARK = re.compile(rb"\[(?:/(?P<end>[a-z]+) (?:(?P<ok>ok)|failed (?P<why>.*))|(?P<begin>[a-z]+))\]")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one probe is asked: absolute paths, unit names, the host's address, the ports that are ours."""

    files: tuple[str, ...]
    units: tuple[str, ...]
    confs: tuple[str, ...]  # each a redis.conf that may name another data directory
    data_dirs: tuple[str, ...]
    address: str
    ports: tuple[int, ...]
    packages: tuple[str, ...] = PACKAGES


@dataclass(frozen=True, slots=True)
class ProbeFacts:
    """What one probe answered. `sockets` are all listening sockets, also those of other ports."""

    os: Fact[OsFacts]
    packages: Fact[Mapping[str, str]]
    files: Fact[Mapping[str, FileFacts | None]]
    units: Fact[Mapping[str, UnitFacts]]
    firewall: Fact[FirewallFacts]
    data: Fact[tuple[DataFile, ...]]
    processes: Fact[tuple[Process, ...]]
    sockets: Fact[tuple[Socket, ...]]
    claim: Fact[Claim | None]
    leftovers: Fact[tuple[str, ...]]
    machine: Fact[MachineFacts]

    def listeners(self, ports: Sequence[int]) -> Fact[tuple[Listener, ...]]:
        """Return who listens on the ports, and on which others a redis or sentinel does."""
        if isinstance(self.sockets, Unknown):
            return self.sockets
        servers = {each.pid for each in self.processes.value} if isinstance(self.processes, Known) else set()
        found = {
            (each.port, each.process, each.pid)
            for each in self.sockets.value
            if each.port in ports or each.pid in servers
        }
        return Known(tuple(Listener(*each) for each in sorted(found)))


def paths() -> tuple[str, ...]:
    """Return the files that are read on every host: those of every family, as the family is not known before."""
    found = [path for family in FAMILIES.values() for path in (*family.files, family.yum_conf)]
    return tuple(dict.fromkeys((*found, *kernel.FILES)))


def units() -> tuple[str, ...]:
    """Return the units that are read on every host."""
    return tuple(dict.fromkeys(unit for family in FAMILIES.values() for unit in family.units))


def asked(desired: Desired, host: DesiredHost) -> Asked:
    """Return what the probe of a host is asked."""
    families = FAMILIES.values()
    return Asked(
        files=paths(),
        units=units(),
        confs=tuple(dict.fromkeys(family.redis_conf for family in families)),
        data_dirs=tuple(dict.fromkeys(family.data_dir for family in families)),
        address=host.address,
        ports=(desired.redis_port, desired.sentinel_port),
        packages=(*PACKAGES, host.package.name) if host.package.name else PACKAGES,
    )


def script(question: Asked, wanted: Sequence[str] = SECTIONS, memory: Memory | None = None) -> str:
    """Return the script that answers a question; what is asked stands before it as quoted variables.

    `memory` is what the host answered to the same question before.
    """
    before = memory or Memory()
    variables = {
        "RSO_SECTIONS": "\n".join(wanted),
        "RSO_FILES": "\n".join(question.files),
        "RSO_UNITS": "\n".join(question.units),
        "RSO_CONFS": "\n".join(question.confs),
        "RSO_DIRS": "\n".join(question.data_dirs),
        "RSO_ADDRESS": question.address,
        "RSO_CLAIM": CLAIM_PATH,
        "RSO_PACKAGES": "\n".join(question.packages),
        "RSO_KNOWN": "\n".join(before.texts),
        "RSO_MARK_PACKAGES": before.mark("packages"),
        "RSO_MARK_FIREWALL": before.mark("firewall"),
        "RSO_MARK_DATA": before.mark("data"),
        "RSO_PLACES": "\n".join(before.lines("data")),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items()) + text()


@cache
def text() -> str:
    """Return the script itself."""
    return "".join(Path(__file__).with_name(name).read_text() for name in PARTS) + "answer\n"


def parse(answer: bytes, question: Asked, recall: Recall | None = None) -> ProbeFacts:
    """Read the probe's answer. Never fails: what is damaged, cut off or was not read is Unknown with the reason.

    `recall` holds what the host was told to be known, and learns what it may leave out the next time.
    """
    found, known = split(answer), recall or Recall(Memory())

    def fact(name: str, read: Callable[[Rows], T]) -> Fact[T]:
        rows = found.get(name, Unknown(f"the probe's answer ends before its part {name}", REASON))
        if isinstance(rows, Unknown):
            return rows
        try:
            return Known(read(known.rows(name, rows.value)))
        except (Damaged, ValueError) as error:
            known.forget(name)
            return Unknown(f"the probe's part {name} cannot be understood: {error}", REASON)

    claim = fact("claim", lambda rows: sections.one_file(rows, known))
    facts = ProbeFacts(
        os=fact("os", sections.os_of),
        packages=fact("packages", sections.packages_of),
        files=fact("files", lambda rows: sections.files_of(rows, question.files, known)),
        units=fact("units", lambda rows: sections.units_of(rows, question.units)),
        firewall=fact("firewall", lambda rows: firewall_of(rows, known)),
        data=fact("data", sections.data_of),
        processes=fact("processes", sections.processes_of),
        sockets=fact("listeners", sections.sockets_of),
        claim=claim if isinstance(claim, Unknown) else claim_of(claim.value),
        leftovers=fact("packages", sections.leftovers_of),
        machine=fact("machine", sections.machine_of),
    )
    stamps = found.get("stamps")
    if isinstance(stamps, Known):
        known.keep(stamps.value)
    return facts


def unreadable(why: Unknown) -> ProbeFacts:
    """Return the facts of a host whose probe gave no answer."""
    return ProbeFacts(why, why, why, why, why, why, why, why, why, why, why)


def split(answer: bytes) -> dict[str, Fact[Rows]]:
    """Cut the answer into its sections: name -> its rows, or why it has none; one without its end is left out."""
    found: dict[str, Fact[Rows]] = {}
    name, rows = "", []
    for line in answer.split(b"\n"):
        mark = _MARK.fullmatch(line)
        if mark is None:
            rows.append(_row(line))
            continue
        if mark["end"] and mark["end"].decode() == name:
            found[name] = Known(tuple(rows)) if mark["ok"] else _failed(name, mark["why"])
        name, rows = (mark["begin"] or b"").decode(), []
    return found


def _row(line: bytes) -> tuple[str, str]:
    word, _, rest = line.decode("utf-8", "surrogateescape").partition(" ")
    return word, rest


def _failed(name: str, why: bytes) -> Unknown:
    return Unknown(f"the probe could not read its part {name}: {why.decode('utf-8', 'replace')[:300]}", REASON)
