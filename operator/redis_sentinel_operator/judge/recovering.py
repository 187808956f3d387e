"""When a redis may become master by a person's word: only where the sentinels cannot make one, and nobody is one. Pure.

A person who asks for it accepts what the data of that redis lack. What nobody may accept unseen is a second master: so
each sentinel and each redis is either read and harmless, proved to be stopped, or called down by those who were read,
as it is for a failover of the sentinels' own. What is asked here holds for one reading; the steps ask again.
"""

from __future__ import annotations

from dataclasses import dataclass

from redis_sentinel_operator.judge.master import Redises, Sentinels, facts_of, redis_of, views
from redis_sentinel_operator.judge.superseded import failing_over
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Denied, Known, RedisFacts, SentinelView, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, Verdict


@dataclass(frozen=True, slots=True)
class Reign:
    """The last master that was confirmed: at which address, at which config epoch."""

    address: str
    config_epoch: int


def may_still_fail_over(desired: Desired, sentinels: Sentinels, verdict: Verdict) -> str | None:
    """Return a sentence as long as the sentinels may find a successor by themselves, None when they cannot."""
    if isinstance(verdict.master, Confirmed):
        return f"{verdict.master.host} is the confirmed master, so there is nothing to recover"
    if verdict.master.reason == "MasterDeadNoSuccessor":
        return None
    seconds = 2 * desired.sentinel.failover_timeout / 1000
    seen = views(desired, sentinels)
    if verdict.quorum.reason == "QuorumLost" and seen:
        late = [name for name, view in seen.items() if "s_down" not in view.flags or view.down_for <= seconds * 1000]
        if not late:
            return None
    return (
        f"a failover may still succeed: the sentinels have {seconds:.0f} s from when they call the master down. Ask "
        "again when MasterConfirmed has the reason MasterDeadNoSuccessor, or when QuorumHealthy has had the reason "
        "QuorumLost for that long"
    )


def why_not_start(host: str, last: Reign, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why the stopped master may not be started, None when nobody else was or is being promoted.

    Args:
        host: which host it is.
        last: it as the last confirmed master.
        desired: the declared cluster.
        sentinels: what each sentinel answers.
        redis: what each redis answers; Known(None) is proved not to run.
    """
    reason = _disturbed(desired, sentinels, last) or _others(desired, sentinels, redis, {host})
    if reason:
        return reason
    fact, own = redis.get(host), redis_of(redis, host)
    if own is not None or fact_denies(fact):
        return f"redis on {host} runs{f' as a {own.role}' if own else ''}, so there is nothing to start"
    return None if fact == Known(None) else f"redis on {host} could not be read"


def why_not_promote(host: str, last: Reign, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why a replica may not be made the master in place of the `last`, None when it may.

    One that is a master already was made one by the step before, or by hand.
    """
    own, old = redis_of(redis, host), desired.host_at(last.address)
    dead = {host, old.name if old else host}
    reason = _disturbed(desired, sentinels, last) or _others(desired, sentinels, redis, dead)
    if reason:
        return reason
    if old is not None and old.redis:
        reason = _alive(old, desired, sentinels, redis)
    if reason or own is None:
        return reason or f"redis on {host} could not be read, or does not run"
    if own.role == "master":
        return None
    if own.loading or own.syncing:
        return f"redis on {host} has only a part of the data yet: it is {'loading' if own.loading else 'synchronising'}"
    if own.master_address != last.address:
        return f"redis on {host} follows {own.master_address}, and not the last master"
    return _further(host, own, desired, redis)


def fact_denies(fact: object) -> bool:
    """Whether a redis runs that does not let the operator in."""
    return isinstance(fact, Known) and isinstance(fact.value, Denied)


def _disturbed(desired: Desired, sentinels: Sentinels, last: Reign) -> str | None:
    """What speaks against it by the sentinels: unseen ones that could promote, another name, a failover, tilt."""
    unread = [host.name for host in desired.sentinel_hosts if not _accounted(sentinels, host.name)]
    total = len(desired.sentinel_hosts)
    if total - len(unread) < desired.majority:
        return (
            f"{len(unread)} of {total} declared sentinels could not be read ({', '.join(unread)}), and those may have "
            "made another one master: bring one of them back first"
        )
    for name, view in views(desired, sentinels).items():
        facts = facts_of(sentinels.get(name))
        if facts is not None and facts.tilt:
            return f"the sentinel on {name} is in tilt mode: ask again in half a minute"
        other = {view.address, view.told_address} - {"", last.address}
        if other or view.config_epoch > last.config_epoch:
            return (
                f"the sentinel on {name} names {_name(desired, view.address)} at config epoch {view.config_epoch}, and "
                f"the last confirmed epoch was {last.config_epoch}: the sentinels are switching"
            )
    return failing_over(desired, sentinels)


def _accounted(sentinels: Sentinels, host: str) -> bool:
    """Whether a sentinel was read, or is proved not to run."""
    fact = sentinels.get(host)
    return isinstance(fact, Known) and not isinstance(fact.value, Denied)


def _others(desired: Desired, sentinels: Sentinels, redis: Redises, but: set[str]) -> str | None:
    """What speaks against it by the other servers: one that is master, or that nobody could look at."""
    for host in desired.redis_hosts:
        if host.name in but:
            continue
        fact, facts = redis.get(host.name), redis_of(redis, host.name)
        if facts is not None and facts.role != "slave":
            return f"redis on {host.name} runs as a {facts.role}, so it may be the master: look there first"
        if facts is None and fact != Known(None) and not _gone(host, fact, desired, sentinels):
            return (
                f"redis on {host.name} could not be read, and not every sentinel calls it down: it may be a master, or "
                "have newer data. Bring it back or stop it first"
            )
    return None


def _gone(host: DesiredHost, fact: object, desired: Desired, sentinels: Sentinels) -> bool:
    """Whether a redis that could not be read is down for all sentinels that were."""
    seen = views(desired, sentinels).values()
    rows = [row for view in seen for row in view.replicas if row.address == host.address]
    unread = fact is None or isinstance(fact, Unknown)
    return unread and bool(rows) and all("s_down" in row.flags for row in rows)


def _alive(last: DesiredHost, desired: Desired, sentinels: Sentinels, redis: Redises) -> str | None:
    """Whether the last master may be alive; unread, it is dead where all sentinels that were read call it down."""
    fact, own = redis.get(last.name), redis_of(redis, last.name)
    if fact == Known(None):
        return None
    if own is not None or fact_denies(fact):
        return f"redis on {last.name}, which the sentinels name, runs: stop it first, or let it be the master"
    seen: list[SentinelView] = list(views(desired, sentinels).values())
    if seen and all("s_down" in view.flags for view in seen):
        return None
    return f"redis on {last.name} could not be read, and not every sentinel calls it down: it may still be the master"


def _further(host: str, own: RedisFacts, desired: Desired, redis: Redises) -> str | None:
    """Another replica that has more of the same stream of writes; where streams differ numbers tell nothing."""
    others = [(each.name, facts) for each in desired.redis_hosts if (facts := redis_of(redis, each.name))]
    more = [
        (facts.offset, name)
        for name, facts in others
        if name != host
        and facts.role == "slave"
        and (facts.master_address, facts.replid) == (own.master_address, own.replid)
        and facts.offset > own.offset
    ]
    if not more:
        return None
    offset, name = max(more)
    return f"{name} has {offset - own.offset} bytes more of what the last master wrote than {host}: name {name}"


def _name(desired: Desired, address: str) -> str:
    found = desired.host_at(address)
    return found.name if found else address
