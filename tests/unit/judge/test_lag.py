"""How far replicas are behind, from what their master says."""

from __future__ import annotations

from dataclasses import replace

from redis_sentinel_operator.judge.lag import Lag, lags
from redis_sentinel_operator.model.fact import Known, RedisFacts, ReplicaLink, Unknown
from redis_sentinel_operator.model.verdict import Confirmed, Uncertain
from unit.judge.clusters import ADDRESS, S1, S2, M, alive, desired, facts, master, running

MASTER = Confirmed(M, ADDRESS[M], 6379, 0)


def test_the_lag_is_what_the_master_counts() -> None:
    said = master().value
    assert isinstance(said, RedisFacts)
    links = (
        ReplicaLink(ADDRESS[S1], 6379, 900, 1),
        ReplicaLink(ADDRESS[S2], 6379, 1001, 0),  # acknowledged while ROLE was answered
        ReplicaLink("10.9.9.9", 6379, 1, 99),  # not declared
    )
    seen = replace(alive(M), redis=Known(replace(said, offset=1000, replicas=links)))
    assert lags(desired(), facts(seen, of=alive), MASTER) == {S1: Lag(100, 1), S2: Lag(0, 0)}


def test_without_a_master_that_was_read_there_is_none() -> None:
    assert lags(desired(), running(), Uncertain("x", "x")) == {}
    assert lags(desired(), facts(replace(alive(M), redis=Unknown("x")), of=alive), MASTER) == {}
    assert lags(desired(), facts(replace(alive(M), redis=Known(None)), of=alive), MASTER) == {}
