"""A stopped redis beside a living cluster: it comes back as a replica of the confirmed master, or waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Denied, Known, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, Mastership
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CONFIRMED, Part, Stage, wait
from redis_sentinel_operator.plan.units import start_redis


@dataclass(frozen=True, slots=True)
class Rejoining:
    """The role line that its redis.conf gets before it is started, and the start or why it waits."""

    role: Mapping[str, str] = field(default_factory=dict)
    part: Part = field(default_factory=Part)


def slaveof(address: str, port: int) -> Mapping[str, str]:
    """Return the role line of a replica."""
    return {"slaveof": f"{address} {port}"}


def rejoin(desired: Desired, host: Host, master: Mastership, named: frozenset[str]) -> Rejoining:
    """Say what happens with the redis of a host while the cluster is alive.

    A redis that any sentinel names as master is not started: it may come back empty or old, and its replicas would
    copy that. Without a line of the current master in its file it would come back as a writable master.
    """
    if not host.want.redis:
        return Rejoining()
    if not host.redis_stopped:
        return Rejoining(part=not_up(host))
    if host.want.address in named:
        return Rejoining(
            part=wait(say("MasterStopped", host=host.name, address=host.want.address, port=desired.redis_port))
        )
    if not isinstance(master, Confirmed):
        return Rejoining(part=wait(f"redis on {host.name} is stopped; it is started when a master is confirmed"))
    why = f"it is stopped; {master.host} is master, so it comes back as a replica"
    return Rejoining(
        slaveof(master.address, master.port), start_redis(desired, host, Stage.REPLICAS, why, needs=CONFIRMED)
    )


def not_up(host: Host) -> Part:
    """Say why a redis that is not proved to be stopped is no working redis either; empty when it works."""
    fact = host.facts.redis
    if isinstance(fact, Unknown):
        return wait(f"redis on {host.name} could not be read: {fact.message}")
    if isinstance(fact, Known) and isinstance(fact.value, Denied):
        return wait(f"redis on {host.name} does not let the operator in: {fact.value.message}")
    if host.redis is not None:
        return Part()
    unit = host.units.get(host.redis_unit)
    state = unit.active if unit else "not there"
    return wait(f"redis on {host.name} does not listen, but is not stopped either (its unit is {state})")
