"""From a pydantic model to the structural schema that a CustomResourceDefinition takes.

Structural means: every type spelled out in place (no $ref), no anyOf, no null. An optional field is one that is not
required. Defaults are not put into the schema but told in the descriptions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from redis_sentinel_operator.api.fields import ApiModel

Node: TypeAlias = dict[str, Any]
_DROPPED = {"title", "default", "inherits", "$ref", "$defs", "anyOf"}
_FIRST = ("description", "type")


def structural(model: type[ApiModel]) -> Node:
    """Return the structural schema of a model, with descriptions, bounds and list types."""
    document = model.model_json_schema(by_alias=True)
    return _node(document, document.get("$defs", {}))


def _node(node: Node, definitions: Mapping[str, Node], default: str = "") -> Node:
    """`default` is the sentence that says what holds where the field is unset."""
    whole = _in_place(node, definitions)
    result: Node = {key: whole[key] for key in _FIRST if key in whole}
    result |= {key: value for key, value in whole.items() if key not in _DROPPED}
    if default:
        result["description"] += f" {default}"
    if "properties" in result:
        result["properties"] = {
            name: _node(each, definitions, _default(name, whole, _in_place(each, definitions)))
            for name, each in result["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if key in result:
            result[key] = _node(result[key], definitions)
    return result


def _in_place(node: Node, definitions: Mapping[str, Node]) -> Node:
    """The node with what it refers to written out; what stands beside the reference wins."""
    whole = dict(node)
    for choice in whole.get("anyOf", ()):
        if choice != {"type": "null"}:
            whole = {**choice, **whole}
    reference = whole.get("$ref")
    if reference is None:
        return whole
    return {**definitions[reference.rpartition("/")[2]], **whole}


def _default(name: str, parent: Node, node: Node) -> str:
    """`Default: 5000.` for a scalar that has one; where the parent overrides another field, that one is named."""
    if node.get("type") in ("object", "array") or name in parent.get("required", ()):
        return ""
    if "inherits" in parent:
        return f"Default: as {parent['inherits']}.{name}."
    value = node.get("default")
    if value is None or value == "":
        return ""
    return f"Default: {value if isinstance(value, str) else json.dumps(value)}."
