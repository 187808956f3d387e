"""Hosts that are to do nothing: stopped once and left alone (maintenance), or kept from starting (fenced).

What is done is told by the host itself: its servers, the note in its claim, the drop-ins of the fence. A host that is
named gets no other step, whatever is wrong there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from redis_sentinel_operator.judge.aside import NOTE, entered, field_of, is_silent, note_of
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Known, Process, Unknown
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.step import Impact, Need, RememberNotes, Step, StopUnit
from redis_sentinel_operator.model.verdict import Confirmed, Verdict
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, wait
from redis_sentinel_operator.plan.seen import seen

_NEEDS = (Need.CLAIM, Need.CONFIRMED, Need.SPARE, Need.CALM)
_AT_REST = ("inactive", "failed", "unknown", "")


@dataclass(frozen=True, slots=True)
class _Now:
    desired: Desired
    facts: ClusterFacts
    verdict: Verdict


def set_aside(
    desired: Desired, facts: ClusterFacts, hosts: Sequence[Host], verdict: Verdict, fenced: frozenset[str]
) -> Part:
    """Return what stops the hosts that are to do nothing, one host at a time, and what it waits for.

    Args:
        desired: the declared cluster.
        facts: the newest reading.
        hosts: those that were read and are ours.
        verdict: what the judge says of it.
        fenced: the hosts that were seen to be fenced: one of them may be away.
    """
    now, whole = _Now(desired, facts, verdict), Part(waiting=tuple(_unproved(desired, hosts, fenced)))
    for host in hosts:
        if not host.want.aside:
            continue
        part = _left_alone(now, host) if host.want.aside == "Maintenance" else _fenced(now, host)
        stops = any(step.impact for step in whole.steps) and any(step.impact for step in part.steps)
        whole += Part() if stops else part
    return whole


def free(host: Host) -> Part:
    """Return the step that takes our fence away."""
    held = _held(host)
    if not held:
        return Part()
    what = f"let {', '.join(held)} start again"
    return only(Step(host.name, what, f"spec.fencedHosts does not name {host.name}", FreeUnits(held), Stage.FILES))


def _held(host: Host) -> tuple[str, ...]:
    machine = host.facts.machine
    return tuple(sorted(machine.value.held)) if isinstance(machine, Known) else ()


def _unproved(desired: Desired, hosts: Sequence[Host], fenced: frozenset[str]) -> Iterable[str]:
    """Say of which hosts it is not known whether anything runs there, though it must not."""
    read = {host.name for host in hosts if isinstance(host.facts.machine, Known)}
    for want in desired.hosts:
        if want.aside == "Fenced" and want.name not in read | fenced:
            yield (
                f"{field_of(want)} names {want.name}, which could not be read, so it is not known whether redis runs "
                "there: it is fenced as soon as it can be; until then switch the machine off if redis must not run"
            )


def _left_alone(now: _Now, host: Host) -> Part:
    if _held(host):
        return free(host)
    if entered(host.facts):
        return Part()
    running = tuple(unit for unit in _units(now, host) if _runs(now, host, unit))
    if is_silent(host.want, host.facts) and not running:
        what, why = "write down that it is left alone", f"{field_of(host.want)} names it, and it is stopped"
        notes = RememberNotes({**host.notes, NOTE: note_of(host.facts)})
        return only(Step(host.name, what, why, notes, Stage.FILES))
    if not running:
        return _not_proved(now, host)
    steps = tuple(_step(host, f"stop {unit}", StopUnit(unit)) for unit in running)
    return _if_spared(now, host, seen(host) + only(*steps))


def _fenced(now: _Now, host: Host) -> Part:
    units, held = _units(now, host), _held(host)
    if not isinstance(host.facts.machine, Known):
        return Part()  # said of those that are not known to be fenced
    if any(unit not in held or _runs(now, host, unit) for unit in units):
        step = _step(host, f"stop {', '.join(units)} and keep them from starting", HoldUnits(units))
        notes = Part() if held else seen(host)  # a unit that somebody made behind the fence is not the one to start
        return _if_spared(now, host, notes + only(step))
    return Part() if is_silent(host.want, host.facts) else _not_proved(now, host)


def _not_proved(now: _Now, host: Host) -> Part:
    """Say why a host does not rest though none of its units runs."""
    pids = ", ".join(str(each.pid) for each in _servers(now, host) if not each.unit)
    if pids:
        return wait(
            f"{field_of(host.want)} names {host.name}, but somebody started redis or sentinel there by hand (process "
            f"{pids}): end it there (SHUTDOWN), as the operator stops units only"
        )
    unknown = next((each for each in (host.facts.redis, host.facts.sentinel) if isinstance(each, Unknown)), None)
    said = f": {unknown.message.rstrip('. ')}" if unknown else ""
    return wait(f"{field_of(host.want)} names {host.name}, but it is not proved that nothing runs there{said}")


def _step(host: Host, what: str, action: StopUnit | HoldUnits) -> Step:
    why = f"{field_of(host.want)} names it"
    return Step(host.name, what, why, action, Stage.RESTART, Impact.RESTART, frozenset(_NEEDS))


def _if_spared(now: _Now, host: Host, part: Part) -> Part:
    """Return it where the cluster can do without the host now; a master is replaced by a procedure before."""
    master = now.verdict.master
    if isinstance(master, Confirmed) and master.host == host.name:
        if now.desired.management == "Full":
            return Part()
        return wait(f"{host.name} is the master and {field_of(host.want)} names it: another becomes master first")
    reasons = (why_not(need, host.name, now.desired, now.facts, now.verdict) for need in _NEEDS)
    reason = next((reason for reason in reasons if reason), None)
    if reason is None:
        return part
    return wait(f"{field_of(host.want)} names {host.name}, which is not stopped: {reason.rstrip('. ')}")


def _units(now: _Now, host: Host) -> tuple[str, ...]:
    """Return the units that start the host's servers: those they run with, and the package's that run nothing else."""
    servers = _servers(now, host)
    of_others = {each.unit for each in host.processes} - {each.unit for each in servers}
    of_redis = (host.redis_unit, host.family.redis_unit) if host.want.redis else ()
    of_sentinel = (host.sentinel_unit, host.family.sentinel_unit) if host.want.sentinel else ()
    units = (*of_redis, *of_sentinel, *(each.unit for each in servers))
    return tuple(dict.fromkeys(unit for unit in units if unit and unit not in of_others))


def _servers(now: _Now, host: Host) -> tuple[Process, ...]:
    """Return the processes of the host's own servers: those that are not known to listen at other ports only."""
    ports: dict[int, set[int]] = {}
    for each in host.facts.listeners.value if isinstance(host.facts.listeners, Known) else ():
        ports.setdefault(each.pid, set()).add(each.port)
    ours = {now.desired.redis_port, now.desired.sentinel_port}
    return tuple(
        each
        for each in host.processes
        if (host.want.sentinel if each.sentinel else host.want.redis) and ours & ports.get(each.pid, ours)
    )


def _runs(now: _Now, host: Host, unit: str) -> bool:
    found = host.units.get(unit)
    return any(each.unit == unit for each in _servers(now, host)) or (
        found is not None and found.active not in _AT_REST
    )
