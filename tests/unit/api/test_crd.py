"""The definition in crds/ is what the models say, and explains every field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from redis_sentinel_operator.api import crd
from redis_sentinel_operator.api.rules import RULES
from redis_sentinel_operator.api.status import Status
from redis_sentinel_operator.api.unsupported import ONLY

COMMITTED = Path(__file__).parents[3] / "crds" / crd.FILE


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below `node`, with its path."""
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    if "items" in node:
        yield from nodes(node["items"], f"{path}[]")
    if "additionalProperties" in node:
        yield from nodes(node["additionalProperties"], f"{path}{{}}")


def ours() -> list[tuple[str, dict[str, Any]]]:
    properties = crd.schema()["properties"]
    return [*nodes(properties["spec"], "spec"), *nodes(properties["status"], "status")]


def test_the_committed_file_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == crd.text(), "run `python -m redis_sentinel_operator.api.crd`"
    assert yaml.safe_load(COMMITTED.read_text(encoding="utf-8")) == crd.document()


def test_every_field_is_explained() -> None:
    fields = [(path, node) for path, node in ours() if not path.endswith(("[]", "{}"))]
    assert [path for path, node in fields if len(node.get("description", "")) < 4] == []
    assert len(fields) > 100


_UNSET = re.compile(r"Default: |[Ww]ithout (it|`\w+`|this)|[Uu]nset|is not set")
_UNITS = r"milliseconds|seconds|bytes|TCP port|[Hh]ow many|priority|epoch|generation"


def test_every_field_of_the_spec_says_what_holds_without_it() -> None:
    """A required one has no such state, and neither has an item of a list."""
    silent = [
        f"{path}.{name}"
        for path, node in ours()
        if path.startswith("spec")
        for name, child in node.get("properties", {}).items()
        if name not in node.get("required", ()) and not _UNSET.search(child["description"])
    ]
    assert silent == []


def test_every_number_says_its_unit() -> None:
    numbers = [(path, node["description"]) for path, node in ours() if node.get("type") == "integer"]
    assert [path for path, told in numbers if not re.search(_UNITS, told)] == []
    assert len(numbers) > 15


def test_every_time_says_that_it_is_one() -> None:
    times = [(path, node["description"]) for path, node in ours() if node.get("format") == "date-time"]
    assert [path for path, told in times if not re.match("(When|Since when|The time) ", told)] == []
    assert len(times) > 10


def test_nothing_is_called_unsupported_that_is_not_refused() -> None:
    told = {path for path, node in ours() if "not supported yet" in node.get("description", "").lower()}
    assert told == {f"spec.{path}" for path in ONLY}


def test_every_column_is_explained() -> None:
    (version,) = crd.document()["spec"]["versions"]
    assert [each["name"] for each in version["additionalPrinterColumns"] if len(each["description"]) < 10] == []


def test_everything_has_bounds() -> None:
    bound = {
        "string": lambda node: "maxLength" in node or "enum" in node,
        "integer": lambda node: "minimum" in node,
        "array": lambda node: (
            "maxItems" in node and ("x-kubernetes-list-type" in node or node["items"]["type"] == "object")
        ),
        "object": lambda node: "properties" in node or "maxProperties" in node,
        "boolean": lambda node: True,
    }
    loose = [path for path, node in ours() if "type" in node and not bound[node["type"]](node)]
    assert loose == []


def test_every_number_of_the_spec_has_an_upper_bound() -> None:
    numbers = [(path, node) for path, node in ours() if path.startswith("spec") and node.get("type") == "integer"]
    assert [path for path, node in numbers if "maximum" not in node] == []


def test_a_resource_without_a_status_is_none_that_is_finished() -> None:
    assert crd.schema()["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert Status.from_document({"observedGeneration": -1}) == Status(), "the operator never writes it"


def test_the_schema_is_structural_and_sets_no_default_in_spec() -> None:
    forbidden = {"$ref", "anyOf", "allOf", "oneOf", "default", "title", "const", "nullable", "prefixItems"}
    found = [(path, sorted(forbidden & node.keys())) for path, node in ours() if forbidden & node.keys()]
    assert found == [("status", ["default"])], "GitOps tools compare spec with the file"


def test_defaults_are_told() -> None:
    told = {path: node["description"] for path, node in ours() if "description" in node}
    assert told["spec.sentinel.downAfterMilliseconds"].endswith("Default: 5000.")
    assert told["spec.hosts[].redis"].endswith("Default: true.")
    assert told["spec.ssh.user"].endswith("Default: root.")
    assert told["spec.hosts[].ssh.user"].endswith("Default: as spec.ssh.user.")
    assert told["spec.hosts[].ssh.bastion.port"].endswith("Default: 22.")
    assert told["spec.auth.passwordSecretRef.key"].endswith("Default: password.")


def test_every_rule_is_in_the_schema_with_a_message_that_mends() -> None:
    placed = [rule for _, node in nodes(crd.schema()) for rule in node.get("x-kubernetes-validations", [])]
    assert sorted(rule["rule"] for rule in placed) == sorted(rule.rule for rule in RULES)
    assert [rule["message"] for rule in placed if "; " not in rule["message"]] == []
