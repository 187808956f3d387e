"""Which replica has the most of what a dead master wrote, for whoever has to say which is to be master. Pure."""

from __future__ import annotations

from redis_sentinel_operator.judge.master import Redises, redis_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import RedisFacts


def proposal(desired: Desired, last: str, redis: Redises) -> str:
    """Return the sentence that proposes one, or that says why numbers do not tell; "" where no replica was read.

    Offsets count the bytes of one stream of writes: those of replicas that followed the same master, by its
    replication id where they tell it (from Redis 4 on).
    """
    read = {host.name: facts for host in desired.redis_hosts if (facts := redis_of(redis, host.name))}
    known = {name: facts for name, facts in read.items() if _has_followed(facts, last)}
    if not known:
        return ""
    if len({facts.replid for facts in known.values()}) > 1:
        return (
            f"Their offsets cannot be compared, as the replication ids differ ({', '.join(known)}): look which one has "
            "the newest data."
        )
    best = max(known, key=lambda name: known[name].offset)
    if known[best].offset <= 0:  # before 4.0 a replica that was started anew has forgotten it
        return ""
    unread = [
        host.name for host in desired.redis_hosts if host.name not in read and host.address != last and not host.aside
    ]
    more = f" (not read: {', '.join(unread)})" if unread else ""
    return (
        f"Of the replicas that were read {best} has the most of its data, at offset {known[best].offset}{more}: "
        f"`recover {best}`."
    )


def _has_followed(facts: RedisFacts, last: str) -> bool:
    """Whether it is a whole copy of what the last master wrote up to some moment."""
    return facts.role == "slave" and facts.master_address == last and not facts.loading and not facts.syncing
