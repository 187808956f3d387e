"""What hosts share their fate with: whether one rack or hypervisor takes the majority of the sentinels, or all data.

A host without a failureDomain is alone. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from redis_sentinel_operator.judge.telling import listed
from redis_sentinel_operator.model.desired import Desired, DesiredHost


def shared(desired: Desired) -> str:
    """Return phrases for what one failure domain takes with it that the cluster cannot do without, "" for nothing."""
    return "; ".join((*_sentinels(desired), *_redis(desired)))


def spread(desired: Desired) -> bool:
    """Whether redis runs in several failure domains, so that it matters where the next master is."""
    return len({host.failure_domain for host in desired.redis_hosts}) > 1


def _sentinels(desired: Desired) -> Iterator[str]:
    """Where those of one domain are gone, the others are no majority, so that nobody may fail over."""
    total = len(desired.sentinel_hosts)
    for domain, number in _counted(desired.sentinel_hosts):
        if number > 1 and total - number < desired.majority:
            names = listed([host.name for host in desired.sentinel_hosts if host.failure_domain == domain])
            yield f"without {domain} {total - number} of {total} sentinels are left, and no failover comes ({names})"


def _redis(desired: Desired) -> Iterator[str]:
    for domain, number in _counted(desired.redis_hosts):
        if 1 < number == len(desired.redis_hosts):
            yield f"every redis is in {domain}"


def _counted(hosts: Iterable[DesiredHost]) -> list[tuple[str, int]]:
    return [(domain, number) for domain, number in Counter(host.failure_domain for host in hosts).items() if domain]
