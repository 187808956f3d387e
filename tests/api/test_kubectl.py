"""What kubectl says of the resource reads well: every field explained, a status described, a wait that ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from api.examples import Document
from api.test_resource import cluster, full_status, write_status
from lab.controlplane import ControlPlane, KubectlError
from redis_sentinel_operator.api.crd import schema

__all__ = ["cluster"]  # a fixture
pytestmark = pytest.mark.timeout(240)
RSC = ("rsc", "redis-cluster", "-n", "redis")


def objects(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object below a schema, by the path that `kubectl explain` takes, and its fields."""
    inner = node.get("items", node)
    if "properties" in inner:
        yield path, inner["properties"]
        for name, child in inner["properties"].items():
            yield from objects(child, f"{path}.{name}")


OBJECTS = {
    path: fields for part in ("spec", "status") for path, fields in objects(schema()["properties"][part], f"rsc.{part}")
}


@pytest.mark.parametrize("path", OBJECTS)
def test_kubectl_explains_every_field(api: ControlPlane, path: str) -> None:
    said = " ".join(api.kubectl("explain", path).split())
    assert "<no description>" not in said
    for name, field in OBJECTS[path].items():
        assert f"{name} <" in said
        assert " ".join(field["description"].split()) in said, name


def test_describe_has_the_sentences_for_people(api: ControlPlane, cluster: Document) -> None:
    write_status(api, full_status())
    lines = [" ".join(line.split()) for line in api.kubectl("describe", *RSC).splitlines()]
    assert "Phase: WaitingForYou" in lines
    assert "Message: All is well but for one restart." in lines
    heads = [
        line
        for line in lines[lines.index("Status:") :]
        if line in ("Acts:", "Conditions:", "Failovers:", "Hosts:", "Master:", "Plan:")
    ]
    assert heads == ["Acts:", "Conditions:", "Failovers:", "Hosts:", "Master:", "Plan:"]
    assert not [line for line in lines if "<none>" in line and not line.startswith(("Labels", "Annotations", "Events"))]


def test_wait_ends_when_it_is_so_and_says_when_it_is_not(api: ControlPlane, cluster: Document) -> None:
    write_status(api, full_status())
    met = "redissentinelcluster.redis-sentinel-operator.io/redis-cluster condition met\n"
    assert api.kubectl("wait", *RSC, "--for=condition=Ready", "--timeout=90s") == met
    assert api.kubectl("wait", *RSC, "--for=jsonpath={.status.phase}=WaitingForYou", "--timeout=90s") == met
    assert api.kubectl("wait", *RSC, "--for=jsonpath={.status.acts[-1:].result}=Done", "--timeout=90s") == met
    with pytest.raises(KubectlError, match="timed out waiting for the condition"):
        api.kubectl("wait", *RSC, "--for=condition=QuorumHealthy", "--timeout=5s")


def test_a_wide_row_is_whole(api: ControlPlane, cluster: Document) -> None:
    write_status(api, full_status())
    head, row = api.kubectl("get", *RSC, "-o", "wide").splitlines()
    starts = [head.index(f" {name}") + 1 for name in head.split()[1:]]
    cells = [row[start : (starts[at + 1] if at + 1 < len(starts) else None)].strip() for at, start in enumerate(starts)]
    assert all(cells), "every column has a value"
    assert cells[-1] == full_status().message, "the sentence is not cut"
