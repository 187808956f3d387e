"""What is on a host beside what is declared: the package's version, and servers that no unit started. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from redis_sentinel_operator.conf.family import family
from redis_sentinel_operator.conf.version import is_older
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ClusterFacts, HostFacts, Known, RedisFacts, SentinelFacts


def other_version(host: DesiredHost, facts: HostFacts | None) -> str:
    """Return a phrase where another version of the package is installed than the declared one, else ""."""
    name, have, wanted = _versions(host, facts)
    if not have or not wanted or have == wanted or have.startswith(f"{wanted}-"):
        return ""
    return f"{name} {have} is installed, package.version asks for {wanted}"


def is_behind(host: DesiredHost, facts: HostFacts | None) -> bool:
    """Whether an older version than the declared one is installed, and the operator may upgrade it while it runs."""
    _, have, wanted = _versions(host, facts)
    may = host.package.manage == "Install" and host.state == "Member" and ":" not in wanted  # no epoch is read
    return may and bool(other_version(host, facts)) and is_older(have, wanted)


def other_versions(desired: Desired, facts: ClusterFacts, *, but_behind: bool) -> Mapping[str, str]:
    """Return by host what `other_version` says; `but_behind`: those that can be upgraded are left out."""
    found = {host.name: other_version(host, facts.hosts.get(host.name)) for host in desired.staying}
    behind = {host.name for host in desired.staying if but_behind and is_behind(host, facts.hosts.get(host.name))}
    return {name: phrase for name, phrase in found.items() if phrase and name not in behind}


def _versions(host: DesiredHost, facts: HostFacts | None) -> tuple[str, str, str]:
    """Return the package's name, the version that is installed and the one that is declared; "" where there is none."""
    if facts is None or not isinstance(facts.os, Known) or not isinstance(facts.packages, Known):
        return "", "", ""
    found = family(facts.os.value)
    name = host.package.name or (found.package if found else "")
    return name, facts.packages.value.get(name, ""), (host.package.version or "").removeprefix(f"{name}-")


def started_by_hand(desired: Desired, facts: ClusterFacts) -> Mapping[str, str]:
    """Return by host a phrase for its servers that a person started, without any unit."""
    found = {
        host.name: " and ".join(_by_hand(facts.hosts[host.name])) for host in desired.hosts if host.name in facts.hosts
    }
    return {name: phrase for name, phrase in found.items() if phrase}


def _by_hand(facts: HostFacts) -> Iterator[str]:
    units = {each.pid: each.unit for each in facts.processes.value} if isinstance(facts.processes, Known) else {}
    for fact in (facts.redis, facts.sentinel):
        server = fact.value if isinstance(fact, Known) else None
        if isinstance(server, RedisFacts | SentinelFacts) and units.get(server.process_id) == "":
            kind = "redis" if isinstance(server, RedisFacts) else "sentinel"
            with_file = f" with {server.config_file}" if server.config_file else ""
            yield f"{kind} (process {server.process_id}){with_file}"
