"""When hosts are asked at length: when passes have come to rest, and never by a pass itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest

from redis_sentinel_operator import surveys
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Fact, Known, SurveyFacts, Unreached
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.surveys import Surveys
from unit.judge.clusters import S1, desired


class Asking:
    """Stands for the hosts: counts how often they were asked."""

    def __init__(self) -> None:
        self.count = 0
        self.answer: Mapping[str, Fact[SurveyFacts]] = {S1: Known(SurveyFacts((0.0, 0.0)))}

    async def read(self, *_: object) -> Mapping[str, Fact[SurveyFacts]]:
        self.count += 1
        return self.answer


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    found = Asking()
    monkeypatch.setattr(surveys.survey, "read", found.read)
    return found


async def woken(surveys: Surveys, whole: Desired, *passes: bool, seconds: float = 0.05) -> int:
    """How often the loop is woken after passes that changed something or nothing."""
    wakes: list[str] = []
    task = asyncio.create_task(surveys.run(lambda: (whole, {}), wakes.append))
    for changed in passes:
        surveys.passed(whole, changed=changed)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.sleep(seconds)
    task.cancel()
    return len(wakes)


@pytest.mark.parametrize(
    ("passes", "count"),
    [
        ((), 0),
        ((True, True), 0),
        ((False,), 1),
        ((True, True, False, False, False), 1),
        ((False, True, False, False), 2),
    ],
)
async def test_the_first_pass_that_changes_nothing_makes_one_due(
    asking: Asking, passes: tuple[bool, ...], count: int
) -> None:
    assert await woken(Surveys(Settings()), desired(), *passes) == count
    assert asking.count == count


async def test_other_members_make_one_due(asking: Asking) -> None:
    own = Surveys(Settings())
    assert await woken(own, desired(), False) == 1
    assert await woken(own, desired(), False) == 0
    assert await woken(own, replace(desired(), hosts=desired().hosts[:3]), False) == 1
    assert own.facts == asking.answer


@pytest.mark.parametrize(("every", "more"), [(600.0, False), (0.01, True)])
async def test_and_now_and_then(asking: Asking, every: float, more: bool) -> None:
    count = await woken(Surveys(Settings(survey_every=every)), desired(), False, seconds=0.2)
    assert (count > 1) is more


async def test_what_is_cut_off_is_looked_at_again_sooner(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_SOON", 0.01)
    cut_off = SurveyFacts((0.0, 0.0), unreached=(Unreached("192.168.3.41", 6379, "No route to host"),))
    asking.answer = {S1: Known(cut_off)}
    assert await woken(Surveys(Settings()), desired(), False, seconds=0.2) > 1
