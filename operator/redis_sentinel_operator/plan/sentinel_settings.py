"""Quorum, down-after, failover-timeout and parallel-syncs of the running sentinels, each by SENTINEL SET."""

from __future__ import annotations

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import ConfigDrift, SentinelSet, Step
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import CONFIRMED, Part, Stage


def sentinel_settings(desired: Desired, host: Host, *, may_set: bool) -> Part:
    """Return the step that sets what differs on the host's sentinel; its drift also where nothing may be set."""
    running = host.sentinel
    if not host.want.sentinel or running is None or running.view is None:
        return Part()
    view, want = running.view, desired.sentinel
    pairs = {
        "quorum": (want.quorum, view.quorum),
        "down-after-milliseconds": (want.down_after, view.down_after),
        "failover-timeout": (want.failover_timeout, view.failover_timeout),
        "parallel-syncs": (want.parallel_syncs, view.parallel_syncs),
    }
    wrong = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not wrong:
        return Part()
    drift = tuple(
        (host.name, ConfigDrift(f"sentinel {name}", str(declared), str(have)))
        for name, (declared, have) in wrong.items()
    )
    values = {name: str(declared) for name, (declared, _) in wrong.items()}
    why = "; ".join(f"{name} is {have}, wanted is {declared}" for name, (declared, have) in wrong.items())
    action = SentinelSet(desired.master_name, values, desired.sentinel_port)
    step = Step(host.name, f"set {', '.join(values)} on the sentinel", why, action, Stage.FILES, needs=CONFIRMED)
    return Part(steps=(step,) if may_set else (), drift=drift)
