"""The hosts of a cluster that lives, and what becomes of them when the spec asks for others.

Status records who is part of it: one that is declared and not recorded joins, one that is recorded and not declared
any more leaves. A host is its address: another name for it changes nothing.

Following goes on while a spec is refused, and it must count the votes of the sentinels there are: two hosts that were
added and refused would otherwise raise the majority, and status would record them as if they had joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec
from redis_sentinel_operator.api.status import HostStatus, Status
from redis_sentinel_operator.errors import SpecRefused
from redis_sentinel_operator.model.desired import Desired, DesiredHost, GoneHost, Membership


def living(body: Mapping[str, Any], spec: RedisSentinelClusterSpec, desired: Desired) -> Desired:
    """Return `desired` with the members that status records instead of the hosts that the spec lists.

    A member keeps what the spec says of its address (name, SSH, package), but the job it has in status. Without
    members it is `desired` itself.
    """
    members = recorded_members(body)
    if not members:
        return desired
    hosts = tuple(_member(member, desired) for member in members)
    names = [host.name for host in hosts if host.redis]
    majority = sum(host.sentinel for host in hosts) // 2 + 1
    return replace(
        desired,
        hosts=hosts,
        initial_master=desired.initial_master if desired.initial_master in names or not names else names[0],
        sentinel=replace(desired.sentinel, quorum=spec.sentinel.quorum or majority),
    )


def with_members(body: Mapping[str, Any], desired: Desired) -> Desired:
    """Return `desired` with the state of each host, and with the recorded ones that are not declared any more.

    Before status has any member (the cluster is being set up or taken over) all are members from the beginning.
    """
    recorded = _recorded(body)
    if not any(_is_part(host) for host in recorded.values()):
        return desired
    hosts = tuple(replace(host, state=_state(recorded.get(host.address))) for host in desired.hosts)
    former = [host for address, host in recorded.items() if desired.host_at(address) is None]
    leaving = (replace(_member(host, desired), state="Leaving") for host in former if not host.left_at)
    gone = tuple(GoneHost(host.name, host.address) for host in former if host.left_at)
    return replace(desired, hosts=(*hosts, *leaving), gone=gone)


def refuse_members(body: Mapping[str, Any], spec: RedisSentinelClusterSpec) -> None:
    """Refuse what cannot be done with the hosts that are recorded.

    Raises:
        SpecRefused: InvalidSpec; the message says what to do.
    """
    recorded = _recorded(body)
    if not any(_is_part(host) for host in recorded.values()):
        return
    declared = {host.address for host in spec.hosts}
    former = [host for address, host in recorded.items() if address not in declared]
    taken = {host.name: host.address for host in former}
    for each in spec.hosts:
        if each.name in taken:
            raise SpecRefused(
                "InvalidSpec",
                f"spec.hosts[{each.name}]: another host of that name ({taken[each.name]}) has not left yet; give this "
                "one another name, or put the other one back",
            )
    leaving = [f"{host.name} ({host.address})" for host in former if not host.left_at]
    if len(leaving) > 1 and not spec.unsafe.remove_many:
        raise SpecRefused(
            "InvalidSpec",
            f"spec.hosts: {len(leaving)} hosts would leave at the same time: {', '.join(leaving)}. Nothing is changed "
            "on any host. Put all but one back and take the next one out when that one is gone from status.hosts, or "
            "set unsafe.removeMany to true",
        )


def recorded_members(body: Mapping[str, Any]) -> tuple[HostStatus, ...]:
    """Return the members in status, one for each address, those included that have not left yet."""
    return tuple(host for host in _recorded(body).values() if _is_part(host))


def _recorded(body: Mapping[str, Any]) -> dict[str, HostStatus]:
    """Return by address what status has on its way in or out; a host that got another name may be there twice."""
    status = Status.from_document(body.get("status") or {})
    return {host.address: host for host in status.hosts if host.state is not None}


def _is_part(host: HostStatus) -> bool:
    """Whether it has joined and not left."""
    return host.state != "Joining" and (host.state != "Leaving" or (bool(host.joined_at) and not host.left_at))


def _state(recorded: HostStatus | None) -> Membership:
    """Return the state of a declared host; one that was put back before it had left is what it was."""
    return "Member" if recorded is not None and _is_part(recorded) else "Joining"


def _member(member: HostStatus, desired: Desired) -> DesiredHost:
    host = desired.host_at(member.address) or _removed(member, desired)
    if member.redis is None and member.sentinel is None:
        return host
    return replace(host, redis=member.redis is not None, sentinel=member.sentinel is not None)


def _removed(member: HostStatus, desired: Desired) -> DesiredHost:
    """A member that the spec has no more: reached as before, for the rest like the others."""
    ssh = replace(desired.hosts[0].ssh, address=member.address)
    if member.ssh is not None:
        ssh = replace(ssh, address=member.ssh.address, user=member.ssh.user, port=member.ssh.port)
    return DesiredHost(name=member.name, address=member.address, ssh=ssh)
