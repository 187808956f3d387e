"""What a pass measures for the metrics."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.judge.measured import measured
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import Plan
from unit.judge.clusters import OWNER, S1, S2, S3, M, alive, desired, facts, running, unreachable


def of(read: ClusterFacts) -> Report:
    return Report(1, read, judge(desired(), read, None, JudgeContext(OWNER, None)), Plan(), (), "")


def test_nothing_before_hosts_were_read() -> None:
    assert measured(None, of(running())) is None
    assert measured(desired(), None) is None
    assert measured(desired(), Report(1, None, None, Plan(), (), "")) is None


def test_a_host_that_was_not_read_is_not_reachable_and_one_that_is_left_out_is_not_told() -> None:
    found = measured(desired(), of(facts(unreachable(S2), of=alive)))
    assert found is not None
    assert found.reachable == {M: True, S1: True, S2: False, S3: True}
    assert set(found.lags) == {S1, S2, S3}
    aside = replace(desired(), hosts=tuple(replace(h, aside="Fenced" if h.name == S2 else "") for h in desired().hosts))
    found = measured(aside, of(facts(unreachable(S2), of=alive)))
    assert found is not None
    assert set(found.reachable) == {M, S1, S3}


def test_a_failover_needs_a_majority_and_the_quorum() -> None:
    for quorum, needed in ((1, 2), (2, 2), (3, 3)):
        found = measured(desired(sentinel=SentinelSettings(quorum)), of(running()))
        assert found is not None
        assert found.sentinels_needed == needed
