"""The sentinels are read for a quick answer: a majority of those that vote is enough, of the others none is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known, SentinelFacts, Unknown
from redis_sentinel_operator.observe import gather
from redis_sentinel_operator.settings import Settings
from unit.plan.scaling import scaled
from unit.plan.world import S1, S2, S3, sees

pytestmark = pytest.mark.looptime
LATE = 0.4  # seconds: more than what is waited for once a majority has answered


async def answers(monkeypatch: pytest.MonkeyPatch, wanted: Desired, late: str) -> set[str]:
    """The hosts whose sentinel was waited for, where one answers late."""

    async def read(_: Desired, link: Any, __: Settings) -> SentinelFacts:
        await asyncio.sleep(LATE if link.name == late else 0)
        found = sees("redis_master01").value
        assert isinstance(found, SentinelFacts)
        return found

    monkeypatch.setattr(gather.sentinel, "read", read)
    links = {host.name: SimpleNamespace(name=host.name) for host in wanted.hosts}
    found = await gather.read_sentinels(wanted, cast(Any, links), Settings())
    assert all(isinstance(fact, Known | Unknown) for fact in found.values())
    return {name for name, fact in found.items() if isinstance(fact, Known)}


async def test_the_answer_of_one_that_joins_is_none_of_the_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scaled("Joining").majority == 2
    assert await answers(monkeypatch, scaled("Joining"), S2) == {S1, S2, S3}


async def test_one_that_votes_is_not_waited_for_when_a_majority_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await answers(monkeypatch, scaled("Member"), S2) == {S1, S3}


async def test_one_that_leaves_is_asked_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await answers(monkeypatch, scaled("Leaving"), S3) == {S1, S2}
    assert await answers(monkeypatch, scaled("Leaving"), "nobody") == {S1, S2, S3}
