"""In which of its few lives a cluster is: what the plan may hold at all.

Each host is first made into a `Trace`: what of redis it bears. The rules then read traces only. A file that was not
read, a server that did not answer: unknown is not absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.resume import bears, interrupted_bootstrap
from redis_sentinel_operator.judge.telling import told
from redis_sentinel_operator.judge.trace import Trace, trace_of
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import ClusterFacts
from redis_sentinel_operator.model.verdict import BootstrapRecord, MasterRecord, Situation


@dataclass(frozen=True, slots=True)
class Found:
    """The situation, its sentence, and a reason of the message table where it stalls.

    `resumes` is our own bootstrap, of which only the claims on the hosts still tell.
    """

    situation: Situation
    message: str
    reason: str = ""
    resumes: BootstrapRecord | None = None


def situation(
    desired: Desired, facts: ClusterFacts, owner: str, bootstrap: BootstrapRecord | None, last: MasterRecord | None
) -> Found:
    """Say in which situation the cluster is.

    Args:
        desired: the declared cluster.
        facts: one reading of its hosts; a declared host that is missing counts as unread.
        owner: our name in claims.
        bootstrap: status.bootstrap.
        last: status.master.
    """
    traces = [
        trace_of(desired, host.name, facts.hosts.get(host.name)) for host in desired.hosts if host.state != "Joining"
    ]
    if bootstrap is not None and not bootstrap.completed_at:
        return _of_bootstrap(desired, traces, owner, bootstrap)
    resumed = None if bootstrap or last else interrupted_bootstrap(desired, traces, owner)
    if resumed is not None:
        return replace(_of_bootstrap(desired, traces, owner, resumed), resumes=resumed)
    if any(trace.answers_for_us for trace in traces):
        return _alive(desired)
    adopted = _is_adopted(traces, owner, bootstrap, last)
    return _of_other_name(desired, traces) or _of_the_rest(desired, traces, owner, adopted)


def _alive(desired: Desired) -> Found:
    return Found(
        Situation.ALIVE, f"{desired.master_name} is alive: its sentinels decide, the operator follows and mends."
    )


def _of_bootstrap(desired: Desired, traces: Sequence[Trace], owner: str, bootstrap: BootstrapRecord) -> Found:
    """Our bootstrap goes on as long as all that is there bears its mark, and no sentinel has switched since."""
    strangers = [
        f"{trace.host}: {', '.join(trace.worth)}"
        for trace in traces
        if trace.worth and not trace.unread and not bears(trace, owner, bootstrap.id)
    ]
    if strangers:
        return _foreign(desired, strangers)
    unread = {trace.host: trace.unread[0] for trace in traces if trace.unread}
    if unread:
        said = f"The set-up waits until every host can be read. {told(desired, unread)}."
        return Found(Situation.UNREADABLE, said)
    first = desired.address_of(bootstrap.master)
    if any(trace.answers_for_us and trace.named and trace.named != {first} for trace in traces):
        return _alive(desired)
    return Found(Situation.BOOTSTRAPPING, f"The set-up with {bootstrap.master} as first master goes on.")


def _is_adopted(
    traces: Sequence[Trace], owner: str, bootstrap: BootstrapRecord | None, last: MasterRecord | None
) -> bool:
    """Whether it is known as this resource's cluster: by status, by a claim, or by the sentinels' own files."""
    by_status = last is not None or bootstrap is not None
    return by_status or any(trace.named or (trace.claim is not None and trace.claim.owner == owner) for trace in traces)


def _of_other_name(desired: Desired, traces: Sequence[Trace]) -> Found | None:
    names = sorted({name for trace in traces for name in trace.masters} - {desired.master_name})
    if not names or any(trace.named for trace in traces):
        return None
    if not any(trace.data or trace.running or trace.role_line for trace in traces):
        return None
    message = say("MasterNameDiffers", found=", ".join(names), name=desired.master_name)
    return Found(Situation.FOREIGN, message, "MasterNameDiffers")


def _of_the_rest(desired: Desired, traces: Sequence[Trace], owner: str, adopted: bool) -> Found:
    """No sentinel answers for us."""
    if adopted and any(trace.redis_answers for trace in traces):
        return _alive(desired)
    unread = {trace.host: trace.unread[0] for trace in traces if trace.unread}
    if unread:
        return Found(Situation.UNREADABLE, f"What the cluster is cannot be told. {told(desired, unread)}.")
    if not any(trace.worth for trace in traces) and all(_ours_or_no_role_line(trace, owner) for trace in traces):
        return Found(Situation.BARE, "No host has data, a running redis or sentinel, or sentinel state.")
    if any(trace.running for trace in traces) and adopted:
        return _alive(desired)
    strangers = [
        f"{trace.host}: {', '.join(trace.anything)}"
        for trace in traces
        if trace.anything and (trace.running or not _explained(trace, traces, owner))
    ]
    if strangers:
        return _foreign(desired, strangers)
    return Found(Situation.STOPPED, "Every redis and sentinel is stopped and the hosts keep data or sentinel state.")


def _ours_or_no_role_line(trace: Trace, owner: str) -> bool:
    """A `slaveof` that we wrote and nothing ever used is no state: no data and no sentinel is anywhere."""
    return not trace.role_line or (trace.claim is not None and trace.claim.owner == owner)


def _explained(trace: Trace, traces: Sequence[Trace], owner: str) -> bool:
    """Whether what a stopped host keeps belongs to this cluster."""
    if trace.claim is not None:
        return trace.claim.owner == owner
    named = frozenset().union(*(each.named for each in traces))
    return bool(trace.named) or trace.address in named or any(address in trace.role_line.split() for address in named)


def _foreign(desired: Desired, strangers: Sequence[str]) -> Found:
    message = say("ForeignData", detail="; ".join(strangers) + ".", name=desired.master_name)
    return Found(Situation.FOREIGN, message, "ForeignData")
