"""Our own bootstrap that was cut off and whose record in status is lost: the claims on the hosts still tell of it."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.judge.trace import Trace
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.verdict import BootstrapRecord


def interrupted_bootstrap(desired: Desired, traces: Sequence[Trace], owner: str) -> BootstrapRecord | None:
    """Return the bootstrap that the claims of a half-made cluster tell of, or None: there is none that may go on.

    It may go on only while no failover can have happened: fewer sentinels than a majority ever knew this master name,
    all that is there follows the first master, and that one is up where anything depends on it. Its `started_at` is ""
    (a claim holds no time).
    """
    marks = {
        (trace.claim.bootstrap_id, trace.claim.first_master)
        for trace in traces
        if trace.claim is not None and trace.claim.owner == owner and trace.claim.first_master
    }
    if len(marks) != 1:
        return None
    [(bootstrap_id, first)] = marks
    master = desired.host_at(first)
    if master is None or not master.redis or any(trace.unread for trace in traces):
        return None
    if any(trace.worth and not bears(trace, owner, bootstrap_id) for trace in traces):
        return None
    if not any(trace.worth for trace in traces) or not _only_the_first(desired, traces, first):
        return None
    return BootstrapRecord(bootstrap_id, master.name, started_at="")


def _only_the_first(desired: Desired, traces: Sequence[Trace], first: str) -> bool:
    """Whether nothing that is there can have had another master than the first one."""
    told = [trace for trace in traces if trace.sentinel_state or trace.named or trace.answers_for_us]
    if len(told) >= desired.majority or any(trace.named - {first} for trace in told):
        return False
    master = next(trace for trace in traces if trace.address == first)
    others = [trace for trace in traces if trace is not master]
    if master.role_line or any(trace.role_line and first not in trace.role_line.split() for trace in others):
        return False
    needed = bool(told) or any(trace.running for trace in others)
    return master.redis_answers or not needed


def bears(trace: Trace, owner: str, bootstrap_id: str) -> bool:
    """Whether a host carries our claim of that bootstrap."""
    return trace.claim is not None and trace.claim.owner == owner and trace.claim.bootstrap_id == bootstrap_id
