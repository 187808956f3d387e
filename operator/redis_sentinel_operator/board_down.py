"""Since when the last confirmed master is not to be used: a majority of the sentinels says so, or its own ROLE."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from redis_sentinel_operator.judge.health import in_vain
from redis_sentinel_operator.judge.master import Sentinels, views
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.verdict import Confirmed, Mastership


class Down:
    """Kept from reading to reading; `since` is what status has of it, `now` gives the time in UTC.

    `judged`: a reading of this process showed who is master, or that the last one is not to be used.
    """

    def __init__(self, since: datetime | None, now: Callable[[], datetime]) -> None:
        self.since = since
        self.judged = False
        self._now = now
        self._switching = False

    @property
    def seconds(self) -> float:
        """For how long; 0 when it is not."""
        return (self._now() - self.since).total_seconds() if self.since else 0.0

    @property
    def switching(self) -> bool:
        """Whether sentinels show a failover now."""
        return self._switching or self.since is not None

    def track(self, found: Mastership, last: str, sentinels: Sentinels, desired: Desired | None) -> None:
        """Take a reading in: who is master by it, the last master's address ("" for none), the sentinels' answers."""
        if isinstance(found, Confirmed):
            known = self.since if last == found.address else None
            self.since = (known or self._now()) if _called_down(found.address, sentinels, desired) else None
            self.judged = True
        elif last:
            no_master = found.reason in ("RoleDisagrees", "RoleUndone") and found.address == last
            if no_master or found.demoted or _called_down(last, sentinels, desired):
                self.since = self.since or self._now()
                self.judged = True
        seen = views(desired, sentinels).values() if desired else ()
        self._switching = any("failover_in_progress" in view.flags for view in seen)

    def withdraws(self, master: Confirmed, desired: Desired | None, *, aborted: bool) -> bool:
        """Whether it is not to be used: not for ever, where it serves its replicas and no failover comes of it.

        `aborted`: every failover that the sentinels began since came to nothing.
        """
        if self.since is None:
            return False
        return desired is None or not master.replicas or not in_vain(desired, self.seconds, aborted=aborted)


def _called_down(address: str, sentinels: Sentinels, desired: Desired | None) -> bool:
    """Whether a majority of the declared sentinels shows o_down for the address."""
    if desired is None:
        return False
    seen = views(desired, sentinels).values()
    down = [view for view in seen if "o_down" in view.flags and (view.told_address or view.address) == address]
    return len(down) >= desired.majority
