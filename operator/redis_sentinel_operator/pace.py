"""When the next pass of a cluster is due, and whether what one decided is news."""

from __future__ import annotations

import random

from redis_sentinel_operator.model.report import Outcome
from redis_sentinel_operator.settings import Settings


class Pace:
    """Of one cluster: told the outcome of each of its passes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sentence = ""
        self._unchanged = 0
        self._told = ""
        self.failures = 0

    def is_news(self, outcome: Outcome) -> bool:
        """Whether a pass changed something, or decided something else than what was told last."""
        if not outcome.news:
            return False
        before, self._told = self._told, outcome.sentence
        return outcome.changed or outcome.sentence != before

    def delay(self, outcome: Outcome) -> float:
        """Return the seconds until the next pass."""
        if outcome.requeue_after < 0:
            backoff = self._settings.backoff_min * 2 ** min(self.failures - 1, 10)
            return float(min(backoff, self._settings.backoff_max))
        # What does not change is looked at less and less often: a host may be away for a week.
        self._unchanged = self._unchanged + 1 if outcome.sentence == self._sentence else 0
        self._sentence = outcome.sentence
        delay = min(outcome.requeue_after * 1.2 ** min(self._unchanged, 50), self._settings.resync)
        spread = delay * self._settings.resync_jitter
        return min(outcome.retry_in, delay + random.uniform(-spread, spread))  # noqa: S311 - spreads load, no secret
