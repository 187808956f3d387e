"""A master that was started as a replica: whether its sentinels will switch, and if not, whether it may be it again.

Sentinels call a master down that has said for `down-after` + 20 s that it is a replica, and promote one whose link was
not down for longer than that state lasts plus ten times `down-after` (sentinelSelectSlave). A redis that was in touch
with no master since it was started says, at 3.2 and 5.0, that its link is down since 1970, so it is never promoted; 6.2
says -1, which is taken for short. A play that restarts all at once makes all of them such: they follow each other
in a ring, none has a master, and every attempt ends with -failover-abort-no-good-slave.

To give the master its role back elects nobody: all sentinels name it, at one epoch, it is the last that was confirmed,
and no other can become it. Nothing acknowledged is lost by that: it wrote its dump as it was stopped, was in touch with
nobody since, and has what it was stopped with. Where any of this is not proved a person decides, who knows which data
are to stay. What is asked here holds for one reading; the step that acts on it asks again. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from redis_sentinel_operator.judge.master import Redises, Sentinels, facts_of, redis_of, views
from redis_sentinel_operator.judge.signs import undivided
from redis_sentinel_operator.judge.superseded import FAILING_OVER, in_failover
from redis_sentinel_operator.judge.telling import listed
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts, DataFile, Known, RedisFacts
from redis_sentinel_operator.model.step import RestoreMaster
from redis_sentinel_operator.model.verdict import MasterRecord

_NEVER = 10**9  # seconds; a link that is down for longer was never up
_CALM = 5  # seconds in which a play that restarts all hosts has restarted them, and in which a reader sees what is told
_ROUNDED = 2  # seconds; a redis' uptime and the age of a file are read one after the other, and rounded
_STOPPING = 5  # seconds from the end of a dump to the start of the next process
_INFO_PERIOD = 10  # seconds between two readings of a server by a sentinel


@dataclass(frozen=True, slots=True)
class Outlook:
    """What becomes of it: a sentence, whether the operator makes it master again, and whether it does so now."""

    sentence: str
    restores: bool = False
    now: bool = False


def outlook(desired: Desired, facts: ClusterFacts, host: str, last: MasterRecord | None, told_for: float) -> Outlook:
    """Say how a cluster whose master was started as a replica gets a master again.

    Args:
        desired: the declared cluster.
        facts: one reading of its hosts.
        host: the one that the sentinels name.
        last: status.master.
        told_for: seconds since status says that it is not to be used: what is done has been told before.
    """
    sentinels = {name: each.sentinel for name, each in facts.hosts.items()}
    redis = {name: each.redis for name, each in facts.hosts.items()}
    able = _promotable(desired, redis, host)
    if able:
        seconds = f"{desired.sentinel.down_after / 1000 + 2 * _INFO_PERIOD:.0f}"
        return Outlook(
            f"The operator changes no role: {listed(able)} can be promoted, so the sentinels switch by themselves when "
            f"their master has called itself a replica for {seconds} s."
        )
    refused = _not_by_hand(desired, last, host) or _not_now(desired, sentinels, redis, host)
    refused = refused or _not_its_data(host, redis_of(redis, host), _files(facts, host))
    cannot = "The sentinels cannot switch, as no replica was in touch with a master since it was started"
    if refused:
        return Outlook(
            f"{cannot}, and the operator chooses no master here: {refused}. Send `SLAVEOF NO ONE` to the redis whose "
            f"data are to stay: that of {host}, which the sentinels name, unless you know better; the others follow."
        )
    calm = told_for >= _CALM and all(each.uptime >= _CALM for _, each in _running(desired, redis))
    return Outlook(
        f"{cannot}. {host} still has all it was stopped with as master, so the operator makes it the master again that "
        "all sentinels name.",
        restores=True,
        now=calm,
    )


def changed_since(
    action: RestoreMaster, host: str, desired: Desired, sentinels: Sentinels, redis: Redises
) -> str | None:
    """Return a sentence why a planned step may not be done any more, None when all it was planned on still holds."""
    own = redis_of(redis, host)
    if own is None or own.run_id != action.run_id:
        return "it was restarted meanwhile"
    able = _promotable(desired, redis, host)
    if able:
        return f"{listed(able)} can be promoted by the sentinels"
    epochs = {view.config_epoch for view in views(desired, sentinels).values()}
    if epochs != {action.config_epoch}:
        return "the sentinels are at another config epoch by now"
    return _not_now(desired, sentinels, redis, host)


def _promotable(desired: Desired, redis: Redises, but: str) -> list[str]:
    """Return the hosts whose redis the sentinels may promote, or that somebody promoted, by the rule of sentinel."""
    return [
        name
        for name, each in _running(desired, redis)
        if name != but
        and (each.role == "master" or (each.config.get("slave-priority") != "0" and each.link_down < _NEVER))
    ]


def _running(desired: Desired, redis: Redises) -> Iterator[tuple[str, RedisFacts]]:
    for host in desired.every_redis:
        facts = redis_of(redis, host.name)
        if facts is not None:
            yield host.name, facts


def _files(facts: ClusterFacts, host: str) -> tuple[DataFile, ...]:
    data = facts.hosts[host].data
    return data.value if isinstance(data, Known) else ()


def _not_by_hand(desired: Desired, last: MasterRecord | None, host: str) -> str | None:
    """What speaks against it that does not change from one moment to the next."""
    if desired.management != "Full":
        return f"management is {desired.management}"
    if last is None or last.host != host or last.address != desired.address_of(host):
        return f"{host} is not the last master that was confirmed"
    return None


def _not_now(desired: Desired, sentinels: Sentinels, redis: Redises, host: str) -> str | None:
    """What speaks against it by the answers of the sentinels and of every redis."""
    return (
        disagreed(desired, sentinels, host)
        or in_failover(desired, sentinels, flags=FAILING_OVER)
        or next((f"redis on {name} {why}" for name, why in _not_alone(desired, redis)), None)
        or _not_untouched(host, redis_of(redis, host))
    )


def disagreed(desired: Desired, sentinels: Sentinels, host: str) -> str | None:
    """Return a sentence unless every declared sentinel answers, names this host, and knows of no other redis."""
    if not undivided(desired, sentinels, whole=True):
        return "not every declared sentinel answers and names the same master"
    known = {each.address for each in desired.every_redis}
    for name, view in views(desired, sentinels).items():
        facts = facts_of(sentinels.get(name))
        if facts is None or facts.tilt:
            return f"the sentinel on {name} is in tilt mode"
        if {view.address, view.told_address} != {desired.address_of(host)}:
            return f"the sentinel on {name} names another"
        others = [each.address for each in view.replicas if each.address not in known and "s_down" not in each.flags]
        if others:
            return f"the sentinel on {name} knows a replica that is not declared ({', '.join(others)})"
    return None


def _not_alone(desired: Desired, redis: Redises) -> Iterator[tuple[str, str]]:
    """Each redis that may have a master or be one; one that does not run has none."""
    for host in desired.every_redis:
        fact, facts = redis.get(host.name), redis_of(redis, host.name)
        if facts is None and fact != Known(None):
            yield host.name, "could not be read"
        elif facts is not None and facts.loading:
            yield host.name, "is loading its data"
        elif facts is not None and (facts.role != "slave" or facts.link == "up" or facts.syncing):
            yield host.name, "is in touch with a master"


def _not_untouched(host: str, own: RedisFacts | None) -> str | None:
    if own is not None and 0 <= own.link_down < _NEVER:
        return f"{host} was in touch with another redis since, and may have the data of that one"
    return None


def _not_its_data(host: str, own: RedisFacts | None, files: tuple[DataFile, ...]) -> str | None:
    """Whether it is not proved that it has what it was stopped with: its dump was written right before its start."""
    if own is None or own.config.get("appendonly") != "no":
        return f"{host} keeps an append-only file, which does not tell whether it is the newest"
    path = f"{own.config.get('dir', '').rstrip('/')}/{own.config.get('dbfilename', '')}"
    age = next((each.age for each in files if each.path == path), None)
    if age is None:
        return f"the dump of {host}, {path}, was not found"
    if not own.uptime - _ROUNDED <= age <= own.uptime + _STOPPING:
        return f"the dump of {host}, {path}, was not written as it was stopped, so what came later is not in it"
    return None
