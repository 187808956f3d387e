"""Who is part of the cluster, in status.hosts: on its way in, a member, on its way out, gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from redis_sentinel_operator.api.status import MEMBERS, HostSsh, HostStatus
from redis_sentinel_operator.board_hosts import as_member
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import Plan

Hosts = tuple[HostStatus, ...]


def members(hosts: Hosts) -> dict[str, str]:
    """Return name and address of the members."""
    return {host.name: host.address for host in hosts if host.state in MEMBERS}


def recorded(hosts: Hosts, state: str) -> frozenset[str]:
    """Return the names of the hosts that are recorded in that state."""
    return frozenset(host.name for host in hosts if host.state == state)


def taken_over(hosts: Hosts, plan: Plan, desired: Desired, now: str, *, whole: bool) -> Hosts:
    """Return the hosts after what a plan found of them; `whole`: the cluster was wholly as declared, `now` the time.

    From the first time that it is wholly as declared all hosts are members: then one more is a change.
    """
    staying = {host.name for host in desired.staying}
    joined = plan.joined | (staying if whole else frozenset())
    hosts = tuple(as_member(host, now) if host.name in joined else host for host in hosts)
    return left(cleared(hosts, plan.cleared), plan.left, now)


def cleared(hosts: Hosts, names: Collection[str]) -> Hosts:
    """Return the hosts without those that have left and that no sentinel remembers."""
    return tuple(host for host in hosts if not (host.name in names and host.left_at))


def left(hosts: Hosts, names: Collection[str], now: str) -> Hosts:
    """Return the hosts, with the time at those that have left."""
    gone = {"state": "Leaving", "left_at": now, "role": None, "followed": None, "redis": None, "sentinel": None}
    gone["message"] = "It has left. It stands here until no sentinel counts it any more."
    return tuple(
        HostStatus(**(dict(host) | gone)) if host.name in names and not host.left_at else host for host in hosts
    )


def begun(hosts: Hosts, desired: Desired, names: Iterable[str]) -> Hosts:
    """Return the hosts, with those that are about to be claimed as Joining."""
    new = [desired.host(name) for name in sorted(names)]
    addresses = {host.address for host in new}
    entries = (
        HostStatus(
            name=host.name,
            address=host.address,
            ssh=HostSsh(address=host.ssh.address, user=host.ssh.user, port=host.ssh.port),
            redis="Stopped" if host.redis else None,
            sentinel="Stopped" if host.sentinel else None,
            state="Joining",
        )
        for host in new
    )
    return (*(host for host in hosts if host.address not in addresses), *entries)
