"""The one writer of a document: the latest wins, equal ones are not written, a failed write is repeated."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from redis_sentinel_operator.errors import ObjectReplaced, OperatorError

log = logging.getLogger(__name__)

Document = Mapping[str, Any]
NO_HURRY = 0.5  # seconds that what a switch of the master may follow at once is not written
_OF_A_SWITCH = frozenset({"+promoted-slave", "+switch-master"})


def patience_for(channel: str) -> float:
    """Return the seconds that the writing of a sentinel's message may wait.

    Of those that tell of a switch until the readings that they lead to have told who is master: they come within a
    fraction of a second. What begins or ends a failover is written at once.
    """
    return NO_HURRY if channel in _OF_A_SWITCH else 0.0


class LatestWriter:
    """Stores whole documents one after the other; what changes during a write is the next write, once.

    `stored` is what the store holds at the start. `write` raises ObjectReplaced when there is nothing to write to any
    more: that ends the writer. Every other failure is repeated after 0.2 s, doubling up to `longest` seconds, with what
    is the latest then. `what` names the document in the log.
    """

    def __init__(
        self,
        write: Callable[[Document], Awaitable[None]],
        stored: Document,
        longest: float = 10.0,
        what: str = "status",
    ) -> None:
        self._write = write
        self._what = what
        self._stored: Document | None = stored
        self._latest = stored
        self._version = 0  # of the latest document
        self._taken = 0  # the version that was written last, or is just being written
        self._done = 0  # the version that is stored
        self._patience = 0.0  # seconds that what came after `_taken` may wait
        self._longest = longest
        self._changed = asyncio.Event()
        self._settled = asyncio.Condition()
        self._ended: BaseException | None = None

    def put(self, document: Document, patience: float = 0.0) -> None:
        """Make it the document that is to be stored; returns at once.

        `patience`: seconds that its writing may wait for a document that is urgent, so that this finds no other write
        under way.
        """
        self._latest = document
        self._ask(patience)

    def again(self) -> None:
        """Store the latest once more: somebody else may have changed what is stored."""
        self._stored = None
        self._ask(0.0)

    def _ask(self, patience: float) -> None:
        self._patience = patience if self._taken == self._version else min(self._patience, patience)
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
        self._patience = 0.0
        self._changed.set()
        async with self._settled:
            await self._settled.wait_for(lambda: self._done >= wanted or self._ended is not None)
        if self._done < wanted:
            raise ObjectReplaced(f"{self._what} is written no more") from self._ended

    async def _store(self) -> None:
        delay = 0.2
        while self._done < self._version:
            await self._until_due()
            document, version = self._latest, self._version
            self._taken = version
            if document == self._stored or await self._written(document, delay):
                self._stored, self._done, delay = document, version, 0.2
                async with self._settled:
                    self._settled.notify_all()
                continue
            self._stored = None  # a write that failed may have arrived all the same
            await asyncio.sleep(delay)
            self._patience = 0.0
            delay = min(2 * delay, self._longest)

    async def _until_due(self) -> None:
        """Wait for as long as the patience goes that was asked for first; what is urgent ends it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                while self._patience:
                    await self._changed.wait()
                    self._changed.clear()

    async def _written(self, document: Document, delay: float) -> bool:
        try:
            await self._write(document)
        except ObjectReplaced:
            raise
        except OperatorError as error:
            log.warning("%s was not written, again in %.1f s: %s", self._what, delay, error)
            return False
        except Exception:
            log.exception("%s was not written, again in %.1f s", self._what, delay)
            return False
        return True
