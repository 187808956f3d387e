"""Why sentinels find no replica to promote: what they show of each, and what can be done about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from redis_sentinel_operator.judge.master import Sentinels, views
from redis_sentinel_operator.judge.telling import told
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import ReplicaView, SentinelView

_DOWN = frozenset({"s_down", "o_down", "disconnected"})
# A replica may have been without its master for as long as that is down, and for so many times down-after more.
_DOWN_AFTERS = 10

_PRIORITY = "its replica-priority is 0"
_DECLARED = "its replicaPriority is declared as 0"
_AWAY = "the sentinels do not reach it"
_UNLISTED = "no sentinel lists it as a replica"
_UNLINKED = "it was without its master for too long"
_HINTS: Mapping[str, str] = {
    _PRIORITY: "Give one of those with priority 0 another (CONFIG SET slave-priority 100 there).",
    _DECLARED: "Declare another replicaPriority than 0 for one of them (spec.hosts).",
    _AWAY: "Start what is down, or mend its network and the auth-pass of the sentinels.",
    _UNLISTED: "One that is not listed must follow the master first.",
    _UNLINKED: "One that lost its master too early has old data, and is not promoted any more: bring the master back.",
}


def why_none(desired: Desired, sentinels: Sentinels, old: str) -> str:
    """Return sentences that name each replica that may not be promoted, and what to do; "" where none is shown.

    Args:
        desired: the declared cluster.
        sentinels: what each sentinel answered, around the time of the attempt.
        old: the host whose redis was to be replaced.
    """
    address = desired.address_of(old) or old
    seen = [view for view in views(desired, sentinels).values() if address in (view.told_address, view.address)]
    found = {host.name: _why(host, seen) for host in desired.redis_hosts if host.name != old} if seen else {}
    troubles = {name: why for name, why in found.items() if why}
    if not troubles:
        return ""
    hints = [hint for why, hint in _HINTS.items() if why in troubles.values()]
    return " ".join((f"{told(desired, troubles)}.", *hints))


def _why(host: DesiredHost, seen: Iterable[SentinelView]) -> str:
    """Return the first reason, in the order in which a sentinel asks, that any sentinel shows; "" for none."""
    rows = [(view, row) for view in seen for row in view.replicas if row.address == host.address]
    if not rows:
        return _UNLISTED
    if any(row.flags & _DOWN for _, row in rows):
        return _AWAY
    if any(row.priority == 0 for _, row in rows):
        return _DECLARED if host.replica_priority == 0 else _PRIORITY
    return _UNLINKED if any(_too_long(view, row) for view, row in rows) else ""


def _too_long(view: SentinelView, row: ReplicaView) -> bool:
    return row.unlinked_for > view.down_for + _DOWN_AFTERS * view.down_after
