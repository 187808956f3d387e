"""What spec.redis.config asks for that a host cannot have: an unknown directive, or one that would cost its data."""

from __future__ import annotations

from collections.abc import Sequence

from redis_sentinel_operator.conf.directives import canonical
from redis_sentinel_operator.conf.table import Directive, Owner, directive
from redis_sentinel_operator.conf.values import same, size
from redis_sentinel_operator.judge.messages import CONFIG, say
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import Refusal
from redis_sentinel_operator.plan.eviction import LIMIT, evicts, least
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.settings import has_data

_LEFT_BEHIND = "redis would look for its data elsewhere and come up empty"
_FEWER = "redis would not load what is in the databases that go"


def refuse_config(desired: Desired, hosts: Sequence[Host]) -> Refusal | None:
    """Return why the declared directives may not be set, by the first host that shows it; None when they may."""
    for host in hosts:
        found = _of(desired, host) if host.want.redis else None
        if found is not None:
            return found
    return None


def _of(desired: Desired, host: Host) -> Refusal | None:
    for name, want in desired.redis_config.items():
        row = directive(name)
        found = None if row is None else _not_in_version(host, row) or _not_understood(host, row, want)
        if found is not None:
            return found
    return _with_data(desired, host) or (None if desired.allow_eviction else _eviction(desired, host))


def _not_in_version(host: Host, row: Directive) -> Refusal | None:
    """Return what is wrong where the server that runs has no such directive, or only it has and not the EL's own."""
    runs = host.server_version or host.version
    if not row.known_to(runs):
        return _refusal("DirectiveNotInVersion", directive=row.name, host=host.name, version=runs)
    if row.known_to(host.version):
        return None
    declared, with_it = host.want.package.module or "", host.family.stream_with(row.known_to)
    return _refusal(
        "DirectiveAboveOwnVersion",
        directive=row.name,
        host=host.name,
        version=runs,
        own=host.version,
        family=host.family.name,
        stream=f" in {declared}" if declared else "",
        mend=f", or declare the module stream that has it, {with_it}" if with_it else "",
    )


def _not_understood(host: Host, row: Directive, want: str) -> Refusal | None:
    """Return what is wrong where the value has a word of a later version: redis would not start with it."""
    if row.understood_by(want, host.version):
        return None
    words = ", ".join(sorted(word for word in row.words if row.understood_by(word, host.version)))
    values = {"directive": row.name, "want": want, "host": host.name, "version": host.version}
    return _refusal("ValueNotInVersion", words=words, **values)


def _with_data(desired: Desired, host: Host) -> Refusal | None:
    if not has_data(host):
        return None
    for name, want in desired.redis_config.items():
        row, have = directive(name), _have(host, name)
        moved = row is not None and row.owner is Owner.DATA
        fewer = name == "databases" and (have or "").isdecimal() and int(have or "0") > int(want)
        if have is not None and (fewer or (moved and not same(name, want, have))):
            why = _FEWER if fewer else _LEFT_BEHIND
            return _refusal("NotWithData", directive=name, host=host.name, have=have, want=want, why=why)
    return None


def _have(host: Host, name: str) -> str | None:
    """What redis runs with, else what its file says, else its default; None where nobody can tell."""
    running = {canonical(key): value for key, value in host.redis.config.items()} if host.redis else {}
    if name in running:
        return running[name]
    conf, row = host.conf(), directive(name)
    in_file = conf.get(name) if conf else None
    if in_file is not None or row is None or not host.server_version:
        return in_file
    return row.default(host.server_version)


def _eviction(desired: Desired, host: Host) -> Refusal | None:
    name = evicts(host.redis, desired.redis_config) if host.redis else None
    if name is None or host.redis is None:
        return None
    now = {canonical(key): value for key, value in host.redis.config.items()}
    return _refusal(
        "WouldEvict",
        directive=name,
        host=host.name,
        used=host.redis.used_memory,
        want=f"{name} {desired.redis_config[name]}",
        allowed=size(desired.redis_config.get(LIMIT, now.get(LIMIT, "0"))),
        least=least(host.redis),
    )


def _refusal(reason: str, **values: object) -> Refusal:
    return Refusal(CONFIG, reason, say(reason, **values))
