"""What of redis each host bears, in few words: what the rules about a cluster's situation read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis_sentinel_operator.conf import redis_conf, sentinel_conf
from redis_sentinel_operator.conf.family import family
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import (
    Claim,
    Denied,
    Fact,
    FileFacts,
    HostFacts,
    Known,
    RedisFacts,
    SentinelFacts,
    Unknown,
)


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
    found = {
        "redis": files.get(_file_of(facts.redis) or where.redis_conf),
        "sentinel": files.get(_file_of(facts.sentinel) or where.sentinel_conf),
    }
    return {key: file.text for key, file in found.items() if file is not None}


def _file_of(fact: Fact[RedisFacts | Denied | None] | Fact[SentinelFacts | Denied | None]) -> str:
    """Return the file that a server which answers was started with, "" where none is known."""
    value = fact.value if isinstance(fact, Known) else None
    return value.config_file if isinstance(value, RedisFacts | SentinelFacts) else ""


def role_of(facts: HostFacts) -> str:
    """Return the role line of redis.conf (`slaveof ADDRESS PORT`), "" where there is none or it was not read."""
    return _role_line(conf_texts(facts).get("redis", ""))


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
    masters = {
        name for name, monitor in conf.masters.items() if (name, monitor.address) != sentinel_conf.SHIPPED or conf.known
    }
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
