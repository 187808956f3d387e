"""status.hosts and the counts from one reading. Nothing that moves by itself (offsets, lag, uptime) is taken over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

from redis_sentinel_operator.api.status import (
    MEMBERS,
    ConfigItem,
    HostSsh,
    HostState,
    HostStatus,
    Link,
    PlanImpact,
    PlanItem,
    Role,
    ServiceState,
)
from redis_sentinel_operator.judge.aside import entered, field_of, in_words, is_held
from redis_sentinel_operator.judge.findings import linked_replicas, trouble_of_replica
from redis_sentinel_operator.judge.installed import other_version
from redis_sentinel_operator.judge.master import absences, views
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import (
    ClusterFacts,
    Denied,
    Fact,
    HostFacts,
    Known,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.step import ConfigDrift, Foreseen, Plan, Step
from redis_sentinel_operator.model.verdict import Confirmed, Mastership

Drift = Mapping[str, tuple[ConfigDrift, ...]]


@dataclass(frozen=True, slots=True)
class Counts:
    """The three columns, as "3/4"."""

    ready: str
    replicas: str
    sentinels: str


def counts(desired: Desired, facts: ClusterFacts, master: Mastership, drift: Drift) -> Counts:
    """Count hosts that are as declared, replicas in touch with the master, sentinels that answer for our master."""
    linked = linked_replicas(desired, facts, master)
    in_role = linked | ({master.host} if isinstance(master, Confirmed) else frozenset())
    in_office = views(desired, {name: host.sentinel for name, host in facts.hosts.items()}).keys()
    ready = [
        host.name
        for host in desired.staying
        if (host.name in in_role or not host.redis)
        and (host.name in in_office or not host.sentinel)
        and not drift.get(host.name)
        and not isinstance(facts.hosts[host.name].os if host.name in facts.hosts else Unknown(""), Unknown)
    ]
    leads = isinstance(master, Confirmed) and any(master.address == host.address for host in desired.leaving)
    wanted = len(desired.redis_hosts) if leads else max(len(desired.redis_hosts) - 1, 0)
    return Counts(
        ready=f"{len(ready)}/{len(desired.staying)}",
        replicas=f"{len(linked)}/{wanted}",
        sentinels=f"{len(in_office)}/{len(desired.wanted_sentinels)}",
    )


def hosts(
    desired: Desired,
    facts: ClusterFacts,
    master: Mastership,
    drift: Drift,
    before: tuple[HostStatus, ...],
    *,
    newer: Mapping[str, str] = MappingProxyType({}),
    heard: Mapping[str, Fact[str]] = MappingProxyType({}),
) -> tuple[HostStatus, ...]:
    """Return status.hosts: the declared ones in their order, then those that are leaving, then those that are gone.

    A host is its address: one that has another name by now is the same. What was never touched goes without a trace.

    `newer` says by host name which newer package its repositories have (`redis 3.2.12-2.el7`), `heard` whether its
    sentinel is followed.
    """
    old = {host.address: host for host in before}
    linked = linked_replicas(desired, facts, master)
    addresses = {host.address for host in desired.hosts}
    declared = [
        HostStatus(
            **_kept(host, facts.hosts.get(host.name), old.get(host.address)),
            **_declared(host),
            **_seen(host, facts.hosts.get(host.name), old.get(host.address)),
            link=_link(host, master, linked),
            followed=_followed(host, heard.get(host.name)),
            config=_config(drift.get(host.name, ())),
            message=_message(desired, host, facts, master, newer=newer.get(host.name, ""), heard=heard.get(host.name)),
        )
        for host in desired.hosts
    ]
    return (*declared, *(host for host in before if host.address not in addresses and host.state is not None))


def _kept(host: DesiredHost, read: HostFacts | None, old: HostStatus | None) -> dict[str, Any]:
    """Return what only status knows of a host; one that leaves is told as such, one that was put back as a member."""
    if old is None:
        return {}
    if host.state == "Leaving":
        return {"joined_at": old.joined_at, "left_at": old.left_at, "state": "Leaving"}
    if old.left_at:
        return {}  # it comes anew
    back: HostState = "Member" if host.state == "Member" else "Joining"
    before = back if old.state == "Leaving" else old.state
    return {"joined_at": old.joined_at, "state": _state(host, read, before)}


def as_member(host: HostStatus, joined: str) -> HostStatus:
    """Return a host as a member of the cluster since `joined`, or since when it was one."""
    state = host.state if host.state in MEMBERS else "Member"
    return HostStatus(**(dict(host) | {"state": state, "joined_at": host.joined_at or joined}))


def _state(host: DesiredHost, read: HostFacts | None, old: HostState | None) -> HostState | None:
    """Return where a host is; one that is aside and away is where it was seen last."""
    if old not in MEMBERS:
        return old
    is_read = read is not None and not isinstance(read.os, Unknown)
    if host.aside == "Maintenance" and (not is_read or (read is not None and entered(read))):
        return "Maintenance"
    if host.aside == "Fenced" and ((not is_read and old == "Fenced") or (read is not None and is_held(host, read))):
        return "Fenced"
    return "Member"


def _declared(host: DesiredHost) -> dict[str, Any]:
    ssh = HostSsh(address=host.ssh.address, user=host.ssh.user, port=host.ssh.port)
    return {"name": host.name, "address": host.address, "ssh": ssh}


def _seen(host: DesiredHost, read: HostFacts | None, old: HostStatus | None) -> dict[str, Any]:
    return {
        "role": _role(read),
        "redis": _service(read.redis if read else None) if host.redis else None,
        "sentinel": _service(read.sentinel if read else None) if host.sentinel else None,
        "sentinel_id": _sentinel_id(read, old) if host.sentinel else None,
    }


def _config(drift: tuple[ConfigDrift, ...]) -> tuple[ConfigItem, ...]:
    return tuple(
        ConfigItem(key=each.key, want=each.want, have=each.have, pending_restart=each.pending_restart) for each in drift
    )


def _role(read: HostFacts | None) -> Role | None:
    value = read.redis.value if read is not None and isinstance(read.redis, Known) else None
    if not isinstance(value, RedisFacts):
        return None
    return "Master" if value.role == "master" else "Replica"


def _service(fact: Fact[RedisFacts | Denied | None] | Fact[SentinelFacts | Denied | None] | None) -> ServiceState:
    if fact is None or isinstance(fact, Unknown):
        return "Unknown"
    if fact.value is None:
        return "Stopped"
    if isinstance(fact.value, Denied):
        return "Denied"
    return "Loading" if isinstance(fact.value, RedisFacts) and fact.value.loading else "Running"


def _sentinel_id(read: HostFacts | None, old: HostStatus | None) -> str | None:
    """Return its id, the last known one when it cannot be asked: a host set up anew gets it back."""
    value = read.sentinel.value if read is not None and isinstance(read.sentinel, Known) else None
    seen = value.my_id if isinstance(value, SentinelFacts) else ""
    return seen or (old.sentinel_id if old else None)


def _link(host: DesiredHost, master: Mastership, linked: frozenset[str]) -> Link | None:
    if not host.redis or not isinstance(master, Confirmed) or master.host == host.name:
        return None
    return "Up" if host.name in linked else "Down"


def _followed(host: DesiredHost, heard: Fact[str] | None) -> bool | None:
    return isinstance(heard, Known) if host.sentinel and heard is not None else None


def _message(
    desired: Desired,
    host: DesiredHost,
    facts: ClusterFacts,
    master: Mastership,
    *,
    newer: str,
    heard: Fact[str] | None,
) -> str | None:
    """Return what is wrong with the host, the gravest first, and what could be done there."""
    read = facts.hosts.get(host.name)
    if read is None:
        return "It was not read."
    if host.state == "Leaving":
        return _leaving(host, read, master)
    if isinstance(read.os, Unknown):
        return f"{field_of(host)} names it; {read.os.message}" if host.aside else read.os.message
    if host.aside and (entered(read) if host.aside == "Maintenance" else is_held(host, read)):
        return in_words(host, read)
    troubles = [in_words(host, read)] if host.aside else []
    if host.redis and isinstance(master, Confirmed) and master.host != host.name:
        troubles.append(trouble_of_replica(host, facts, master))
    if host.sentinel:
        sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
        prefix = f"{host.name}: "
        absent = [each.removeprefix(prefix) for each in absences(desired, sentinels) if each.startswith(prefix)]
        troubles += absent or ([heard.message.rstrip(". ")] if isinstance(heard, Unknown) else [])
    troubles.append(other_version(host, read))
    if isinstance(read.leftovers, Known):
        troubles += [_leftover(path) for path in read.leftovers.value]
    if newer and not _is_installed(read, newer):
        name = newer.partition(" ")[0]
        troubles.append(
            f"{newer} can be had: `yum --disableexcludes=main update {name}` restarts redis, so replicas first"
            if host.package.manage == "CheckOnly"
            else f"{newer} can be had: as package.version it is brought about, the replicas first"
        )
    return "; ".join(filter(None, troubles)) or None


def _leaving(host: DesiredHost, read: HostFacts, master: Mastership) -> str:
    if isinstance(read.os, Unknown):
        return (
            f"It is not in spec.hosts any more, and is Leaving until it is proved to be stopped, or forgotten (act "
            f"forget-host {host.name}): {read.os.message}"
        )
    if isinstance(master, Confirmed) and master.host == host.name:
        return "It is not in spec.hosts any more and leaves when another host is the master (act switchover)."
    return "It is not in spec.hosts any more: its servers are stopped and disabled, and the sentinels forget it."


def _is_installed(read: HostFacts, newer: str) -> bool:
    """Whether somebody has updated it since the repositories were asked."""
    name, _, version = newer.partition(" ")
    return isinstance(read.packages, Known) and read.packages.value.get(name) == version.rpartition(":")[2]


def _leftover(path: str) -> str:
    file, _, kind = path.rpartition(".")
    if kind == "rpmnew":
        return f"a package brought a new {file}, which lies in {path}: take over what is new and remove it"
    return f"a removed package left {path}: remove it when nothing in it is needed"


def plan_items(plan: Plan) -> tuple[PlanItem, ...]:
    """Return what a plan would do as status has it."""
    items: tuple[Step | Foreseen, ...] = (*plan.steps, *plan.foreseen)
    return tuple(
        PlanItem(host=each.host, what=each.what, why=each.why, impact=cast(PlanImpact, each.impact.name.capitalize()))
        for each in items
    )
