"""How long a switch takes from its evidence to the API server's answer: a line of the log, and a metric."""

from __future__ import annotations

import logging
import time
from typing import Literal

from redis_sentinel_operator.board import Board
from redis_sentinel_operator.metrics import Metrics

log = logging.getLogger(__name__)

Where = Literal["status", "endpoint"]


class Switches:
    """Of one cluster: told what is stored; each switch counts once for status and once for the Service."""

    def __init__(self, board: Board, metrics: Metrics) -> None:
        self._board = board
        self._metrics = metrics
        self._told: dict[Where, float] = {}

    def stored(self, where: Where, address: str) -> None:
        """Note that this is the master's address there now."""
        seen, master = self._board.switch_seen, self._board.last_master
        if seen is None or master is None or master.address != address or self._told.get(where) == seen:
            return
        self._told[where] = seen
        took = time.monotonic() - seen
        self._metrics.published(str(self._board.ref), where, took)
        log.info(
            "%s: %s names %s, %.1f ms after it was seen", self._board.ref, where, master.host, took * 1000,
            extra={"published": where, "host": master.host, "address": address, "seen": seen, "took": took},
        )  # fmt: skip
