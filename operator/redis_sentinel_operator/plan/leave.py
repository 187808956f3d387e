"""Hosts that leave a living cluster: one at a time, sentinel first, then redis, each proved; then they are forgotten.

What has been done is read from the host itself: its units, its processes, its claim. What the others still remember is
read from the sentinels.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.joining import is_claimed
from redis_sentinel_operator.judge.leaving import remembers, servers_known, why_not_reset
from redis_sentinel_operator.judge.master import views
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.step import (
    DisableUnits,
    Impact,
    Need,
    ReleaseClaim,
    SentinelReset,
    Step,
    StopUnit,
)
from redis_sentinel_operator.model.verdict import Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.masters import named_masters
from redis_sentinel_operator.plan.part import Part, Stage, only, together, wait

_CALM = frozenset({Need.CLAIM, Need.CONFIRMED, Need.CALM})
_WHY = "it is not in spec.hosts any more"


def leave(desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, owner: str) -> Part:
    """Return what is to be done so that hosts leave; nothing here is done in transition.

    Those that have left and are remembered come first: only when they are forgotten does the next one leave.
    """
    read = {host.name: host for host in hosts}
    asks = together(_unread(want.name) for want in desired.leaving if want.name not in read)
    named = named_masters(desired, facts, hosts)
    forgetting = _forget(desired, facts)
    if forgetting.steps or forgetting.waiting:
        return forgetting + asks
    for host in (read[want.name] for want in desired.leaving if want.name in read):
        if has_left(desired, host, facts, verdict, owner):
            return asks + wait(f"{host.name} has left")
        part = _one(desired, facts, host, verdict, owner=owner, master=host.want.address in named)
        if part.steps or part.waiting:
            return asks + part
        asks += part
    return asks


def has_left(desired: Desired, host: Host, facts: ClusterFacts, verdict: Verdict, owner: str) -> bool:
    """Whether it is proved that a host has left: stopped, disabled and given up, or never touched by us."""
    if is_claimed(host.facts, owner) or host.want.address in named_masters(desired, facts, [host]):
        return False
    if _at_rest(host):
        return True
    return not servers_known(desired, host.want, facts, verdict)


def _servers(host: Host) -> tuple[tuple[str, str, bool], ...]:
    """Return (server, unit, whether it is proved to be stopped) of what was ours there, in the order to stop it."""
    sentinel = ("sentinel", host.sentinel_unit, host.sentinel_stopped)
    redis = ("redis", host.redis_unit, host.redis_stopped)
    return ((sentinel,) if host.want.sentinel else ()) + ((redis,) if host.want.redis else ())


def _at_rest(host: Host) -> bool:
    return all(stopped and not _enabled(host, unit) for _, unit, stopped in _servers(host))


def _enabled(host: Host, unit: str) -> tuple[str, ...]:
    have = host.units.get(unit)
    return (unit,) if have is not None and have.enabled.startswith("enabled") else ()


def _unread(name: str) -> Part:
    sentence = (
        f"{name} is not in spec.hosts any more and cannot be read, so that nobody can prove that its servers are "
        "stopped: it is Leaving until it answers. If it is gone for good, annotate the resource with "
        f'`redis-sentinel-operator.io/act: "forget-host {name} <time>"`'
    )
    return Part(asks=(sentence,))


def _one(desired: Desired, facts: ClusterFacts, host: Host, verdict: Verdict, *, owner: str, master: bool) -> Part:
    if master:  # also a dead one: what it acknowledged last may be nowhere else
        return _master(host)
    if not is_claimed(host.facts, owner):
        return Part(
            asks=(
                f"{host.name} is to leave, but does not carry this resource's claim and is not touched: stop "
                f"its servers (systemctl disable --now {host.redis_unit} {host.sentinel_unit})",
            )
        )
    if _at_rest(host):
        step = Step(
            host.name, "give up the claim", f"{_WHY}, and its servers are stopped", ReleaseClaim(), Stage.RESTART
        )
        return only(step)
    reason = _not_safe(desired, facts, verdict, host)
    if reason:
        return wait(f"{host.name} leaves when it is safe: {reason.rstrip('. ')}")
    return _stop(host)


def _master(host: Host) -> Part:
    sentence = (
        f"{host.name} is not in spec.hosts any more, but is the master: it leaves when another one is. Annotate the "
        'resource with `redis-sentinel-operator.io/act: "switchover - <time>"`'
    )
    return Part(asks=(sentence,))


def _not_safe(desired: Desired, facts: ClusterFacts, verdict: Verdict, host: Host) -> str | None:
    """Why the servers of a host may not be stopped now: the quorum comes first, and all others must be well."""
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    seen = views(desired, sentinels)
    for name, view in seen.items():
        if view.quorum > desired.sentinel.quorum:
            return f"the quorum of the sentinel on {name} is still {view.quorum}"
        counted = view.num_other_sentinels + 1
        if host.want.sentinel and len(seen) < counted // 2 + 1:
            return (
                f"{len(seen)} sentinels would stay, which is no majority of the {counted} that the one on {name} counts"
            )
    if desired.joining:
        return f"{desired.joining[0].name} is joining"
    return why_not(Need.CALM, host.name, desired, facts, verdict)


def _stop(host: Host) -> Part:
    """Return the steps for the sentinel, and those for redis only when the sentinel is proved to be stopped."""
    for server, unit, stopped in _servers(host):
        enabled = _enabled(host, unit)
        if stopped and not enabled:
            continue
        disabling = Step(host.name, f"disable {unit}", _WHY, DisableUnits(enabled), Stage.RESTART)
        part = only(disabling) if enabled else Part()
        return part if stopped else part + _stopping(host, server, unit)
    return Part()


def _stopping(host: Host, server: str, unit: str) -> Part:
    facts = host.units.get(unit)
    if facts is not None and facts.running:
        impact = Impact.RESTART if server == "redis" else Impact.NONE
        return only(Step(host.name, f"stop {server} ({unit})", _WHY, StopUnit(unit), Stage.RESTART, impact, _CALM))
    if any(process.sentinel is (server == "sentinel") and process.unit != unit for process in host.processes):
        return Part(asks=(f"{host.name} is to leave, but its {server} was started by hand: stop it there",))
    state = facts.active if facts else "not there"
    return wait(f"{host.name} leaves when its {server} is proved to be stopped: its unit {unit} is {state}")


def _forget(desired: Desired, facts: ClusterFacts) -> Part:
    """Return the reset of the first sentinel that remembers a host which has left, or why it waits."""
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    if not desired.gone:
        return Part()
    for name, view in views(desired, sentinels).items():
        kept = remembers(desired, view)
        if not kept:
            continue
        gone = ", ".join(kept)
        reason = why_not_reset(desired, name, sentinels)
        if reason:
            return wait(f"{gone} has left, but the sentinel on {name} still counts it: {reason.rstrip('. ')}")
        action = SentinelReset(desired.master_name, desired.sentinel_port)
        what = f"let the sentinel forget what is gone (SENTINEL RESET {desired.master_name})"
        why = f"{gone} has left and would count as a voter or a replica for ever"
        return only(Step(name, what, why, action, Stage.RESTART, needs=frozenset({Need.CLAIM, Need.CONFIRMED})))
    return Part()


def unforgotten(desired: Desired, cleared: frozenset[str]) -> Part:
    """Return a sentence for the gone hosts of which nobody can tell whether a sentinel remembers them."""
    names = [host.name for host in desired.gone if host.name not in cleared]
    told = f"{', '.join(names)} has left; it is gone from status when every sentinel was seen not to count it"
    return wait(told) if names else Part()
