"""A host that does not answer keeps no pass waiting; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from redis_sentinel_operator.model.fact import HostFacts, Known, OsFacts, Unknown
from redis_sentinel_operator.observe.late import Late, Reading

pytestmark = pytest.mark.looptime
GONE = Unknown("host c cannot be reached")
NEVER = 10.0  # the probe's own deadline


@dataclass
class Hosts:
    """Hosts that answer after so many seconds; one that takes NEVER is not read.

    Those in `hanging` have answered over SSH after 0.1 s and wait for a server: they end with that when it is time.
    """

    takes: dict[str, float]
    hanging: set[str] = field(default_factory=set)
    back: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.late = Late(2.0, self.back.append)

    async def collect(self) -> tuple[float, dict[str, HostFacts | Unknown]]:
        """One pass: how long it took, and what it found."""
        began = asyncio.get_running_loop().time()
        found = await self.late.collect({name: self._reading(name) for name in self.takes})
        return asyncio.get_running_loop().time() - began, found

    def _reading(self, name: str) -> Callable[[asyncio.Event], Reading]:
        async def read(time_is_up: asyncio.Event) -> HostFacts:
            self.begun.append(name)
            seconds = self.takes[name]
            if name in self.hanging:
                with suppress(TimeoutError):
                    await asyncio.wait_for(time_is_up.wait(), seconds)
                return facts(name, Known(OsFacts("centos", "7")))
            await asyncio.sleep(seconds)
            return facts(name, GONE if seconds >= NEVER else Known(OsFacts("centos", "7")))

        return read


def facts(name: str, os: Known[OsFacts] | Unknown) -> HostFacts:
    nothing = Unknown("not asked")
    return HostFacts(name, "192.168.3.41", os, *(nothing,) * 10)


def unread(found: dict[str, HostFacts | Unknown]) -> dict[str, str]:
    return {name: each.message for name, each in found.items() if isinstance(each, Unknown)}


async def test_hosts_that_answer_are_all_waited_for() -> None:
    hosts = Hosts({"a": 0.1, "b": 0.2, "c": 1.9})
    took, found = await hosts.collect()
    assert took == pytest.approx(1.9)
    assert unread(found) == {}


async def test_one_that_hangs_is_waited_for_once_and_briefly_and_then_not_at_all() -> None:
    hosts = Hosts({"a": 0.1, "b": 0.2, "c": NEVER})
    took, found = await hosts.collect()
    assert took == pytest.approx(2.45)
    assert unread(found) == {"c": "c has not answered in 2 s after others had; it is read on"}
    took, found = await hosts.collect()
    assert took == pytest.approx(0.2)
    assert unread(found) == {"c": "c has not answered in 2 s after others had; it is read on"}
    await asyncio.sleep(NEVER)
    took, found = await hosts.collect()
    assert took == pytest.approx(0.7)
    assert unread(found) == {"c": GONE.message}
    assert (hosts.begun.count("c"), hosts.back) == (2, [])
    await hosts.late.close()


async def test_one_that_answers_again_is_told_and_waited_for_again() -> None:
    hosts = Hosts({"a": 0.1, "c": NEVER})
    await hosts.collect()
    await asyncio.sleep(NEVER)
    hosts.takes["c"] = 1.0
    assert unread((await hosts.collect())[1]) == {"c": GONE.message}
    await asyncio.sleep(1.0)
    assert hosts.back == ["c"]
    took, found = await hosts.collect()
    assert (took, unread(found)) == (pytest.approx(1.0), {})


async def test_one_that_is_always_slow_is_given_the_time_that_it_takes() -> None:
    hosts = Hosts({"a": 0.1, "c": 4.0})
    assert [*unread((await hosts.collect())[1])] == ["c"]
    await asyncio.sleep(4.0)
    assert hosts.back == ["c"]
    for _ in range(3):
        took, found = await hosts.collect()
        assert (took, unread(found)) == (pytest.approx(4.0), {})


async def test_one_of_which_only_a_server_hangs_tells_what_it_knows_each_time() -> None:
    hosts = Hosts({"a": 0.1, "b": 0.2, "c": 3.0}, hanging={"c"})
    for _ in range(3):
        took, found = await hosts.collect()
        assert (took, unread(found)) == (pytest.approx(2.2), {})
    assert (hosts.begun.count("c"), hosts.back) == (3, [])
    hosts.hanging.clear()
    assert [*unread((await hosts.collect())[1])] == ["c"], "what was cut short is not how long it takes"


async def test_where_nobody_answers_all_have_their_own_deadlines() -> None:
    hosts = Hosts({"a": NEVER, "c": NEVER + 1})
    took, found = await hosts.collect()
    assert took == pytest.approx(NEVER + 1)
    assert unread(found) == {}
    assert {name: each.os for name, each in found.items() if isinstance(each, HostFacts)} == {"a": GONE, "c": GONE}


@pytest.mark.parametrize("ends", ["close", "cancel"])
async def test_nothing_goes_on_after_the_end(ends: str) -> None:
    hosts = Hosts({"a": 0.1, "c": NEVER})
    if ends == "cancel":
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hosts.collect(), 1.0)
    else:
        await hosts.collect()
    await hosts.late.close()
    await asyncio.sleep(0)
    assert _readings(asyncio.all_tasks()) == []


def _readings(tasks: Iterable[asyncio.Task[object]]) -> list[str]:
    return [task.get_name() for task in tasks if task.get_name().startswith("reading")]


async def test_one_that_ends_in_the_middle_of_a_later_pass_is_not_part_of_it() -> None:
    hosts = Hosts({"a": 0.1, "c": NEVER})
    await hosts.collect()
    hosts.takes["a"] = NEVER + 1
    _, found = await hosts.collect()
    assert "c" in unread(found)
