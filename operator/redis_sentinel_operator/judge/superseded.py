"""A redis that is not what the sentinels made of the cluster: when it may be pointed to the confirmed master. Pure.

Sentinels do that too, but only with those they know, and with a master that came back after some ten seconds in which
it takes writes that are lost. What is asked here holds for one reading; the step that acts on it asks again.
"""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.judge.master import Redises, Sentinels, mastership, redis_of, views, views_of_others
from redis_sentinel_operator.judge.signs import transition_signs, undivided
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Process, RedisFacts
from redis_sentinel_operator.model.step import MakeReplica
from redis_sentinel_operator.model.verdict import Confirmed, Uncertain, Verdict

FAILING_OVER = frozenset({"failover_in_progress", "force_failover"})
SWITCHING = FAILING_OVER | {"o_down"}
ASK_AGAIN = "ask again when that is over"  # what a person who asked is told
_WHOLE = 1.0  # a redis counts only whole seconds of its uptime
_EXACT = 0.05  # what may be wrong with the age of its process, in hundredths of a second as it is
_AT_ONCE = 0.5  # seconds between the two answers, of redis and of its host, to one reading


def in_failover(desired: Desired, sentinels: Sentinels, but: str = "", flags: frozenset[str] = SWITCHING) -> str | None:
    """Return a sentence for a sentinel that shows one of the flags, None when none does; `but` is left out."""
    shown = [(name, view.flags & flags) for name, view in views(desired, sentinels).items()]
    shown += [(name, view.flags & FAILING_OVER) for name, view in views_of_others(desired, sentinels).items()]
    for name, found in shown:
        if name != but and found:
            return f"the sentinel on {name} is in a failover ({', '.join(sorted(found))})"
    return None


def failing_over(desired: Desired, sentinels: Sentinels) -> str | None:
    """Return a sentence for a person whose act a failover stands against, None when there is none."""
    failover = in_failover(desired, sentinels, flags=FAILING_OVER)
    return failover and f"{failover}: {ASK_AGAIN}"


def not_superseded(
    desired: Desired,
    host: str,
    redis: RedisFacts,
    sentinels: Sentinels,
    verdict: Verdict,
    *,
    processes: Sequence[Process] = (),
) -> str | None:
    """Return a sentence why a second master may not be made a replica at once, None when it may.

    Args:
        desired: the declared cluster.
        host: whose redis it is.
        redis: what it says.
        sentinels: what each sentinel answered; all but that of the host itself must have.
        verdict: who is master, and since when.
        processes: those of the host, as far as they are known.
    """
    if isinstance(verdict.master, Uncertain):
        return verdict.master.message
    if _runs_for(redis, processes) > verdict.master_for:
        return f"it did not start after {verdict.master.host} became master"
    return _still_in_use(desired, host, redis, sentinels)


def _runs_for(redis: RedisFacts, processes: Sequence[Process]) -> float:
    """Return for how long a redis runs at most, in seconds.

    The age of its process is finer than what it says itself, but believed only where both agree: in a container either
    may be counted from another moment.
    """
    most = redis.uptime + _WHOLE
    age = next((each.age for each in processes if each.pid == redis.process_id and not each.sentinel), None)
    if age is None or not redis.uptime - _AT_ONCE <= age <= most + _AT_ONCE:
        return most
    return age + _EXACT


def _still_in_use(desired: Desired, host: str, redis: RedisFacts, sentinels: Sentinels) -> str | None:
    if redis.role != "master":
        return "it is no master"
    if redis.replicas:
        return f"it has replicas: {', '.join(each.address for each in redis.replicas)}"
    address = desired.address_of(host)
    for name, view in views(desired, sentinels).items():
        if address in (view.address, view.told_address):
            return f"the sentinel on {name} names it"
    signs = transition_signs(desired, sentinels, but=host)
    if signs:
        return signs[0]
    if not undivided(desired, sentinels, but=host):
        return "not every declared sentinel answers and names the same master"
    return in_failover(desired, sentinels)


def changed_since(action: MakeReplica, host: str, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why a planned step may not be done any more, None when all it was planned on still holds.

    Args:
        action: what was planned.
        host: whose redis it changes.
        desired: the declared cluster.
        sentinels: what each sentinel answers now.
        redis: what the redis of the host and that of the master answer now.
    """
    master = mastership(desired, sentinels, redis, None)
    if not isinstance(master, Confirmed):
        return master.message
    if (master.address, master.port, master.config_epoch) != (action.address, action.port, action.config_epoch):
        return f"{master.host} is master at config epoch {master.config_epoch} by now"
    own = redis_of(redis, host)
    if own is None or own.run_id != action.run_id:
        return "it was restarted meanwhile"
    if own.role != action.was:
        return f"its role is {own.role} by now"
    if action.was == "master":
        return _still_in_use(desired, host, own, sentinels)
    return in_failover(desired, sentinels)
