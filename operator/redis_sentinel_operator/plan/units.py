"""Units: enabled where they are disabled, without starting; started where it is proved that the server is stopped."""

from __future__ import annotations

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import EnableUnits, Need, StartUnit, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CLAIMED, Part, Stage, only, wait


def enable(host: Host) -> Part:
    """Return the step for the wanted units that would not come up with the machine."""
    disabled = tuple(unit for unit in _wanted(host) if _is_disabled(host, unit))
    if not disabled:
        return Part()
    they, are = ("it", "is") if len(disabled) == 1 else ("they", "are")
    why = f"{they} {are} disabled: {they} would stay down when the machine starts"
    return only(Step(host.name, f"enable {', '.join(disabled)}", why, EnableUnits(disabled), Stage.ENABLE))


def start_redis(desired: Desired, host: Host, stage: Stage, why: str, needs: frozenset[Need] = CLAIMED) -> Part:
    """Return the step that starts redis. Who may be started at all is not decided here.

    Not with a redis.conf that is missing or broken: its role line could not be written, and mended by a person a moment
    later it would come up as a second master. What is wrong with the file is told where it is planned.
    """
    conf = host.conf()
    if conf is None or conf.broken:
        return Part()
    if host.redis_path != host.family.redis_conf and host.redis_unit == host.family.redis_unit:
        return _by_hand(host, "redis", host.redis_path)
    action = StartUnit(host.redis_unit, desired.redis_port, sentinel=False, log=host.family.redis_log)
    return _start(host, action, stage, why, needs)


def start_sentinel(desired: Desired, host: Host, why: str) -> Part:
    """Return the step that starts the sentinel."""
    if host.sentinel_path != host.family.sentinel_conf and host.sentinel_unit == host.family.sentinel_unit:
        return _by_hand(host, "the sentinel", host.sentinel_path)
    action = StartUnit(host.sentinel_unit, desired.sentinel_port, sentinel=True, log=host.family.sentinel_log)
    return _start(host, action, Stage.SENTINELS, why, CLAIMED)


def _by_hand(host: Host, server: str, path: str) -> Part:
    return wait(
        f"{server} of {host.name} was started by hand with {path}, and no unit is known that does it: start it again, "
        "or make a unit for it and start that"
    )


def _start(host: Host, action: StartUnit, stage: Stage, why: str, needs: frozenset[Need]) -> Part:
    unit = host.units.get(action.unit)
    server = "sentinel" if action.sentinel else "redis"
    if unit is None or not unit.installed:
        state = unit.load if unit else "not there"
        return wait(f"{server} on {host.name} cannot be started: its unit {action.unit} is {state}")
    return only(Step(host.name, f"start {server} ({action.unit})", why, action, stage, needs=needs))


def _wanted(host: Host) -> tuple[str, ...]:
    """Return the units that are to come up with the machine: not the package's where another file is in use."""
    pairs = (
        (host.want.redis, host.redis_unit, host.redis_unit == host.family.redis_unit, host.redis_path),
        (host.want.sentinel, host.sentinel_unit, host.sentinel_unit == host.family.sentinel_unit, host.sentinel_path),
    )
    packaged = (host.family.redis_conf, host.family.sentinel_conf)
    return tuple(unit for wanted, unit, of_package, path in pairs if wanted and (path in packaged or not of_package))


def _is_disabled(host: Host, unit: str) -> bool:
    have = host.units.get(unit)
    return have is not None and have.installed and have.enabled == "disabled"
