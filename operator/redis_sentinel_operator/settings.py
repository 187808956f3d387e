"""The operator's numbers: all waits, deadlines and limits, overridable by environment (RSO_<NAME>).

Units are seconds unless the name says otherwise. They are shown as gauges in /metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from redis_sentinel_operator.scope import VARIABLES


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator waits for and how long."""

    resync: float = 60.0
    resync_jitter: float = 0.1  # share of resync
    connect_timeout: float = 5.0
    probe_timeout: float = 10.0
    resp_timeout: float = 3.0
    late_after: float = 2.0  # others have answered for so long: a pass goes on without a host that has not
    step_timeout: float = 60.0
    step_patience: float = 5.0  # a step has not ended for so long: the pass goes on without its host
    package_timeout: float = 600.0
    pass_timeout: float = 900.0
    updates_every: float = 21600.0  # how often repositories are asked for newer packages
    return_poll: float = 0.5  # the next look at a redis that is away
    waiting_poll: float = 0.5  # the next look while something is left undone; longer and longer while that stays so
    survey_every: float = 600.0  # how often hosts are asked for what changes slowly: clocks, disks, each other's ports
    follower_poll: float = 10.0
    follower_silence: float = 4.0  # a sentinel that answers nothing for so long is said to be away
    settle_min: float = 10.0  # settle time = max(settle_min, 2 x down-after)
    backoff_min: float = 1.0
    backoff_max: float = 60.0
    fact_max_age: float = 15.0  # a step is not begun on older facts; the pass reads again
    lease_duration: float = 15.0
    lease_renew_deadline: float = 10.0
    lease_retry: float = 2.0
    delete_timeout: float = 10.0
    departure_timeout: float = 105.0  # the hosts of a deleted resource are left after at most so long
    ssh_threads: float = 64.0
    first_readings: float = 8.0  # clusters without any connection that are connected to and read at the same time
    http_port: float = 8080.0


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings with each `RSO_<NAME>` of the environment applied.

    Raises:
        ValueError: a value is no number, or an RSO_ name is unknown; the message names it.
    """
    known = {f"RSO_{field.name.upper()}": field.name for field in fields(Settings)}
    values: dict[str, float] = {}
    for key, text in environment.items():
        if not key.startswith("RSO_") or key in VARIABLES:
            continue
        if key not in known:
            raise ValueError(f"{key} is no setting; known are {', '.join(sorted([*known, *VARIABLES]))}")
        try:
            values[known[key]] = float(text)
        except ValueError:
            raise ValueError(f"{key}={text!r} is no number of seconds") from None
    return Settings(**values)
