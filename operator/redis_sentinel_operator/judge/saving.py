"""A redis that cannot write its data to disk: told with how full the disk is; a restart would lose the data."""

from __future__ import annotations

from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, Disk, HostFacts, Known, RedisFacts
from redis_sentinel_operator.model.verdict import Finding

_FULL = 1024 * 1024  # bytes free below which nothing is saved any more
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def saving(desired: Desired, facts: ClusterFacts) -> Finding | None:
    """Return the finding for hosts whose redis cannot save: first of all for a master that refuses writes for it."""
    failing: dict[str, str] = {}
    for host in desired.redis_hosts:
        seen = facts.hosts.get(host.name)
        redis = seen.redis.value if seen is not None and isinstance(seen.redis, Known) else None
        if seen is None or not isinstance(redis, RedisFacts):
            continue
        disk = _disk(seen, redis)
        if redis.saved_ok and redis.aof_written_ok and not (disk and disk.free < _FULL):
            continue
        room = _room(disk, redis)
        if redis.role == "master" and refuses_writes(redis):
            return Finding(False, "WritesRefused", say("WritesRefused", host=host.name, detail=room))
        failing[host.name] = room
    if not failing:
        return None
    detail = "; ".join(f"{name}: {room}" for name, room in failing.items())
    return Finding(False, "CannotSave", say("CannotSave", detail=detail))


def refuses_writes(redis: RedisFacts) -> bool:
    """Whether a master with these troubles answers MISCONF to a write."""
    of_dump = redis.config.get("stop-writes-on-bgsave-error") == "yes" and redis.config.get("save") != ""
    return (not redis.saved_ok and of_dump) or (not redis.aof_written_ok and redis.config.get("appendonly") == "yes")


def _disk(host: HostFacts, redis: RedisFacts) -> Disk | None:
    disks = host.machine.value.disks if isinstance(host.machine, Known) else ()
    return next((each for each in disks if each.path == redis.config.get("dir")), None)


def _room(disk: Disk | None, redis: RedisFacts) -> str:
    where = redis.config.get("dir", "")
    return f"{where} has {_size(disk.free)} of {_size(disk.size)} free" if disk else f"{where} cannot be written to"


def _size(count: int) -> str:
    """Return a number of bytes for the eye: `8 MiB`, `1.5 GiB`."""
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size == int(size) else f"{size:.1f} {_UNITS[unit]}"
