"""Comparing the schema that the API server serves with ours; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from redis_sentinel_operator.api import GROUP, KIND, PLURAL, VERSION


def served_status(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the served schema of status from an OpenAPI v3 document of our group; None without status subresource."""
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{{namespace}}/{PLURAL}/{{name}}/status"
    if path not in document.get("paths", {}):
        return None
    identity = {"group": GROUP, "kind": KIND, "version": VERSION}
    for schema in document.get("components", {}).get("schemas", {}).values():
        if identity in schema.get("x-kubernetes-group-version-kind", []):
            status: Mapping[str, Any] | None = schema.get("properties", {}).get("status")
            return status
    return None


def missing_fields(ours: Mapping[str, Any], served: Mapping[str, Any], path: str) -> list[str]:
    """Return the dotted paths of the fields that `ours` declares and `served` has not (`status.hosts[].role`)."""
    return list(_missing(ours, served, path))


def _missing(ours: Mapping[str, Any], served: Mapping[str, Any], path: str) -> Iterator[str]:
    if served.get("x-kubernetes-preserve-unknown-fields"):
        return
    if "items" in ours:
        yield from _missing(ours["items"], served.get("items", {}), f"{path}[]")
    if isinstance(ours.get("additionalProperties"), Mapping):
        yield from _missing(ours["additionalProperties"], served.get("additionalProperties") or {}, f"{path}.*")
    there = served.get("properties", {})
    for name, field in ours.get("properties", {}).items():
        if name in there:
            yield from _missing(field, there[name], f"{path}.{name}")
        else:
            yield f"{path}.{name}"
