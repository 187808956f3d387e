"""Now and then every host's repositories are asked for newer packages, and what they have is told; nothing is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping

from redis_sentinel_operator.answers import as_they_come
from redis_sentinel_operator.board import Board
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import OperatorError
from redis_sentinel_operator.model.desired import Desired, DesiredHost
from redis_sentinel_operator.observe import newer
from redis_sentinel_operator.settings import Settings

log = logging.getLogger(__name__)
_FIRST = 60.0  # seconds after the start: what is urgent goes first
_AT_ONCE = 4  # hosts
_PATIENCE = 30.0  # seconds for an answer until those that are there are told


async def ask_now_and_then(
    board: Board, now: Callable[[], tuple[Desired | None, Mapping[str, HostLink]]], settings: Settings
) -> None:
    """Ask until cancelled; only with management Full, as yum keeps a cache of what it is told."""
    delay, newest = min(_FIRST, settings.updates_every), dict[str, str]()
    while True:
        await asyncio.sleep(delay)
        desired, links = now()
        if desired is not None and desired.management == "Full":
            async for found in _answers(desired, links, settings):
                newest |= found
                board.newer({name: version for name, version in newest.items() if version})
            delay = settings.updates_every


def _answers(desired: Desired, links: Mapping[str, HostLink], settings: Settings) -> AsyncIterator[Mapping[str, str]]:
    """Ask each host for what is newer, "" where nothing is known; few at a time, as a mirror is not to be stormed."""
    few = asyncio.Semaphore(_AT_ONCE)

    async def ask(host: DesiredHost, link: HostLink) -> str:
        async with few:
            try:
                return await newer.read(host, link, settings)
            except OperatorError as error:
                log.info(
                    "%s: its repositories could not be asked for updates: %s", host.name, error,
                    extra={"host": host.name},
                )  # fmt: skip
                return ""

    reached = ((host, links.get(host.name)) for host in desired.hosts)
    asked = {host.name: ask(host, link) for host, link in reached if link is not None and link.connected}
    return as_they_come(asked, _PATIENCE)
