"""A sentinel that watches the wrong master and stays with it: which one it is, and when it may be told anew. Pure.

Sentinels follow each other by messages that go through the servers they watch, and only to a higher config epoch. So
one that names another master at the same epoch stays with it, and so does one that hears none of the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from redis_sentinel_operator.judge.master import Redises, Sentinels, absences, facts_of, redis_of, views
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.superseded import ASK_AGAIN, FAILING_OVER, failing_over
from redis_sentinel_operator.judge.telling import listed, mended
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known, SentinelView
from redis_sentinel_operator.model.verdict import Finding

_AT_WORK = FAILING_OVER | {"s_down", "o_down"}


@dataclass(frozen=True, slots=True)
class Agreed:
    """What a majority of the declared sentinels names at one config epoch, and the hosts of those."""

    address: str
    port: int
    config_epoch: int
    hosts: tuple[str, ...]


def agreed(desired: Desired, sentinels: Sentinels) -> Agreed | None:
    """Return what a majority names, None where there is none."""
    ballot = {name: _named(view) for name, view in views(desired, sentinels).items()}
    for (address, port, epoch), votes in Counter(ballot.values()).most_common(1):
        if votes >= desired.majority:
            hosts = tuple(name for name, vote in ballot.items() if vote == (address, port, epoch))
            return Agreed(address, port, epoch, hosts)
    return None


def _named(view: SentinelView) -> tuple[str, int, int]:
    return view.address, view.port, view.config_epoch


def stale(desired: Desired, sentinels: Sentinels) -> tuple[str, ...]:
    """Return the hosts whose sentinel is not with the majority, and not ahead of it; or watches no master at all."""
    right = agreed(desired, sentinels)
    if right is None:
        return ()
    seen = views(desired, sentinels)
    behind = {
        name for name, view in seen.items() if name not in right.hosts and view.config_epoch <= right.config_epoch
    }
    idle = {host.name for host in desired.sentinel_hosts if _watches_nothing(sentinels, host.name)}
    return tuple(host.name for host in desired.sentinel_hosts if host.name in behind | idle)


def _watches_nothing(sentinels: Sentinels, host: str) -> bool:
    facts = facts_of(sentinels.get(host))
    return facts is not None and facts.view is None and not facts.masters


def wrong(desired: Desired, host: str, sentinels: Sentinels) -> str:
    """Return a clause for what a stale sentinel watches."""
    view = views(desired, sentinels).get(host)
    if view is None:
        return f"the sentinel on {host} watches no master"
    return f"the sentinel on {host} names {_name(desired, view.address)} at config epoch {view.config_epoch}"


def told(desired: Desired, sentinels: Sentinels) -> Finding | None:
    """Return what is said of the quorum where sentinels are stale, None where none is."""
    right, hosts = agreed(desired, sentinels), stale(desired, sentinels)
    if right is None or not hosts:
        return None
    message = say(
        "SentinelStale",
        working=len(right.hosts),
        sentinels=len(desired.sentinel_hosts),
        master=_name(desired, right.address),
        epoch=right.config_epoch,
        detail=listed([wrong(desired, host, sentinels) for host in hosts]),
        then=mended(desired),
    )
    return Finding(True, "SentinelStale", message)


def why_not_monitor(desired: Desired, host: str, sentinels: Sentinels, redis: Redises) -> str | None:
    """Return a sentence why the sentinel of a host may not be told anew who is master, None when it may.

    It begins at epoch 0 then, and takes what the first of the others tells it: so all must be there to be looked at.
    """
    if desired.joining:
        return f"{desired.joining[0].name} is joining"
    right = agreed(desired, sentinels)
    if right is None:
        return "no majority of the declared sentinels names one master at one config epoch"
    if host not in stale(desired, sentinels):
        return f"the sentinel on {host} names what the others name"
    return (
        _not_whole(desired, host, sentinels)
        or _at_work(desired, right, sentinels)
        or _not_master(desired, right, redis)
        or _second(desired, host, right, sentinels, redis)
    )


def _not_whole(desired: Desired, host: str, sentinels: Sentinels) -> str | None:
    """A sentinel that is not seen, or is ahead of the majority: what it brings is not known."""
    missing = [each for each in absences(desired, sentinels) if not each.startswith(f"{host}: ")]
    if missing:
        return f"{missing[0]}; one that is away could bring an old master back, so all must answer: bring it back first"
    seen, right = views(desired, sentinels), agreed(desired, sentinels)
    for name, view in seen.items():
        if right is not None and view.config_epoch > right.config_epoch:
            return (
                f"the sentinel on {name} is at config epoch {view.config_epoch}, above the {right.config_epoch} of the "
                f"majority, so {_name(desired, view.address)} may be the newest master: look at its ROLE first"
            )
    return None


def _at_work(desired: Desired, right: Agreed, sentinels: Sentinels) -> str | None:
    for name, view in views(desired, sentinels).items():
        facts = facts_of(sentinels.get(name))
        if facts is not None and facts.tilt:
            return f"the sentinel on {name} is in tilt mode: ask again in half a minute"
        shown = view.flags & _AT_WORK
        if name in right.hosts and shown:
            return f"the sentinel on {name} is at work on the master ({', '.join(sorted(shown))}): {ASK_AGAIN}"
    return failing_over(desired, sentinels)


def _not_master(desired: Desired, right: Agreed, redis: Redises) -> str | None:
    host = desired.host_at(right.address)
    own = redis_of(redis, host.name) if host is not None else None
    if host is None or not host.redis or right.port != desired.redis_port:
        return f"the majority names {right.address}:{right.port}, which is no redis of spec.hosts"
    if own is None:
        return f"redis on {host.name}, which the majority names, could not be read"
    return (
        None
        if own.role == "master"
        else f"redis on {host.name}, which the majority names, says that it is a {own.role}"
    )


def _second(desired: Desired, host: str, right: Agreed, sentinels: Sentinels, redis: Redises) -> str | None:
    """Another master, or where epochs are equal one that could not be looked at."""
    view = views(desired, sentinels).get(host)
    equal = view is not None and view.config_epoch == right.config_epoch
    for each in desired.every_redis:
        own, fact = redis_of(redis, each.name), redis.get(each.name)
        if each.address == right.address:
            continue
        if own is not None and own.role == "master":
            return f"redis on {each.name} is a master too: make it a replica, or let it be the master, first"
        if equal and own is None and fact != Known(None):
            return (
                f"redis on {each.name} could not be read, and at equal config epochs it may be the master: bring it "
                "back or stop it first"
            )
    return None


def _name(desired: Desired, address: str) -> str:
    found = desired.host_at(address)
    return found.name if found else address or "nobody"
