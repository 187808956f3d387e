"""When hosts are asked at length: when passes have come to rest, and never by a pass itself; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from redis_sentinel_operator import surveys
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.model.fact import Fact, Known, SurveyFacts, Unreached
from redis_sentinel_operator.settings import Settings
from redis_sentinel_operator.surveys import Surveys
from unit.judge.clusters import S1, S2, desired

pytestmark = pytest.mark.looptime


class Asking:
    """Stands for the hosts: counts how often they were asked, and has one of them hang."""

    def __init__(self) -> None:
        self.count = 0
        self.answer: Fact[SurveyFacts] = Known(SurveyFacts((0.0, 0.0)))
        self.hangs = ""
        self.resumed = asyncio.Event()

    async def read(self, _: Desired, host: DesiredHost, *__: object) -> Fact[SurveyFacts]:
        if host.name == S1:
            self.count += 1
        if host.name == self.hangs:
            await self.resumed.wait()
        return self.answer


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    found = Asking()
    monkeypatch.setattr(surveys.survey, "read", found.read)
    return found


async def woken(surveys: Surveys, whole: Desired, *passes: bool, seconds: float = 0.05) -> int:
    """How often the loop is woken after passes that changed something or nothing."""
    wakes: list[str] = []
    links = {host.name: cast(HostLink, host) for host in whole.hosts}
    task = asyncio.create_task(surveys.run(lambda: (whole, links), wakes.append))
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
    assert own.facts == {host.name: asking.answer for host in desired().hosts[:3]}


@pytest.mark.parametrize(("every", "more"), [(600.0, False), (0.01, True)])
async def test_and_now_and_then(asking: Asking, every: float, more: bool) -> None:
    count = await woken(Surveys(Settings(survey_every=every)), desired(), False, seconds=0.2)
    assert (count > 1) is more


async def test_what_is_cut_off_is_looked_at_again_sooner(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_SOON", 0.01)
    cut_off = SurveyFacts((0.0, 0.0), unreached=(Unreached("192.168.3.41", 6379, "No route to host"),))
    asking.answer = Known(cut_off)
    assert await woken(Surveys(Settings()), desired(), False, seconds=0.2) > 1


async def test_a_host_that_hangs_keeps_back_no_other_host(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "_PATIENCE", 0.01)
    own, others = Surveys(Settings()), {host.name for host in desired().hosts} - {S2}
    assert await woken(own, desired(), False) == 1
    before = own.facts[S2]
    asking.hangs, asking.answer = S2, Known(SurveyFacts((1.0, 1.0)))
    assert await woken(own, desired(), True, False) == 1
    assert {name: own.facts[name] for name in others} == dict.fromkeys(others, asking.answer)
    assert own.facts[S2] is before, "what it said last stands until it says something else"
    asking.resumed.set()
    assert await woken(own, desired(), True, False) == 1
    assert own.facts[S2] is asking.answer
