"""What the resource can say but the operator cannot do yet: refused, never ignored."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from redis_sentinel_operator.api.members import recorded_members
from redis_sentinel_operator.api.schema import Node, structural
from redis_sentinel_operator.api.spec import RedisSentinelClusterSpec
from redis_sentinel_operator.errors import SpecRefused

_MOST = 5  # sentences in one message

# Fields that have one supported value: their default.
ONLY: Mapping[str, object] = {
    "redis.port": 6379,
    "sentinel.port": 26379,
    "unsafe.fewSentinels": False,
    "unsafe.quorumBelowMajority": False,
}


def refuse_unsupported(body: Mapping[str, Any], spec: RedisSentinelClusterSpec) -> None:
    """Refuse what comes with a later version: what is not known of a declaration may be what matters most in it.

    Args:
        body: the whole resource.
        spec: its spec, parsed.

    Raises:
        SpecRefused: NotSupportedYet; the message names each field and what to do.
    """
    said = [
        *map(_of_later, unknown_fields(_schema(), body["spec"], "spec")),
        *_fields(spec),
        *_hosts(spec),
        *_jobs(body, spec),
    ]
    if not said:
        return
    more = [f"And {len(said) - _MOST} more"] if len(said) > _MOST else []
    raise SpecRefused("NotSupportedYet", ". ".join([*said[:_MOST], *more]) + ".")


@cache
def _schema() -> Node:
    return structural(RedisSentinelClusterSpec)


def unknown_fields(node: Node, value: Any, path: str) -> Iterator[str]:
    """Yield the path of each field of a value that the schema has not: a later definition accepts it."""
    if "items" in node:
        for number, item in enumerate(value):
            name = item.get("name", number) if isinstance(item, Mapping) else number
            yield from unknown_fields(node["items"], item, f"{path}[{name}]")
    if "properties" not in node or not isinstance(value, Mapping):
        return
    for name, field in value.items():
        if name in node["properties"]:
            yield from unknown_fields(node["properties"][name], field, f"{path}.{name}")
        else:
            yield f"{path}.{name}"


def _of_later(path: str) -> str:
    known = "a later version of the operator knows it, this one does not and changes nothing"
    return f"{path}: {known}; run that version, or remove the field"


def _fields(spec: RedisSentinelClusterSpec) -> Iterator[str]:
    document = spec.model_dump(by_alias=True)
    for path, only in ONLY.items():
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
