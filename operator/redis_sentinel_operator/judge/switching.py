"""What must hold at the very moment of a planned switch; asked of a reading that was made for it. Pure."""

from __future__ import annotations

from redis_sentinel_operator.judge.master import Redises, Sentinels, mastership, redis_of, views
from redis_sentinel_operator.judge.restoring import disagreed
from redis_sentinel_operator.judge.signs import transition_signs, undivided
from redis_sentinel_operator.judge.superseded import FAILING_OVER, in_failover
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.operation import AskFailover, Demote, Fence
from redis_sentinel_operator.model.verdict import Confirmed


def why_not_ask(action: AskFailover, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why no sentinel may be asked for the failover, None when all still holds.

    Args:
        action: what was planned.
        desired: the declared cluster.
        sentinels: what each sentinel answers now.
        redis: what the master and then the replica answer now, so that the replica's offset is the later one.
    """
    reason = _not_calm(action.master, action.config_epoch, desired, sentinels, redis)
    return reason or _open(action.fence, redis, action.master) or behind(action.fence.replica, action.master, redis)


def why_not_stop(host: str, config_epoch: int, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why the master on a host may not be stopped, None when all agree and each replica follows."""
    reason = _not_calm(host, config_epoch, desired, sentinels, redis)
    if reason:
        return reason
    others = (each.name for each in desired.redis_hosts if each.name != host)
    return next((f"{name} is no replica with its link up" for name in others if not _follows(redis, name)), None)


def why_not_start_again(
    host: str, config_epoch: int, desired: Desired, sentinels: Sentinels, redis: Redises
) -> str | None:
    """Return a sentence why a master that we stopped may not be started as such again.

    None only where nobody can have been promoted: every sentinel answers, names it at the epoch that it was stopped at
    and runs no failover, and every other redis answers as a replica or is proved not to run.
    """
    reason = disagreed(desired, sentinels, host) or in_failover(desired, sentinels, flags=FAILING_OVER)
    if reason:
        return reason
    if {view.config_epoch for view in views(desired, sentinels).values()} != {config_epoch}:
        return "the sentinels are at another config epoch by now"
    for each in desired.every_redis:
        fact, facts = redis.get(each.name), redis_of(redis, each.name)
        if facts is not None and (each.name == host or facts.role != "slave"):
            return f"redis on {each.name} runs as a {facts.role}"
        if facts is None and fact != Known(None):
            return f"redis on {each.name} could not be read"
    return None


def behind(replica: str, master: str, redis: Redises) -> str | None:
    """Return a sentence as long as a replica does not have all that its master wrote, None when it has."""
    mine, its = redis_of(redis, replica), redis_of(redis, master)
    if mine is None or its is None:
        return f"redis on {replica if mine is None else master} does not answer"
    if not _follows(redis, replica):
        return f"{replica} is no replica with its link up"
    if mine.offset < its.offset:
        return f"{replica} has not yet received the last {its.offset - mine.offset} bytes that {master} wrote"
    return None


def _follows(redis: Redises, replica: str) -> bool:
    mine = redis_of(redis, replica)
    return mine is not None and mine.role == "slave" and mine.link == "up" and not mine.syncing


def _not_calm(host: str, config_epoch: int, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence unless all sentinels name the host as before, and none is at work."""
    master = mastership(desired, sentinels, redis, None)
    if not isinstance(master, Confirmed):
        return master.message
    if (master.host, master.config_epoch) != (host, config_epoch):
        return f"{master.host} is master at config epoch {master.config_epoch} by now"
    signs = transition_signs(desired, sentinels)
    if signs:
        return signs[0]
    return None if undivided(desired, sentinels) else "not every declared sentinel answers and names the same master"


def _open(fence: Fence, redis: Redises, master: str) -> str | None:
    """Whether writes are let in again: the host opens a fence by itself. A pause is begun anew right before."""
    found = redis_of(redis, master)
    if found is None:
        return f"redis on {master} does not answer"
    wrong = [name for name, value in fence.values.items() if found.config.get(name) != value]
    return f"{master} takes writes again ({', '.join(wrong)})" if wrong else None


def why_not_demote(action: Demote, host: str, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why the old master may not be made a replica, None when the sentinels have left it."""
    master = mastership(desired, sentinels, redis, None)
    if not isinstance(master, Confirmed):
        return master.message
    if (master.address, master.port, master.config_epoch) != (action.address, action.port, action.config_epoch):
        return f"{master.host} is master at config epoch {master.config_epoch} by now"
    own = redis_of(redis, host)
    if own is None or own.role != "master":
        return "it is no master any more"
    return None
