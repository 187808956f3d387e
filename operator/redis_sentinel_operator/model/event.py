"""What sentinels said: hints and records, never a decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Cause = Literal["Failure", "Requested", "Ours", "Drill", "Recover", "Unknown"]
"""What a failover comes from; what each one means says status.failovers[].cause."""


@dataclass(frozen=True, slots=True)
class SentinelEvent:
    """One published message of one sentinel. `at` is seconds since the epoch when we received it.

    `payload` is scrubbed (`+set` carries passwords on Redis before 6.2.8). `master_name` "" when it names none.
    """

    sentinel: str  # host name
    at: float
    channel: str
    payload: str
    master_name: str = ""


@dataclass(frozen=True, slots=True)
class Failover:
    """One entry of status.failovers; times are RFC 3339 with milliseconds, "" while not reached.

    `answered`, which is not in status: the sentinels to which the old master answered again after an attempt in vain.
    """

    from_host: str
    to_host: str
    cause: Cause
    at: str
    detected: str = ""
    elected: str = ""
    promoted: str = ""
    switched: str = ""
    published: str = ""
    config_epoch: int = 0
    result: str = ""  # "", Succeeded, Aborted
    message: str = ""
    answered: frozenset[str] = frozenset()
