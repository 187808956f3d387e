"""What the resource can say but the operator cannot do yet: refused, never ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from redis_sentinel_operator.api.members import recorded_members
from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec
from redis_sentinel_operator.errors import SpecRefused

_MOST = 5  # sentences in one message

# Fields that have one supported value: their default.
_ONLY: Mapping[str, object] = {
    "redis.port": 6379,
    "sentinel.port": 26379,
    "updateStrategy": "Automatic",
    "recovery": "Manual",
    "deletionPolicy": "Retain",
    "unsafe.fewSentinels": False,
    "unsafe.quorumBelowMajority": False,
}


def refuse_unsupported(body: Mapping[str, Any], spec: RedisSentinelClusterSpec) -> None:
    """Refuse what comes with a later version.

    Args:
        body: the whole resource.
        spec: its spec, parsed.

    Raises:
        SpecRefused: NotSupportedYet; the message names each field and what to do.
    """
    said = [*_fields(spec), *_hosts(spec), *_jobs(body, spec)]
    if not said:
        return
    more = [f"And {len(said) - _MOST} more"] if len(said) > _MOST else []
    raise SpecRefused("NotSupportedYet", ". ".join([*said[:_MOST], *more]) + ".")


def _fields(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    document = spec.model_dump(by_alias=True)
    for path, only in _ONLY.items():
        value = _at(document, path)
        if value != only:
            yield f"{_later(f'spec.{path}', value)}; set it to {_shown(only)}, or remove it"


def _hosts(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    for host in spec.hosts:
        at = f"spec.hosts[{host.name}]"
        if host.ssh and "secret_ref" in host.ssh.model_fields_set and host.ssh.secret_ref != spec.ssh.secret_ref:
            yield f"{_later(f'{at}.ssh.secretRef', host.ssh.secret_ref.name)}; use one Secret for all hosts"


def _jobs(body: Mapping[str, Any], spec: RedisSentinelClusterSpec) -> Iterator[str]:
    """status.hosts has a service only where it was declared (HostStatus)."""
    members = {member.address: member for member in recorded_members(body)}
    for host in spec.hosts:
        member = members.get(host.address)
        if member is None or (member.redis is None and member.sentinel is None):
            continue
        for service, wanted, before in (
            ("redis", host.redis, member.redis),
            ("sentinel", host.sentinel, member.sentinel),
        ):
            if wanted != (before is not None):
                yield (
                    f"spec.hosts[{host.name}].{service}: a change of it in a living cluster is not supported yet; "
                    f"set it to {_shown(not wanted)}"
                )


def _later(path: str, value: object) -> str:
    return f"{path}: {_shown(value)} is not supported yet"


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=list)


def _at(document: Mapping[str, Any], path: str) -> object:
    value: Any = document
    for name in path.split("."):
        value = value[name]
    return value
