"""Units: enabled where they are disabled, without starting; started where it is proved that the server is stopped."""

from __future__ import annotations

from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import EnableUnit, Need, StartUnit, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CLAIMED, Part, Stage, only, together, wait


def enable(host: Host) -> Part:
    """Return a step for each wanted unit that would not come up with the machine."""
    return together(_enable(host, unit) for unit in _wanted(host))


def start_redis(desired: Desired, host: Host, stage: Stage, why: str, needs: frozenset[Need] = CLAIMED) -> Part:
    """Return the step that starts redis. Who may be started at all is not decided here.

    Not with a redis.conf that is missing or broken: its role line could not be written, and mended by a person a moment
    later it would come up as a second master. What is wrong with the file is told where it is planned.
    """
    file = host.redis_conf
    if file is None or parse(file.text).broken:
        return Part()
    action = StartUnit(host.family.redis_unit, desired.redis_port, sentinel=False, log=host.family.redis_log)
    return _start(host, action, stage, why, needs)


def start_sentinel(desired: Desired, host: Host, why: str) -> Part:
    """Return the step that starts the sentinel."""
    action = StartUnit(host.family.sentinel_unit, desired.sentinel_port, sentinel=True, log=host.family.sentinel_log)
    return _start(host, action, Stage.SENTINELS, why, CLAIMED)


def _start(host: Host, action: StartUnit, stage: Stage, why: str, needs: frozenset[Need]) -> Part:
    unit = host.units.get(action.unit)
    server = "sentinel" if action.sentinel else "redis"
    if unit is None or not unit.installed:
        state = unit.load if unit else "not there"
        return wait(f"{server} on {host.name} cannot be started: its unit {action.unit} is {state}")
    return only(Step(host.name, f"start {server} ({action.unit})", why, action, stage, needs=needs))


def _wanted(host: Host) -> tuple[str, ...]:
    redis = (host.family.redis_unit,) if host.want.redis else ()
    sentinel = (host.family.sentinel_unit,) if host.want.sentinel else ()
    return redis + sentinel


def _enable(host: Host, unit: str) -> Part:
    have = host.units.get(unit)
    if have is None or not have.installed or have.enabled != "disabled":
        return Part()
    why = "it is disabled: it would stay down when the machine starts"
    return only(Step(host.name, f"enable {unit}", why, EnableUnit(unit), Stage.ENABLE))
