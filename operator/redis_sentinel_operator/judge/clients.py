"""Who is connected to redis from elsewhere: whom another password concerns, as soon as he connects anew. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import HostFacts, Known

_LOOPBACK = ("127.0.0.1", "::1")
_MOST = 10  # addresses in one sentence


def strangers(desired: Desired, hosts: Mapping[str, HostFacts]) -> str:
    """Return the addresses of no declared host that were connected to redis when the hosts were asked at length.

    Foreign sentinels are told apart (`foreign_sentinels`). "" where there are none.
    """
    known = set(_LOOPBACK) | {host.address for host in desired.hosts} | {host.address for host in desired.gone}
    surveys = [facts.survey.value for facts in hosts.values() if isinstance(facts.survey, Known)]
    found = sorted({address for survey in surveys for address in survey.clients} - known)
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"{', '.join(found[:_MOST])}{more}"
