"""A step that does not end, or fails, holds up no other host; in virtual time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import EnableUnits, Impact, Need, Step
from redis_sentinel_operator.rounds import NOT_OURS, Round, Rounds
from redis_sentinel_operator.settings import Settings

pytestmark = pytest.mark.looptime


def step(host: str, what: str = "one", *, stage: int = 0, calm: bool = False, impact: Impact = Impact.NONE) -> Step:
    needs = frozenset({Need.CLAIM, Need.CALM}) if calm else frozenset({Need.CLAIM})
    return Step(host, what, "why", EnableUnits(("redis",)), stage, impact, needs)


@dataclass
class Hosts:
    """Hosts on which steps, by host and what, take so many seconds, fail, or may not be begun."""

    takes: dict[tuple[str, str], float] = field(default_factory=dict)
    fails: set[tuple[str, str]] = field(default_factory=set)
    forbidden: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    done: list[tuple[str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rounds = Rounds(Settings(step_patience=5.0, backoff_min=1.0, backoff_max=60.0), self.ended.append)

    async def run(self, *steps: Step, apart: bool = True) -> tuple[float, Round]:
        """One pass: how long it took, and what came of it."""
        began = now()
        found = await self.rounds.run(steps, self._may_not, self._do, apart=apart)
        return now() - began, found

    async def _may_not(self, step: Step) -> str | None:
        return self.forbidden.get(step.host)

    async def _do(self, step: Step) -> StepResult:
        key = (step.host, step.what)
        await asyncio.sleep(self.takes.get(key, 0.1))
        self.done.append(key)
        return StepResult(step, key not in self.fails, "it says no", 0.1, self.reason)


def now() -> float:
    return asyncio.get_running_loop().time()


def told(found: Round) -> list[tuple[str, str, bool]]:
    return [(each.step.host, each.step.what, each.ok) for each in found.results]


async def test_a_step_that_does_not_end_is_waited_for_once_and_briefly() -> None:
    hosts = Hosts(takes={("a", "one"): 65.0})
    took, found = await hosts.run(step("a"), step("a", "two"), step("b"), step("b", "two"))
    assert took == pytest.approx(5.0)
    assert told(found) == [("b", "one", True), ("b", "two", True)]
    assert found.under_way == (
        "a: one has not ended yet; nothing else is begun there, and the others go on without it",
    )
    took, found = await hosts.run(step("a"), step("b", "three"), step("c"))
    assert took == pytest.approx(0.1)
    assert told(found) == [("b", "three", True), ("c", "one", True)]
    assert found.under_way and not found.halted


async def test_once_it_has_ended_a_pass_is_asked_for_and_its_round_begins_nothing_more() -> None:
    hosts = Hosts(takes={("a", "one"): 65.0})
    await hosts.run(step("a"), step("a", "two"))
    assert hosts.ended == []
    await asyncio.sleep(61.0)
    assert hosts.ended == ["a step on a has ended"]
    assert hosts.done == [("a", "one")]
    _, found = await hosts.run(step("a", "two"))
    assert told(found) == [("a", "two", True)] and not found.under_way


async def test_long_steps_of_a_host_one_after_the_other_are_waited_for() -> None:
    hosts = Hosts(takes={("a", "one"): 4.0, ("a", "two"): 4.0})
    took, found = await hosts.run(step("a"), step("a", "two"))
    assert took == pytest.approx(8.0)
    assert len(found.results) == 2 and not found.under_way


async def test_a_failure_that_no_pass_waited_for_is_told_and_tried_again_after_a_pause() -> None:
    hosts = Hosts(takes={("a", "one"): 65.0}, fails={("a", "one")})
    await hosts.run(step("a"))
    await asyncio.sleep(60.5)
    _, found = await hosts.run(step("a"), step("b"))
    assert [result.step.host for result in found.standing] == ["a"]
    assert told(found) == [("b", "one", True)]
    await asyncio.sleep(1.0)
    hosts.takes.clear()
    _, found = await hosts.run(step("a"))
    assert told(found) == [("a", "one", False)]


async def test_while_one_has_not_ended_nothing_that_needs_calm_is_begun() -> None:
    hosts = Hosts(takes={("a", "one"): 65.0})
    await hosts.run(step("a"))
    _, found = await hosts.run(step("b", impact=Impact.RESTART, calm=True))
    assert told(found) == [] and found.halted.startswith("a: one has not ended yet")
    await asyncio.sleep(61.0)
    _, found = await hosts.run(step("b", impact=Impact.RESTART, calm=True))
    assert told(found) == [("b", "one", True)]


async def test_where_nothing_lives_nothing_is_begun_beside_a_step_that_has_not_ended() -> None:
    hosts = Hosts(takes={("a", "one"): 65.0})
    await hosts.run(step("a"))
    _, found = await hosts.run(step("b"), apart=False)
    assert told(found) == [] and found.halted.startswith("a: one has not ended yet")


async def test_a_host_where_a_step_fails_is_left_alone_longer_and_longer_and_the_others_go_on() -> None:
    hosts = Hosts(fails={("a", "one")})
    _, found = await hosts.run(step("a"), step("a", "two"), step("b"))
    assert told(found) == [("a", "one", False), ("b", "one", True)] and not found.halted
    pauses = [found.retry_in]
    for _ in range(7):
        _, found = await hosts.run(step("a"), step("b"))
        assert told(found) == [("b", "one", True)]
        assert [result.message for result in found.standing] == ["it says no"]
        await asyncio.sleep(found.retry_in)
        _, found = await hosts.run(step("a"))
        pauses.append(found.retry_in)
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60])


async def test_what_happens_meanwhile_lets_it_be_tried_again_at_once() -> None:
    hosts = Hosts(fails={("a", "one")})
    await hosts.run(step("a"))
    hosts.rounds.retry()
    _, found = await hosts.run(step("a"))
    assert told(found) == [("a", "one", False)]
    assert found.retry_in == pytest.approx(2.0), "and its pauses grow on"


async def test_what_is_planned_no_more_is_no_failure_any_more() -> None:
    hosts = Hosts(fails={("a", "one")})
    await hosts.run(step("a"))
    _, found = await hosts.run(step("b"))
    assert found.standing == ()


async def test_a_host_that_is_through_begins_with_short_pauses_again() -> None:
    hosts = Hosts(fails={("a", "one")})
    for _ in range(3):
        hosts.rounds.retry()
        await hosts.run(step("a"))
    hosts.rounds.retry()
    await hosts.run(step("a", "two"))
    _, found = await hosts.run(step("a"))
    assert found.retry_in == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("impact", "reason", "apart"),
    [(Impact.RESTART, "", True), (Impact.NONE, NOT_OURS, True), (Impact.NONE, "", False)],
    ids=["it restarts something", "another's host", "nothing lives yet"],
)
async def test_some_failures_end_the_round(impact: Impact, reason: str, apart: bool) -> None:
    hosts = Hosts(fails={("a", "one")}, reason=reason)
    _, found = await hosts.run(step("a", impact=impact), step("b"), step("b", "two"), apart=apart)
    assert ("b", "two") not in hosts.done
    assert found.halted == "it says no"


async def test_stages_follow_each_other_only_where_nothing_lives() -> None:
    hosts = Hosts(takes={("a", "one"): 3.0})
    await hosts.run(step("a"), step("b", "later", stage=1), apart=False)
    assert hosts.done == [("a", "one"), ("b", "later")]
    hosts.done.clear()
    await hosts.run(step("a"), step("b", "later", stage=1))
    assert hosts.done == [("b", "later"), ("a", "one")]


async def test_what_may_not_be_begun_ends_the_round() -> None:
    hosts = Hosts(forbidden={"b": "a failover"})
    _, found = await hosts.run(step("a"), step("a", "two"), step("b"))
    assert found.halted == "a failover" and told(found) == [("a", "one", True)]


async def test_what_is_due_and_may_not_be_begun_asks_for_no_pass_at_once() -> None:
    hosts = Hosts(fails={("a", "one")})
    await hosts.run(step("a"))
    hosts.rounds.retry()
    hosts.forbidden["a"] = "a failover"
    _, found = await hosts.run(step("a"))
    assert (found.halted, found.retry_in) == ("a failover", Settings().waiting_poll)


async def test_the_end_of_a_cluster_ends_what_goes_on() -> None:
    hosts = Hosts(takes={("a", "one"): 65.0})
    await hosts.run(step("a"))
    await hosts.rounds.close()
    assert hosts.done == [] and hosts.ended == []
