"""What is written down of a host because it could not be found out again, and the proof that redis keeps its role."""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.judge.aside import NOTE, rebooted
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import ProveRewrite, RememberNotes, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CONFIRMED, Part, Stage, only


def seen(host: Host) -> Part:
    """Return the step that writes down which units and files of a person's own the servers run with."""
    notes = {name: value for name, value in _notes(host).items() if value}
    if host.claim is None or notes == host.notes:
        return Part()
    if NOTE in host.notes and NOTE not in notes:
        since = "; it was booted meanwhile" if rebooted(host.facts) else ""
        why = f"spec.maintenanceHosts does not name it any more{since}"
        return only(Step(host.name, "write down that it is looked after again", why, RememberNotes(notes), Stage.FILES))
    own = ", ".join(sorted(set(notes.values()) - set(host.notes.values()))) or "the package's"
    what = f"write down what the servers run with: {own}"
    why = "once it is stopped, nobody could tell"
    return only(Step(host.name, what, why, RememberNotes(notes), Stage.FILES))


def proof(desired: Desired, host: Host) -> Part:
    """Return the step that proves once that redis can rewrite its file: else a role would not outlive a restart.

    Sentinel has a redis rewrite its file at every switch, and nobody hears where it cannot.
    """
    redis, path = host.redis, host.redis_path
    unclaimed = host.claim is None and desired.management == "Full"
    if unclaimed or redis is None or redis.loading or host.notes.get("rewritten") == path:
        return Part()
    action = ProveRewrite(path, desired.redis_port, {**host.notes, "rewritten": path})
    why = "a new role must outlive a restart; asked once"
    step = Step(host.name, f"let redis rewrite {path} (CONFIG REWRITE)", why, action, Stage.ENABLE, needs=CONFIRMED)
    return only(step)


def _notes(host: Host) -> Mapping[str, str | None]:
    found: dict[str, str | None] = dict(host.notes)
    if host.want.aside != "Maintenance":
        found.pop(NOTE, None)
    if host.redis is not None and host.unit_of(host.redis) is not None:
        found["redisUnit"] = _other(host.redis_unit, host.family.redis_unit)
        found["redisFile"] = _other(host.redis_path, host.family.redis_conf)
    if host.sentinel is not None and host.unit_of(host.sentinel) is not None:
        found["sentinelUnit"] = _other(host.sentinel_unit, host.family.sentinel_unit)
        found["sentinelFile"] = _other(host.sentinel_path, host.family.sentinel_conf)
    return found


def _other(have: str, of_package: str) -> str | None:
    return have if have != of_package else None
