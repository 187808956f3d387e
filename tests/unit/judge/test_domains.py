"""What one failure domain takes with it: told where the cluster cannot do without, unless it is meant so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.judge.domains import shared, spread
from redis_sentinel_operator.judge.findings import preflight
from redis_sentinel_operator.model.desired import Desired
from unit.judge.clusters import S1, S2, S3, M, alive, desired, facts


def placed(*domains: str, sentinels: tuple[bool, ...] = (False, True, True, True)) -> Desired:
    """The seed's hosts in failure domains, "" for none."""
    hosts = zip(desired().hosts, domains, sentinels, strict=True)
    return replace(desired(), hosts=tuple(replace(host, failure_domain=at, sentinel=on) for host, at, on in hosts))


MAJORITY = "without a 1 of 3 sentinels are left, and no failover comes ({})"


@pytest.mark.parametrize(
    ("cluster", "told", "matters"),
    [
        (placed("", "", "", ""), "", False),
        (placed("a", "b", "c", "d"), "", True),
        (placed("a", "a", "b", ""), "", True),
        (placed("a", "", "", ""), "", True),
        (placed("b", "a", "a", "b"), MAJORITY.format(f"{S1} and {S2}"), True),
        (placed("b", "a", "", "a"), MAJORITY.format(f"{S1} and {S3}"), True),
        (
            placed("a", "a", "a", "a"),
            f"without a 0 of 3 sentinels are left, and no failover comes ({S1}, {S2} and {S3}); every redis is in a",
            False,
        ),
        (
            placed("a", "a", "b", "b", sentinels=(True, True, True, True)),
            f"without a 2 of 4 sentinels are left, and no failover comes ({M} and {S1}); "
            f"without b 2 of 4 sentinels are left, and no failover comes ({S2} and {S3})",
            True,
        ),
        (placed("", "a", "", "", sentinels=(False, True, False, False)), "", True),
    ],
)
def test_what_a_domain_takes_with_it(cluster: Desired, told: str, matters: bool) -> None:
    assert shared(cluster) == told
    assert spread(cluster) is matters


def test_where_a_majority_is_left_nothing_is_told() -> None:
    whole = placed("a", "a", "b", "b", sentinels=(True, True, True, True))
    fifth = replace(whole.hosts[0], name="fifth", address="192.168.3.45", failure_domain="c")
    assert shared(replace(whole, hosts=(*whole.hosts, fifth))) == ""


def test_one_redis_alone_is_not_told_of() -> None:
    whole = placed("a", "a", "b", "c")
    assert shared(replace(whole, hosts=tuple(replace(host, redis=host.name == M) for host in whole.hosts))) == ""


def test_it_is_told_before_the_first_change_and_kept_from_nothing() -> None:
    found = preflight(placed("b", "a", "a", "b"), facts(of=alive))
    assert (found.ok, found.reason) == (False, "SharedFailureDomain")
    assert found.message == (
        f"One failure domain takes too much with it: {MAJORITY.format(f'{S1} and {S2}')}. The operator goes on as "
        "declared. Move hosts, or add a sentinel elsewhere; or say that it is meant so with "
        "spec.unsafe.sharedFailureDomain: true."
    )
    meant = replace(placed("b", "a", "a", "b"), shared_failure_domain=True)
    assert preflight(meant, facts(of=alive)).reason == "PreflightPassed"
