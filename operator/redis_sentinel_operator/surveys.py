"""When the hosts are asked at length: when passes have come to rest, at first and after changes, and now and then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from redis_sentinel_operator.answers import as_they_come
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Fact, Known, SurveyFacts
from redis_sentinel_operator.observe import survey
from redis_sentinel_operator.settings import Settings

_SOON = 30.0  # seconds until what is not as it should be is looked at again
_PATIENCE = 5.0  # seconds for an answer until those that are there are used


class Surveys:
    """The last survey of the hosts, and the one that is due."""

    def __init__(self, settings: Settings) -> None:
        self.facts: Mapping[str, Fact[SurveyFacts]] = {}
        self._settings = settings
        self._due = asyncio.Event()
        self._changed = True
        self._members: frozenset[tuple[str, str]] = frozenset()

    def passed(self, desired: Desired, *, changed: bool) -> None:
        """Note a pass: the first that changes nothing after one that did, or with other members, makes a survey due."""
        members = frozenset((host.name, host.address) for host in desired.hosts)
        self._changed |= changed or members != self._members
        self._members = members
        if self._changed and not changed:
            self._changed = False
            self._due.set()

    async def run(
        self, now: Callable[[], tuple[Desired | None, Mapping[str, HostLink]]], wake: Callable[[str], None]
    ) -> None:
        """Ask until cancelled, and wake the loop each time."""
        await self._due.wait()
        while True:
            self._due.clear()
            desired, links = now()
            if desired is not None:
                await self._ask(desired, links, wake)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._due.wait()

    async def _ask(self, desired: Desired, links: Mapping[str, HostLink], wake: Callable[[str], None]) -> None:
        """Take what the hosts say; of one that hangs the last survey stands until it has answered or failed."""
        hosts = {host.name: host for host in desired.hosts if host.name in links}
        self.facts = {name: fact for name, fact in self.facts.items() if name in hosts}
        asked = {name: survey.read(desired, host, links[name], self._settings) for name, host in hosts.items()}
        async for found in as_they_come(asked, _PATIENCE):
            self.facts = {**self.facts, **found}
            wake("the hosts were asked at length")

    def _pause(self) -> float:
        whole = all(isinstance(fact, Known) and not fact.value.unreached for fact in self.facts.values())
        return self._settings.survey_every if whole else min(_SOON, self._settings.survey_every)
