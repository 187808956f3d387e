"""What endangers a cluster on its hosts without keeping it from being used: all of it is told, the gravest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

from redis_sentinel_operator.conf import kernel
from redis_sentinel_operator.conf.family import FAMILIES, family
from redis_sentinel_operator.judge.admission import too_wide
from redis_sentinel_operator.judge.domains import shared
from redis_sentinel_operator.judge.ghosts import ghosts
from redis_sentinel_operator.judge.installed import started_by_hand
from redis_sentinel_operator.judge.limits import LEAST_OPEN_FILES, open_files
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.selinux import closed_ports, has_semanage
from redis_sentinel_operator.judge.shipped import shipped
from redis_sentinel_operator.judge.telling import listed, told
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    FileFacts,
    HostFacts,
    Known,
    Process,
    RedisFacts,
    SentinelFacts,
    SurveyFacts,
)
from redis_sentinel_operator.model.verdict import Finding

_LATER = ("AtNextStart", "AtNextBoot")  # nothing is amiss, it only takes its time
_APART = 1.0  # seconds
_UMASK = 0o077
_UNITS = {unit: family for family in FAMILIES.values() for unit in family.units}
_WANTED = {kernel.OVERCOMMIT: "1", kernel.HUGE_PAGES: "never"}


def risks(desired: Desired, facts: ClusterFacts) -> Finding | None:
    """Return all that is to be told as one finding with the reason of the gravest, None where there is none."""
    hosts = {host.name: facts.hosts[host.name] for host in desired.hosts if host.name in facts.hosts}
    found = [(reason, text) for reason, tell in _RISKS.items() if (text := tell(desired, hosts))]
    if not found:
        return None
    return Finding(all(reason in _LATER for reason, _ in found), found[0][0], " ".join(text for _, text in found))


def _id_twice(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    owners: dict[str, list[str]] = {}
    for name, answered in _sentinels(desired, hosts):
        if answered.my_id:
            owners.setdefault(answered.my_id, []).append(name)
    detail = "; ".join(
        f"the sentinels of {listed(names)} have the same id {id_}" for id_, names in owners.items() if len(names) > 1
    )
    return say("SentinelIdTwice", detail=detail[:1].upper() + detail[1:], name=desired.master_name) if detail else ""


def foreign_sentinels(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    """Return a sentence that names sentinels of no declared host which are connected to the master, "" for none.

    One may connect from another address than the declared one: as many as have no known id may be ours.
    """
    ids = {answered.my_id[:8] for _, answered in _sentinels(desired, hosts) if answered.my_id}
    addresses = {host.address for host in desired.every_sentinel} | {host.address for host in desired.gone}
    for name, survey in _surveys(hosts):
        strangers = sorted(at for id_, at in survey.sentinels if id_ not in ids and at not in addresses)
        if len(strangers) > len(desired.every_sentinel) - len(ids):
            return say("ForeignSentinels", host=name, name=desired.master_name, sentinels=", ".join(strangers))
    return ""


def _restarts(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = {
        name: f"its unit has Restart={survey.restart}"
        for name, survey in _surveys(hosts)
        if desired.host(name).redis and survey.restart not in ("", "no")
    }
    return say("RestartsByItself", detail=_of_hosts(desired, found)) if found else ""


def _peers(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    """A server that did not listen when the hosts were asked was down, and not cut off."""
    open_then = {hosts[name].address: survey.listens for name, survey in _surveys(hosts)}
    phrases = [
        f"{name} does not reach {other.name} on port {each.port} ({each.why})"
        for name, survey in _surveys(hosts)
        for each in survey.unreached
        if (other := desired.host_at(each.address)) and each.port in open_then.get(each.address, ())
    ]
    return say("PeersUnreachable", detail="; ".join(phrases)) if phrases else ""


def _firewall(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    wide = "; ".join(f"{name}: {phrase}" for name, phrase in too_wide(desired, ClusterFacts(hosts, 0.0)).items())
    return say("FirewallWider", detail=wide) if wide else ""


def _by_hand(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = "; ".join(f"{name}: {each}" for name, each in started_by_hand(desired, ClusterFacts(hosts, 0.0)).items())
    return say("NotByItsUnit", detail=found) if found else ""


def _domains(desired: Desired, _hosts: Mapping[str, HostFacts]) -> str:
    found = "" if desired.shared_failure_domain else shared(desired)
    return say("SharedFailureDomain", detail=found) if found else ""


def _disk(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = {}
    for name, _, need in _needs(desired, hosts):
        survey = hosts[name].survey
        free = survey.value.free if isinstance(survey, Known) else None
        if free is not None and free < need:
            found[name] = f"its data may be {_size(need)}, and {_size(free)} are free"
    return say("DiskTooSmall", detail=_of_hosts(desired, found)) if found else ""


def _memory(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = {}
    for name, used, need in _needs(desired, hosts):
        machine = hosts[name].machine
        available = machine.value.available if isinstance(machine, Known) else 0
        if available and need > available + used:
            found[name] = f"its data may be {_size(need)}, and {_size(available + used)} are left for it"
        elif available and used > available:
            found[name] = f"redis uses {_size(used)}, and only {_size(available)} are left"
    return say("MemoryTooSmall", detail=_of_hosts(desired, found)) if found else ""


def _needs(desired: Desired, hosts: Mapping[str, HostFacts]) -> Iterator[tuple[str, int, int]]:
    """Yield what each redis uses, 0 where none runs, and how many bytes it may come to hold: all that a master has."""
    data = max((redis.used_memory for _, redis in _redis(desired, hosts) if redis.role == "master"), default=0)
    for host in desired.redis_hosts:
        fact = hosts[host.name].redis if host.name in hosts else None
        if not isinstance(fact, Known) or isinstance(fact.value, Denied):
            continue
        used = fact.value.used_memory if fact.value else 0
        limit = fact.value.config.get("maxmemory", "") if fact.value else ""
        yield host.name, used, max(used, data, int(limit) if limit.isdecimal() else 0)


def _size(number: int) -> str:
    return f"{number / 2**30:.1f} GiB" if number >= 2**30 else f"{number / 2**20:.0f} MiB"


def _clocks(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    """Only what is sure is told: a reading that took long bounds little."""
    ahead = {name: survey.ahead for name, survey in _surveys(hosts)}
    apart = [
        (low - high, before, behind)
        for one, other in combinations(ahead, 2)
        for before, behind, low, high in (
            (one, other, ahead[one][0], ahead[other][1]),
            (other, one, ahead[other][0], ahead[one][1]),
        )
        if low - high > _APART
    ]
    if apart:
        seconds, before, behind = max(apart)
        return say("ClocksDiffer", detail=f"The clock of {before} is {seconds:.1f} s before that of {behind}")
    off = {name: low if low > _APART else high for name, (low, high) in ahead.items() if low > _APART or high < -_APART}
    phrases = {
        name: f"the clock is {abs(by):.0f} s {'before' if by > 0 else 'after'} the operator's"
        for name, by in off.items()
    }
    detail = _of_hosts(desired, phrases)
    return say("ClocksDiffer", detail=detail[:1].upper() + detail[1:]) if phrases else ""


def _selinux(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = {}
    for name, facts in hosts.items():
        ports = closed_ports(desired, desired.host(name), facts)
        if ports and not has_semanage(facts):
            release = family(facts.os.value) if isinstance(facts.os, Known) else None
            package = f" (yum install {release.semanage})" if release else ""
            found[name] = f"{', '.join(map(str, ports))} not of type redis_port_t, and there is no semanage{package}"
    return say("SelinuxPorts", detail=_of_hosts(desired, found)) if found else ""


def _others(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    phrases = [
        f"{phrase} on {host.name}"
        for host in desired.hosts
        if host.name in hosts
        for phrase in (*_processes(desired, host, hosts[host.name]), *_names(desired, hosts[host.name]))
    ]
    return say("OtherServers", detail="; ".join(phrases)) if phrases else ""


def _processes(desired: Desired, host: DesiredHost, facts: HostFacts) -> Iterator[str]:
    """Return a phrase for each redis or sentinel that listens, and not at a declared port."""
    if not (isinstance(facts.processes, Known) and isinstance(facts.listeners, Known)):
        return
    ports = {*((desired.redis_port,) if host.redis else ()), *((desired.sentinel_port,) if host.sentinel else ())}
    open_ports: dict[int, set[int]] = {}
    for each in facts.listeners.value:
        open_ports.setdefault(each.pid, set()).add(each.port)
    for process in facts.processes.value:
        own = open_ports.get(process.pid, set())
        if own and not own & ports:
            where = ", ".join(map(str, sorted(own)))
            yield f"{process.name} (process {process.pid}, {process.unit or 'started by hand'}) at port {where}"


def _names(desired: Desired, facts: HostFacts) -> Iterator[str]:
    """Return a phrase for each master that its sentinel watches beside ours."""
    for _, answered in _sentinels(desired, {facts.name: facts}):
        if desired.master_name in answered.masters:
            others = (name for name in answered.masters if name != desired.master_name)
            yield from (f"a sentinel that watches {name} as well" for name in others)


def _next_start(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = {}
    for name, facts in hosts.items():
        processes = facts.processes.value if isinstance(facts.processes, Known) else ()
        phrases = [phrase for each in processes for phrase in _limits(desired, facts, each)]
        if phrases:
            found[name] = ", ".join(phrases)
    return say("AtNextStart", detail=_of_hosts(desired, found)) if found else ""


def _limits(desired: Desired, facts: HostFacts, process: Process) -> Iterator[str]:
    family = _UNITS.get(process.unit)
    if family is None or not isinstance(facts.files, Known):
        return
    conf: FileFacts | None = facts.files.value.get(family.redis_conf)
    wanted = LEAST_OPEN_FILES if process.sentinel else open_files(desired, conf)
    if process.open_files is not None and process.open_files < wanted:
        yield f"{process.unit} may open {process.open_files} files instead of {wanted}"
    if process.umask is not None and process.umask & _UMASK != _UMASK:
        yield f"the umask of {process.unit} is {process.umask:04o} instead of {_UMASK:04o}"


def _next_boot(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    found = {}
    for name, facts in hosts.items():
        machine = facts.machine.value if isinstance(facts.machine, Known) else None
        phrases = [
            f"{kernel.shown(path)} is {machine.settings.get(path)} instead of {wanted}"
            for path, wanted in _WANTED.items()
            if machine is not None and path in machine.refused and machine.settings.get(path) != wanted
        ]
        if phrases:
            found[name] = ", ".join(phrases)
    return say("AtNextBoot", detail=_of_hosts(desired, found)) if found else ""


def _of_hosts(desired: Desired, troubles: Mapping[str, str]) -> str:
    """Tell what is wrong with which hosts; what is wrong with all alike is told of all."""
    text = told(desired, troubles)
    alike = len(troubles) == len(desired.hosts) and not text.startswith(tuple(troubles))
    return f"all hosts: {next(iter(troubles.values()))}" if alike else text


def _surveys(hosts: Mapping[str, HostFacts]) -> Iterator[tuple[str, SurveyFacts]]:
    yield from ((name, facts.survey.value) for name, facts in hosts.items() if isinstance(facts.survey, Known))


def _sentinels(desired: Desired, hosts: Mapping[str, HostFacts]) -> Iterator[tuple[str, SentinelFacts]]:
    for host in desired.every_sentinel:
        fact = hosts[host.name].sentinel if host.name in hosts else None
        if isinstance(fact, Known) and isinstance(fact.value, SentinelFacts):
            yield host.name, fact.value


def _redis(desired: Desired, hosts: Mapping[str, HostFacts]) -> Iterator[tuple[str, RedisFacts]]:
    for host in desired.redis_hosts:
        fact = hosts[host.name].redis if host.name in hosts else None
        if isinstance(fact, Known) and isinstance(fact.value, RedisFacts):
            yield host.name, fact.value


_RISKS: dict[str, Callable[[Desired, Mapping[str, HostFacts]], str]] = {
    "SentinelIdTwice": _id_twice,
    "ForeignSentinels": foreign_sentinels,
    "GhostSentinels": ghosts,
    "ShippedSentinel": shipped,
    "PeersUnreachable": _peers,
    "RestartsByItself": _restarts,
    "FirewallWider": _firewall,
    "NotByItsUnit": _by_hand,
    "SharedFailureDomain": _domains,
    "DiskTooSmall": _disk,
    "MemoryTooSmall": _memory,
    "ClocksDiffer": _clocks,
    "SelinuxPorts": _selinux,
    "OtherServers": _others,
    "AtNextStart": _next_start,
    "AtNextBoot": _next_boot,
}
