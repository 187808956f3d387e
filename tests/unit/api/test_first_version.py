"""Whatever the first version of the definition accepted is accepted: compared field by field, and by kept files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from redis_sentinel_operator.api import crd

FIRST = Path(__file__).parents[2] / "api" / "versions" / "first"
UPPER = ("maxLength", "maximum", "maxItems", "maxProperties")
LOWER = ("minLength", "minimum", "minItems", "minProperties")
SAME = ("type", "pattern", "x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")
# Rules that came later, and why nobody had a resource that they refuse.
SINCE = {
    "isIP(self) && ip.isCanonical(self)": "it was a rule of spec.hosts",
    "!isIP(self) || ip(self).isGlobalUnicast()": "it was a rule of spec.hosts",
    "!has(self.sentinel) || !has(self.sentinel.quorum) || self.sentinel.quorum * 2 > ": "the first operator refused it",
    "!self.exists(k, k in [": "the first operator took bind, repl-ping-slave-period and repl-timeout only",
}
Node = Mapping[str, Any]


def first() -> Node:
    document = yaml.safe_load((FIRST / "crd.yaml").read_text(encoding="utf-8"))
    schema: Node = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def narrower(old: Node, new: Node, path: str) -> Iterator[str]:
    """What `old` accepts and `new` does not, a sentence each."""
    for key in SAME:
        if key in new and new.get(key) != old.get(key):
            yield f"{path}: {key} is {new[key]}, was {old.get(key)}"
    yield from (f"{path}: {key} is lower" for key in UPPER if key in new and new[key] < old.get(key, float("inf")))
    yield from (f"{path}: {key} is higher" for key in LOWER if key in new and new[key] > old.get(key, float("-inf")))
    if "enum" in new:
        yield from (f"{path}: {word} is gone" for word in old.get("enum", ["all else"]) if word not in new["enum"])
    yield from (f"{path}.{name} is required" for name in new.get("required", ()) if name not in old.get("required", ()))
    yield from _rules(old, new, path)
    for name, child in children(old):
        if name not in dict(children(new)):
            yield f"{path}{name} is gone"
        else:
            yield from narrower(child, dict(children(new))[name], f"{path}{name}")


def _rules(old: Node, new: Node, path: str) -> Iterator[str]:
    known = {each["rule"] for each in old.get("x-kubernetes-validations", ())}
    for each in new.get("x-kubernetes-validations", ()):
        if each["rule"] not in known and not each["rule"].startswith(tuple(SINCE)):
            yield f"{path}: a rule came, {each['message']!r}"


def children(node: Node) -> Iterator[tuple[str, Node]]:
    yield from ((f".{name}", child) for name, child in node.get("properties", {}).items())
    if "items" in node:
        yield "[]", node["items"]
    if isinstance(node.get("additionalProperties"), Mapping):
        yield "{}", node["additionalProperties"]


def test_nothing_that_was_accepted_is_refused() -> None:
    now = crd.schema()
    assert list(narrower(first(), now, "")) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"maxLength": 3}, ".a: maxLength is lower"),
        ({"pattern": "^x$"}, ".a: pattern is ^x$, was None"),
        ({"enum": ["x"]}, ".a: y is gone"),
        ({"minLength": 1}, ".a: minLength is higher"),
        ({"x-kubernetes-validations": [{"rule": "false", "message": "no"}]}, ".a: a rule came, 'no'"),
    ],
)
def test_what_would_be_narrower_is_seen(change: Node, said: str) -> None:
    old = {"properties": {"a": {"type": "string", "maxLength": 9, "enum": ["x", "y"]}, "b": {"type": "string"}}}
    new = {"properties": {"a": {**old["properties"]["a"], **change}}, "required": ["a"]}
    assert list(narrower(old, new, "")) == [".a is required", said, ".b is gone"]


def kept() -> list[Any]:
    """The specs of the resources of the first version that are kept."""
    files = [FIRST / "seed.yaml", FIRST / "everything.yaml"]
    return [each["spec"] for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def unused(node: Node, values: list[Any], path: str) -> Iterator[str]:
    """The fields and words of a schema that none of the values has."""
    if not values:
        yield path
        return
    yield from (f"{path}: {word}" for word in node.get("enum", ()) if word not in values)
    for name, child in children(node):
        if name == "[]":
            below = [item for value in values for item in value]
        elif name == "{}":
            below = [item for value in values for item in value.values()]
        else:
            below = [value[name[1:]] for value in values if name[1:] in value]
        yield from unused(child, below, path + name)


def test_the_kept_files_use_every_field_and_every_word() -> None:
    assert list(unused(first()["properties"]["spec"], kept(), "spec")) == []
