"""Which of our fields a served schema lacks."""

from __future__ import annotations

from typing import Any

from redis_sentinel_operator.kube.schema import missing_fields, served_status

OURS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "phase": {"type": "string"},
        "master": {"type": "object", "properties": {"host": {"type": "string"}, "port": {"type": "integer"}}},
        "hosts": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "labels": {"type": "object", "additionalProperties": {"type": "object", "properties": {"a": {}}}},
    },
}
PATH = "/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{namespace}/redissentinelclusters/{name}/status"
IDENTITY = {"group": "redis-sentinel-operator.io", "version": "v1alpha1", "kind": "RedisSentinelCluster"}


def served(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_equal_schemas_and_supersets_lack_nothing() -> None:
    assert missing_fields(OURS, OURS, "status") == []
    more = {**OURS, "properties": {**OURS["properties"], "later": {"type": "string"}}}
    assert missing_fields(OURS, more, "status") == []


def test_each_missing_field_is_named_by_its_path() -> None:
    there = served(
        phase={},
        master={"type": "object", "properties": {"host": {}}},
        hosts={"type": "array", "items": {"type": "object", "properties": {}}},
        labels={"type": "object", "additionalProperties": {"type": "object"}},
    )
    assert missing_fields(OURS, there, "status") == ["status.master.port", "status.hosts[].name", "status.labels.*.a"]


def test_a_schema_that_keeps_unknown_fields_lacks_nothing_below() -> None:
    there = served(phase={}, master={"x-kubernetes-preserve-unknown-fields": True}, hosts={}, labels={})
    assert missing_fields(OURS, there, "status") == ["status.hosts[].name", "status.labels.*.a"]


def test_the_status_schema_is_found_by_group_version_and_kind() -> None:
    status: dict[str, Any] = {"properties": {"phase": {}}}
    resource = {"x-kubernetes-group-version-kind": [IDENTITY], "properties": {"status": status}}
    other = {"x-kubernetes-group-version-kind": [{**IDENTITY, "kind": "RedisSentinelClusterList"}]}
    document = {"paths": {PATH: {}}, "components": {"schemas": {"list": other, "one": resource}}}
    assert served_status(document) == status


def test_a_resource_without_status_subresource_has_no_status() -> None:
    resource = {"x-kubernetes-group-version-kind": [IDENTITY], "properties": {"status": {}}}
    assert served_status({"paths": {}, "components": {"schemas": {"one": resource}}}) is None
    assert served_status({"paths": {PATH: {}}}) is None
