"""Which of the declared namespaces can be watched: a deleted one, or one without our Role, holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from redis_sentinel_operator.api import GROUP, PLURAL, VERSION
from redis_sentinel_operator.errors import ApiUnavailable, KubeError
from redis_sentinel_operator.kube.client import KubeClient, path_of

_SOON: Final = 2.0  # seconds between two looks while a namespace cannot be watched
_MEND: Final = "make it and the operator's Role in it, or take it out of RSO_NAMESPACES"

log = logging.getLogger(__name__)


class Namespaces:
    """Looks again and again at `names`; what it finds is told to `watch`, when that has changed."""

    def __init__(self, kube: KubeClient, names: Sequence[str], every: float) -> None:
        self._kube = kube
        self._names = names
        self._every = every
        self._told: dict[str, str] = {}

    async def keep(self, watch: Callable[[set[str]], Awaitable[None]]) -> None:
        """Look for ever: every `every` seconds, sooner while something is missing."""
        known: set[str] | None = None
        while True:
            try:
                found = await self.look()
            except ApiUnavailable as error:
                log.debug("namespaces are looked at later: %s", error)
            else:
                if found != known:
                    known = found
                    await watch(set(found))
            await asyncio.sleep(self._every if known == set(self._names) else min(_SOON, self._every))

    async def look(self) -> set[str]:
        """Return the names of those that can be watched; what is wrong with another one is logged once.

        Raises:
            ApiUnavailable: nobody knows now.
        """
        wrong = {name: await self._why_not(name) for name in self._names}
        for name, why in wrong.items():
            if why and why != self._told.get(name):
                log.error("the clusters in namespace %s are not looked after: %s; %s", name, why, _MEND)
            elif self._told.get(name) and not why:
                log.info("the clusters in namespace %s are looked after", name)
        self._told = wrong
        return {name for name, why in wrong.items() if not why}

    async def _why_not(self, name: str) -> str:
        try:
            await self._kube.request("GET", path_of(GROUP, VERSION, PLURAL, name), query={"limit": "1"})
        except KubeError as error:
            return str(error)
        return ""
