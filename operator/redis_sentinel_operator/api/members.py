"""The hosts of a cluster that lives, when the spec asks for others and that is refused.

Following goes on while a spec is refused, and it must count the votes of the sentinels there are: two hosts that were
added and refused would otherwise raise the majority, and status would record them as if they had joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec
from redis_sentinel_operator.api.status import MEMBERS, HostStatus, Status
from redis_sentinel_operator.model.desired import Desired, DesiredHost


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


def recorded_members(body: Mapping[str, Any]) -> tuple[HostStatus, ...]:
    """Return the members in status, one for each address (a host that got another name may be there twice)."""
    status = Status.from_document(body.get("status") or {})
    members = {host.address: host for host in status.hosts if host.state in MEMBERS}
    return tuple(members.values())


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
