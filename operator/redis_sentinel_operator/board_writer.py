"""The one writer of a document: the latest wins, equal ones are not written, a failed write is repeated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis_sentinel_operator.errors import ObjectReplaced, OperatorError

log = logging.getLogger(__name__)

Document = Mapping[str, Any]


class LatestWriter:
    """Stores whole documents one after the other; what changes during a write is the next write, once.

    `stored` is what the store holds at the start. `write` raises ObjectReplaced when there is nothing to write to any
    more: that ends the writer. Every other failure is repeated after 0.2 s, doubling up to `longest` seconds, with what
    is the latest then.
    """

    def __init__(self, write: Callable[[Document], Awaitable[None]], stored: Document, longest: float = 10.0) -> None:
        self._write = write
        self._stored: Document | None = stored
        self._latest = stored
        self._version = 0  # of the latest document
        self._done = 0  # the version that is stored
        self._longest = longest
        self._changed = asyncio.Event()
        self._settled = asyncio.Condition()
        self._ended: BaseException | None = None

    def put(self, document: Document) -> None:
        """Make it the document that is to be stored; returns at once."""
        self._latest = document
        self._version += 1
        self._changed.set()

    async def run(self) -> None:
        """Write until cancelled.

        Raises:
            ObjectReplaced: the object is gone, or another has its name.
        """
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._store()
        except BaseException as error:
            self._ended = error
            raise
        finally:
            async with self._settled:
                self._settled.notify_all()

    async def flush(self) -> None:
        """Wait until the document of now, or a later one, is stored.

        Raises:
            ObjectReplaced: it never will be.
        """
        wanted = self._version
        async with self._settled:
            await self._settled.wait_for(lambda: self._done >= wanted or self._ended is not None)
        if self._done < wanted:
            raise ObjectReplaced("the status is written no more") from self._ended

    async def _store(self) -> None:
        delay = 0.2
        while self._done < self._version:
            document, version = self._latest, self._version
            if document == self._stored or await self._written(document, delay):
                self._stored, self._done, delay = document, version, 0.2
                async with self._settled:
                    self._settled.notify_all()
                continue
            self._stored = None  # a write that failed may have arrived all the same
            await asyncio.sleep(delay)
            delay = min(2 * delay, self._longest)

    async def _written(self, document: Document, delay: float) -> bool:
        try:
            await self._write(document)
        except ObjectReplaced:
            raise
        except OperatorError as error:
            log.warning("status was not written, again in %.1f s: %s", delay, error)
            return False
        except Exception:
            log.exception("status was not written, again in %.1f s", delay)
            return False
        return True
