"""The hosts of a resource that is deleted with the policy Stop or Uninstall: what is next, and what is left as it is.

All sentinels first, so that none of them elects anybody; then the replicas; then what is master, once its data are on
its disk. What has been done is read from the hosts, so that whoever comes next goes on. Each host that has no more to
do with it (it cannot be read, is another's, something failed there) is left and named, and holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from redis_sentinel_operator.judge.joining import is_claimed
from redis_sentinel_operator.judge.superseded import FAILING_OVER, in_failover
from redis_sentinel_operator.model.departure import SaveData
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Denied, Known, RedisFacts, Unknown
from redis_sentinel_operator.model.step import DisableUnits, Impact, ReleaseClaim, Step, StopUnit
from redis_sentinel_operator.plan.host import Host, readable
from redis_sentinel_operator.plan.part import Stage
from redis_sentinel_operator.plan.uninstall import uninstall, used_by_others

WHY = "the resource was deleted"
_AT_REST = ("inactive", "failed", "unknown", "")


@dataclass(frozen=True, slots=True)
class Departure:
    """What is to be done next; what it waits for; and by host why it is left as it is, with what runs there."""

    steps: tuple[Step, ...] = ()
    waiting: tuple[str, ...] = ()
    left: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Part:
    """What is next on one host: nothing in any of the three is nothing more to do there."""

    steps: tuple[Step, ...] = ()
    waits: str = ""
    left: str = ""


@dataclass(frozen=True, slots=True)
class _Now:
    """`patient`: what could not be read is waited for; `has_master`: a redis that we stop is a master."""

    desired: Desired
    patient: bool
    has_master: bool


def depart(
    desired: Desired, facts: ClusterFacts, owner: str, failed: Mapping[str, str], *, patient: bool = False
) -> Departure:
    """Return what is next on the way out.

    Args:
        desired: the declared cluster with its deletionPolicy, Stop or Uninstall.
        facts: the newest reading.
        owner: what our claim says.
        failed: by host what could not be done there: nothing more is.
        patient: wait for hosts that cannot be read, and for a failover that goes on.
    """
    hosts, left, unread = _ours(desired, facts, owner, failed)
    waiting = [f"{name}: {why}" for name, why in unread.items()] if patient else []
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    failover = in_failover(desired, sentinels, flags=FAILING_OVER)
    waiting += [failover] if patient and failover else []
    if waiting:
        return Departure((), tuple(waiting), {**left, **unread})
    left |= unread
    now = _Now(desired, patient, any(host.redis is not None and host.redis.role == "master" for host in hosts))
    phases: tuple[Callable[[_Now, Host], _Part], ...] = (_sentinel, _replica, _master, _rest)
    for phase in phases:
        parts = {host.name: phase(now, host) for host in hosts if host.name not in left}
        left |= {name: part.left for name, part in parts.items() if part.left}
        steps = tuple(step for part in parts.values() for step in part.steps)
        waits = tuple(part.waits for part in parts.values() if part.waits)
        if steps or waits:
            return Departure(steps, waits, left)
    return Departure(left=left)


def _ours(
    desired: Desired, facts: ClusterFacts, owner: str, failed: Mapping[str, str]
) -> tuple[list[Host], dict[str, str], dict[str, str]]:
    """Return the hosts that we may change, why others are left, and why others could not be read."""
    ours, left, unread = [], dict(failed), {}
    read = {host.name: host for host in readable(desired, facts)[0]}
    for want in desired.hosts:
        host = read.get(want.name)
        if want.name in failed:
            continue
        if host is None:
            fact = facts.hosts[want.name].os if want.name in facts.hosts else Unknown("it was not asked")
            why = fact.message.rstrip(". ") if isinstance(fact, Unknown) else "not all of it could be read"
            unread[want.name] = f"it could not be read ({why})"
        elif is_claimed(host.facts, owner):
            ours.append(host)
        elif host.claim is not None and host.claim.owner:
            left[want.name] = f"it belongs to {host.claim.owner}"
        elif not (_rests(host, sentinel=True) and _rests(host, sentinel=False)):
            left[want.name] = "it does not carry this resource's claim"
    return ours, left, unread


def _rests(host: Host, *, sentinel: bool) -> bool:
    """Whether it is proved that our server does not run: nobody listens, its unit is at rest, and has no process."""
    unit = host.sentinel_unit if sentinel else host.redis_unit
    fact = host.facts.sentinel if sentinel else host.facts.redis
    have = host.units.get(unit)
    at_rest = have is None or have.active in _AT_REST
    return fact == Known(None) and at_rest and not any(each.unit == unit for each in host.processes)


def _silent(now: _Now, host: Host, server: str) -> _Part | None:
    """What becomes of a server that does not say what it is: it is not stopped. None: it does, or there is none."""
    fact = host.facts.sentinel if server == "sentinel" else host.facts.redis
    if isinstance(fact, Known) and not isinstance(fact.value, Denied):
        return None
    said = fact.message if isinstance(fact, Unknown) else getattr(fact.value, "message", "")
    if now.patient and isinstance(fact, Unknown):
        return _Part(waits=f"{host.name}: its {server} could not be asked ({said.rstrip('. ')})")
    return _Part(left=f"its {server} could not be asked ({said.rstrip('. ')}) and runs on")


def _sentinel(now: _Now, host: Host) -> _Part:
    if not host.want.sentinel:
        return _Part()
    watched = host.sentinel.masters if host.sentinel is not None else (now.desired.master_name,)
    if watched != (now.desired.master_name,):
        others = ", ".join(name for name in watched if name != now.desired.master_name)
        return _Part(left=f"its sentinel watches {others or 'nothing of ours'} and runs on, as redis there does")
    return _silent(now, host, "sentinel") or _server(host, sentinel=True)


def _replica(now: _Now, host: Host) -> _Part:
    """Replicas are stopped without another save where a master has the data, which is saved after them."""
    if not host.want.redis or (host.redis is not None and host.redis.role == "master"):
        return _Part()
    first = () if now.has_master or host.redis is None else (_save(now, host, host.redis),)
    return _silent(now, host, "redis") or _server(host, sentinel=False, first=first)


def _master(now: _Now, host: Host) -> _Part:
    if not host.want.redis or host.redis is None or host.redis.role != "master":
        return _Part()
    return _server(host, sentinel=False, first=(_save(now, host, host.redis),))


def _save(now: _Now, host: Host, redis: RedisFacts) -> Step:
    why = f"{WHY}, and this {redis.role} has the data"
    return Step(host.name, "save the data to disk", why, SaveData(now.desired.redis_port), Stage.RESTART)


def _server(host: Host, *, sentinel: bool, first: tuple[Step, ...] = ()) -> _Part:
    """Return the steps that stop a server and keep it from coming back with the machine; `first` before it is stopped.

    It is disabled after what may fail: a redis that runs on because its data are not saved comes back after a boot.
    """
    unit, server = (host.sentinel_unit, "sentinel") if sentinel else (host.redis_unit, "redis")
    facts = host.units.get(unit)
    enabled = (unit,) if facts is not None and facts.enabled.startswith("enabled") else ()
    disable = (Step(host.name, f"disable {unit}", WHY, DisableUnits(enabled), Stage.RESTART),) if enabled else ()
    if _rests(host, sentinel=sentinel):
        return _Part(disable)
    if facts is not None and facts.running:
        impact = Impact.NONE if sentinel else Impact.RESTART
        stop = Step(host.name, f"stop {server} ({unit})", WHY, StopUnit(unit), Stage.RESTART, impact)
        return _Part((*first, *disable, stop))
    if facts is None or facts.active in _AT_REST:
        return _Part(left=f"its {server} was not started by {unit} and runs on: stop it there")
    return _Part(waits=f"{host.name}: {unit} is {facts.active}")


def _rest(now: _Now, host: Host) -> _Part:
    """Everything is stopped: what is left of us goes, the claim last."""
    if now.desired.deletion_policy == "Stop":
        why = f"{WHY}, and its servers are stopped"
        return _Part((Step(host.name, "give up the claim", why, ReleaseClaim(), Stage.RESTART),))
    others = used_by_others(now.desired, host)
    if others:
        return _Part(left=f"ours is stopped there, but nothing is removed: {others}")
    found = uninstall(now.desired, host)
    return _Part(left=found) if isinstance(found, str) else _Part(found)
