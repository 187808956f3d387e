"""One host as the plans see it: declared, read, of a known family. A plan never looks at an Unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redis_sentinel_operator.conf.directives import is_conf
from redis_sentinel_operator.conf.family import Family, family
from redis_sentinel_operator.conf.redis_conf import RedisConf, parse
from redis_sentinel_operator.conf.sentinel_conf import SentinelConf
from redis_sentinel_operator.conf.sentinel_conf import parse as parse_sentinel
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    FileFacts,
    HostFacts,
    Known,
    Process,
    RedisFacts,
    SentinelFacts,
    UnitFacts,
    Unknown,
)


@dataclass(frozen=True, slots=True)
class Host:
    """A host that was read over SSH. What RESP said may still be Unknown.

    `priority` is the replica priority that it must have, None where nobody asks for one.
    """

    want: DesiredHost
    facts: HostFacts
    family: Family
    packages: Mapping[str, str]
    files: Mapping[str, FileFacts | None] = field(repr=False)
    units: Mapping[str, UnitFacts]
    processes: tuple[Process, ...]
    claim: Claim | None
    priority: int | None = None

    @property
    def name(self) -> str:
        """The host's name in the spec."""
        return self.want.name

    @property
    def package(self) -> str:
        """The name of the package that it shall have."""
        return self.want.package.name or self.family.package

    @property
    def declared_version(self) -> str:
        """The declared version of the package without the package's name, "" for any."""
        return (self.want.package.version or "").removeprefix(f"{self.package}-")

    @property
    def redis_path(self) -> str:
        """The file that redis runs with or was seen to run with, else the package's."""
        own = self.redis.config_file if self.redis else self.notes.get("redisFile")
        return self._if_conf(own) or self.family.redis_conf

    @property
    def redis_conf(self) -> FileFacts | None:
        """redis.conf as it is."""
        return self.files.get(self.redis_path)

    def conf(self) -> RedisConf | None:
        """Return redis.conf as redis reads it, with what it includes; None when there is none."""
        file = self.redis_conf
        return (
            None if file is None else parse(file.text, {path: each.text for path, each in self.files.items() if each})
        )

    @property
    def sentinel_path(self) -> str:
        """The file that the sentinel runs with or was seen to run with, else the package's."""
        own = self.sentinel.config_file if self.sentinel else self.notes.get("sentinelFile")
        return self._if_conf(own) or self.family.sentinel_conf

    def _if_conf(self, path: str | None) -> str:
        """Return a path that a server named, "" where another kind of file is there: the operator writes as root."""
        file = self.files.get(path or "")
        return "" if path is None or (file is not None and not is_conf(file.text)) else path

    @property
    def redis_unit(self) -> str:
        """The unit that runs redis or was seen to run it, else the package's."""
        running = self.unit_of(self.redis)
        return (self.notes.get("redisUnit") if running is None else running) or self.family.redis_unit

    @property
    def sentinel_unit(self) -> str:
        """The unit that runs the sentinel or was seen to run it, else the package's."""
        running = self.unit_of(self.sentinel)
        return (self.notes.get("sentinelUnit") if running is None else running) or self.family.sentinel_unit

    def unit_of(self, server: RedisFacts | SentinelFacts | None) -> str | None:
        """Return the unit of a server that answers, "" where a person started it, None where nobody can tell."""
        pid = server.process_id if server else None
        return next((each.unit for each in self.processes if each.pid == pid), None)

    @property
    def notes(self) -> Mapping[str, str]:
        """What was seen of the host before."""
        return self.claim.notes if self.claim else {}

    @property
    def sentinel_conf(self) -> SentinelConf | None:
        """sentinel.conf as it is, None when there is none."""
        file = self.files.get(self.sentinel_path)
        return None if file is None else parse_sentinel(file.text)

    @property
    def redis(self) -> RedisFacts | None:
        """The redis that lets us in, None when there is none or it is not known."""
        value = self.facts.redis.value if isinstance(self.facts.redis, Known) else None
        return value if isinstance(value, RedisFacts) else None

    @property
    def redis_process(self) -> Process | None:
        """The redis that its unit started, None when there is none."""
        unit = self.family.redis_unit
        return next((each for each in self.processes if each.unit == unit and not each.sentinel), None)

    @property
    def version(self) -> str:
        """The version whose features may be planned: never above the EL's own, which it is while none is known."""
        return self.family.features(self.server_version, self.want.package.module or "")

    @property
    def sentinel(self) -> SentinelFacts | None:
        """The sentinel that answers, None when there is none or it is not known."""
        return answering(self.facts)

    @property
    def server_version(self) -> str:
        """The version that is there: the running server's, else the package's or the declared one's; "" for none."""
        if self.redis is not None:
            return self.redis.server_version or self.redis.version
        return self.packages.get(self.package) or self.declared_version

    def stopped(self, unit: str, *, sentinel: bool) -> bool:
        """Whether it is proved that the server does not run: nobody listens, no process, the unit at rest."""
        fact = self.facts.sentinel if sentinel else self.facts.redis
        unit_facts = self.units.get(unit)
        at_rest = unit_facts is None or unit_facts.active in ("inactive", "failed", "unknown", "")
        no_process = not any(process.sentinel is sentinel for process in self.processes)
        return isinstance(fact, Known) and fact.value is None and at_rest and no_process

    @property
    def redis_stopped(self) -> bool:
        """Whether it is proved that no redis runs."""
        return self.stopped(self.redis_unit, sentinel=False)

    @property
    def sentinel_stopped(self) -> bool:
        """Whether it is proved that no sentinel runs."""
        return self.stopped(self.sentinel_unit, sentinel=True)


def answering(facts: HostFacts) -> SentinelFacts | None:
    """Return what the host's sentinel says, None when it does not answer us."""
    value = facts.sentinel.value if isinstance(facts.sentinel, Known) else None
    return value if isinstance(value, SentinelFacts) else None


def readable(desired: Desired, facts: ClusterFacts) -> tuple[tuple[Host, ...], tuple[str, ...]]:
    """Return the hosts that plans can be made for, and a sentence for each declared one of the others.

    A host of an unsupported system counts as unreadable here; it is refused before.
    """
    hosts: list[Host] = []
    sentences: list[str] = []
    for want in desired.hosts:
        host = _host(want, facts.hosts.get(want.name))
        if isinstance(host, Host):
            hosts.append(host)
        elif want.state != "Leaving":  # what becomes of that one is told where it is planned
            sentences.append(f"{want.name} could not be read and is left alone: {host}")
    return tuple(hosts), tuple(sentences)


def _host(want: DesiredHost, facts: HostFacts | None) -> Host | str:
    if facts is None:
        return "it was not asked"
    unknown = _first_unknown(facts.os, facts.packages, facts.files, facts.units, facts.processes, facts.claim)
    if unknown is not None:
        return unknown.message
    return _from_known(want, facts)


def _first_unknown(*facts: object) -> Unknown | None:
    return next((fact for fact in facts if isinstance(fact, Unknown)), None)


def _from_known(want: DesiredHost, facts: HostFacts) -> Host | str:
    match facts:
        case HostFacts(
            os=Known(os),
            packages=Known(packages),
            files=Known(files),
            units=Known(units),
            processes=Known(processes),
            claim=Known(claim),
        ):
            found = family(os)
            if found is None:
                return f"its system {os.id} {os.version_id} is not supported"
            return Host(want, facts, found, packages, files, units, processes, claim)
    return "a fact is missing"
