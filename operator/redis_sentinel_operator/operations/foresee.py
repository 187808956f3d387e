"""What procedures would do that begin by themselves: for a resource that only plans, as no procedure begins there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Foreseen, Impact
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.upgrade import behind, shown


def foreseen(desired: Desired, facts: ClusterFacts, verdict: Verdict, secret: Secret | None) -> tuple[Foreseen, ...]:
    """Return what would be done; the password of `desired` is the one in force, `secret` the declared one."""
    hosts, _ = readable(desired, facts)
    master = verdict.master.host if isinstance(verdict.master, Confirmed) else ""
    return (*_rotation(desired, hosts, secret), *_upgrade(hosts, master), *_aside(desired, master))


def _rotation(desired: Desired, hosts: Sequence[Host], secret: Secret | None) -> Iterator[Foreseen]:
    if secret == desired.password:
        return
    what = (
        "take the password from redis and sentinel" if secret is None else "give the Secret's password to all servers"
    )
    why = "the spec names no password" if secret is None else "the servers have another one"
    for host in hosts:
        if host.redis is not None:
            yield Foreseen(host.name, f"{what} (rotation)", why, Impact.RELOAD)


def _upgrade(hosts: Sequence[Host], master: str) -> Iterator[Foreseen]:
    for name, host in behind(hosts).items():
        before = "replace the master by a switchover, then " if name == master else ""
        impact = Impact.FAILOVER if name == master else Impact.RESTART
        yield Foreseen(name, f"{before}install {shown(host)} (upgrade)", "package.version asks for it", impact)


def _aside(desired: Desired, master: str) -> Iterator[Foreseen]:
    for host in desired.hosts_aside:
        if host.name == master:
            field = "fencedHosts" if host.aside == "Fenced" else "maintenanceHosts"
            what = "replace the master by a switchover, then stop redis there"
            yield Foreseen(host.name, what, f"spec.{field} names it", Impact.FAILOVER)
