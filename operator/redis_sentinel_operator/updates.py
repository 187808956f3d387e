"""Now and then every host's repositories are asked for newer packages, and what they have is told; nothing is done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import OperatorError
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.observe import newer
from redis_sentinel_operator.settings import Settings

log = logging.getLogger(__name__)
_FIRST = 60.0  # seconds after the start: what is urgent goes first


async def ask_now_and_then(
    board: Board, now: Callable[[], tuple[Desired | None, Mapping[str, HostLink]]], settings: Settings
) -> None:
    """Ask until cancelled; only with management Full, as yum keeps a cache of what it is told."""
    delay = min(_FIRST, settings.updates_every)
    while True:
        await asyncio.sleep(delay)
        desired, links = now()
        if desired is not None and desired.management == "Full":
            board.newer(await _ask(desired, links, settings))
            delay = settings.updates_every


async def _ask(desired: Desired, links: Mapping[str, HostLink], settings: Settings) -> Mapping[str, str]:
    """Return what is newer by host name; one host after the other, as a mirror is not to be stormed."""
    found: dict[str, str] = {}
    for host in desired.hosts:
        link = links.get(host.name)
        if link is None or not link.connected:
            continue
        try:
            found[host.name] = await newer.read(host, link, settings)
        except OperatorError as error:
            log.info("%s: its repositories could not be asked for updates: %s", host.name, error)
    return {name: version for name, version in found.items() if version}
