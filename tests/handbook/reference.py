"""The reference of the resource, made from the definition that the API server has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from handbook.regions import plain, table
from redis_sentinel_operator.api.crd import document
from redis_sentinel_operator.api.rules import RULES

Node = Mapping[str, Any]
_BOUNDS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxProperties": "at most {}",
    "maxLength": "at most {} characters",
}


def regions() -> Mapping[str, str]:
    """Return the columns of `kubectl get`, the fields of spec and status, and the rules."""
    (version,) = document()["spec"]["versions"]
    fields = version["schema"]["openAPIV3Schema"]["properties"]
    return {
        "columns": _columns(version["additionalPrinterColumns"]),
        "spec": "\n\n".join(_objects("spec", fields["spec"])),
        "status": "\n\n".join(_objects("status", fields["status"])),
        "rules": table(
            ("field", "refused"), [(f"`{rule.at or 'metadata.name'}`", plain(rule.message)) for rule in RULES]
        ),
    }


def _columns(columns: list[Node]) -> str:
    rows = [
        (
            each["name"].upper(),
            f"`{each['jsonPath']}`",
            "`-o wide`" if each.get("priority") else "",
            plain(each["description"]),
        )
        for each in columns
    ]
    return table(("column", "from", "only with", "says"), rows)


def _objects(path: str, node: Node) -> Iterator[str]:
    """An object's table with a heading, then those of the objects in it."""
    required = node.get("required", ())
    rows = [
        (f"`{name}`" + (" (required)" if name in required else ""), kind(child), plain(child.get("description", "")))
        for name, child in node["properties"].items()
    ]
    yield f"### {path}\n\n{plain(node.get('description', ''))}\n\n{table(('field', 'type', 'meaning'), rows)}"
    for name, child in node["properties"].items():
        inner = child.get("items", child)
        if "properties" in inner:
            yield from _objects(f"{path}.{name}{'[]' if 'items' in child else ''}", inner)


def kind(node: Node) -> str:
    """Return the type of a field in words, with its bounds."""
    if "enum" in node:
        return " or ".join(f"`{value}`" for value in node["enum"])
    if node.get("x-kubernetes-int-or-string"):
        return "string or integer"
    words = _type(node)
    bounds = [text.format(node[key]) for key, text in _BOUNDS.items() if key in node]
    return f"{words}; {', '.join(bounds)}" if bounds else words


def _type(node: Node) -> str:
    if "items" in node:
        return "list of objects" if "properties" in node["items"] else f"list of {_many(node['items'])}"
    if "additionalProperties" in node:
        return f"{kind(node['additionalProperties'])} by name"
    return "time" if node.get("format") == "date-time" else str(node["type"])


def _many(node: Node) -> str:
    return f"{node['type']}s"
