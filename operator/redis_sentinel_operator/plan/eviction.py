"""Whether a memory limit or a policy would make a running redis drop keys that it keeps now."""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.values import size
from redis_sentinel_operator.model.fact import RedisFacts

LIMIT, POLICY = "maxmemory", "maxmemory-policy"


def least(redis: RedisFacts) -> int:
    """Return the lowest limit, in bytes, that leaves room: what is used and a tenth more."""
    return redis.used_memory + redis.used_memory // 10


def evicts(redis: RedisFacts, wanted: Mapping[str, str]) -> str | None:
    """Return which of the two directives would cost keys or refuse writes, None when neither would.

    Only a change counts: memory that grows to a limit that is there already is redis' own matter.
    """
    running = {canonical(name): value for name, value in redis.config.items()}
    now = size(running.get(LIMIT, "0")) or 0
    want = size(wanted.get(LIMIT, str(now))) or 0
    if not want or want >= least(redis):
        return None
    if now == 0 or want < now:
        return LIMIT
    policy = running.get(POLICY, "noeviction")
    return POLICY if _strictness(wanted.get(POLICY, policy)) > _strictness(policy) else None


def _strictness(policy: str) -> int:
    """How many keys a policy may drop: none, those with a time to live, all."""
    return {"volatile": 1, "allkeys": 2}.get(policy.lower().partition("-")[0], 0)
