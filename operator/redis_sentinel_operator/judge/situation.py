"""In which of its few lives a cluster is: what the plan may hold at all.

Each host is first made into a `Trace`: what of redis it bears. The rules then read traces only. A file that was not
read, a server that did not answer: unknown is not absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis_sentinel_operator.conf import redis_conf, sentinel_conf
from redis_sentinel_operator.conf.family import family
from redis_sentinel_operator.judge.messages import say
from redis_sentinel_operator.judge.telling import told
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import (
    Claim,
    ClusterFacts,
    Denied,
    FileFacts,
    HostFacts,
    Known,
    RedisFacts,
    SentinelFacts,
    Unknown,
)
from redis_sentinel_operator.model.verdict import BootstrapRecord, MasterRecord, Situation

_SHIPPED = ("mymaster", "127.0.0.1")  # what the package's sentinel.conf monitors before anybody configured it


@dataclass(frozen=True, slots=True)
class Trace:
    """What of redis a host bears. Tuples hold phrases for a message; `unread` those of facts that are not known.

    `masters` are the master names of its sentinel, running or by its file, without the shipped one; `named` the
    addresses that its sentinel.conf monitors under our name.
    """

    host: str
    address: str
    claim: Claim | None
    unread: tuple[str, ...]
    data: tuple[str, ...]
    running: tuple[str, ...]
    role_line: str
    sentinel_state: tuple[str, ...]
    masters: frozenset[str]
    named: frozenset[str]
    answers_for_us: bool
    redis_answers: bool

    @property
    def worth(self) -> tuple[str, ...]:
        """What is alive or holds data or state: what may not be written over."""
        return self.running + self.data + self.sentinel_state

    @property
    def anything(self) -> tuple[str, ...]:
        """All that makes a host other than bare."""
        return self.worth + ((self.role_line,) if self.role_line else ())


@dataclass(frozen=True, slots=True)
class Found:
    """The situation, its sentence, and a reason of the message table where it stalls."""

    situation: Situation
    message: str
    reason: str = ""


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
    traces = [trace_of(desired, host.name, facts.hosts.get(host.name)) for host in desired.hosts]
    if bootstrap is not None and not bootstrap.completed_at:
        return _of_bootstrap(desired, traces, owner, bootstrap)
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
        if trace.worth and not trace.unread and not _bears(trace, owner, bootstrap.id)
    ]
    if strangers:
        return _foreign(desired, strangers)
    unread = {trace.host: trace.unread[0] for trace in traces if trace.unread}
    if unread:
        said = f"The set-up waits until every host can be read. {told(desired, unread)}."
        return Found(Situation.UNREADABLE, said)
    first = desired_address(desired, bootstrap.master)
    if any(trace.answers_for_us and trace.named and trace.named != {first} for trace in traces):
        return _alive(desired)
    return Found(Situation.BOOTSTRAPPING, f"The set-up with {bootstrap.master} as first master goes on.")


def desired_address(desired: Desired, name: str) -> str:
    """Return the address of a declared host, "" of one that is not declared any more."""
    return next((host.address for host in desired.hosts if host.name == name), "")


def _bears(trace: Trace, owner: str, bootstrap_id: str) -> bool:
    return trace.claim is not None and trace.claim.owner == owner and trace.claim.bootstrap_id == bootstrap_id


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


def trace_of(desired: Desired, name: str, facts: HostFacts | None) -> Trace:
    """Return what of redis a host bears; a host without facts bears nothing that is known."""
    if facts is None:
        unread = ("it was not read",)
        return Trace(name, "", None, unread, (), (), "", (), frozenset(), frozenset(), False, False)
    shown = conf_texts(facts)
    sentinel = sentinel_conf.parse(shown.get("sentinel", ""))
    state, masters = _sentinel_state(sentinel)
    live = facts.sentinel.value if isinstance(facts.sentinel, Known) else None
    view = live.view if isinstance(live, SentinelFacts) else None
    named = {monitor.address for each, monitor in sentinel.masters.items() if each == desired.master_name}
    named = ({view.address} if view is not None else named) - {"127.0.0.1"}
    return Trace(
        host=name,
        address=facts.address,
        claim=facts.claim.value if isinstance(facts.claim, Known) else None,
        unread=_unread(facts),
        data=tuple(f"data in {each.path}" for each in facts.data.value) if isinstance(facts.data, Known) else (),
        running=_running(facts),
        role_line=_role_line(shown.get("redis", "")),
        sentinel_state=state,
        masters=masters | _live_masters(live, sentinel, masters),
        named=frozenset(named),
        answers_for_us=view is not None,
        redis_answers=isinstance(facts.redis, Known) and isinstance(facts.redis.value, RedisFacts | Denied),
    )


def conf_texts(facts: HostFacts) -> Mapping[str, str]:
    """Return the texts of the two files ("redis", "sentinel") as far as they exist and were read."""
    where = family(facts.os.value) if isinstance(facts.os, Known) else None
    if where is None or not isinstance(facts.files, Known):
        return {}
    files: Mapping[str, FileFacts | None] = facts.files.value
    found = {"redis": files.get(where.redis_conf), "sentinel": files.get(where.sentinel_conf)}
    return {key: file.text for key, file in found.items() if file is not None}


def _unread(facts: HostFacts) -> tuple[str, ...]:
    if isinstance(facts.os, Known) and family(facts.os.value) is None:
        return (f"{facts.os.value.id} {facts.os.value.version_id} is not supported",)
    needed = (facts.os, facts.files, facts.data, facts.processes, facts.claim, facts.redis, facts.sentinel)
    return tuple(fact.message.rstrip(". ") for fact in needed if isinstance(fact, Unknown))


def _running(facts: HostFacts) -> tuple[str, ...]:
    processes = facts.processes.value if isinstance(facts.processes, Known) else ()
    found = [f"a running {process.name} (pid {process.pid})" for process in processes]
    redis = isinstance(facts.redis, Known) and facts.redis.value is not None
    sentinel = isinstance(facts.sentinel, Known) and facts.sentinel.value is not None
    if not found:
        found += ["a redis that answers"] * redis + ["a sentinel that answers"] * sentinel
    return tuple(found)


def _role_line(text: str) -> str:
    value = redis_conf.parse(text).get("slaveof")
    return f"slaveof {value}" if value else ""


def _sentinel_state(conf: sentinel_conf.SentinelConf) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return phrases for the state in a sentinel.conf and the master names; what the package ships is no state."""
    masters = {name for name, monitor in conf.masters.items() if (name, monitor.address) != _SHIPPED or conf.known}
    phrases = [f"sentinel state of {name}" for name in sorted(masters)]
    if not phrases and (conf.known or any(conf.config_epoch(name) for name in conf.masters)):
        phrases = ["sentinel state"]
    return tuple(phrases), frozenset(masters)


def _live_masters(
    live: SentinelFacts | Denied | None, conf: sentinel_conf.SentinelConf, in_file: frozenset[str]
) -> frozenset[str]:
    """Return the names that a running sentinel knows, without one that its file shows to be the shipped one."""
    if not isinstance(live, SentinelFacts):
        return frozenset()
    shipped = {name for name in conf.masters if name not in in_file}
    return frozenset(live.masters) - shipped
