"""Which fields of a cluster this program has set, and who else holds them; pure.

`pause`, `maintenance` and `fence` are server-side applies as one manager: each must hold all that the manager has set
before, as what an apply leaves out is taken away.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from redis_sentinel_operator.api import API_VERSION, KIND
from redis_sentinel_operator.cli.kube import MANAGER, Document

LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
MAINTENANCE: Final = "maintenanceHosts"
FENCED: Final = "fencedHosts"


@dataclass(frozen=True, slots=True)
class Own:
    """What this program has set: `management` None where it has not."""

    management: str | None = None
    maintenance: frozenset[str] = frozenset()
    fenced: frozenset[str] = frozenset()

    def hosts(self, field: str) -> frozenset[str]:
        """Return the hosts of a set."""
        return self.maintenance if field == MAINTENANCE else self.fenced

    def with_hosts(self, field: str, hosts: Iterable[str]) -> Own:
        """Return the same with other hosts in a set."""
        if field == MAINTENANCE:
            return replace(self, maintenance=frozenset(hosts))
        return replace(self, fenced=frozenset(hosts))

    def patch(self, name: str) -> Document:
        """Return the document to apply."""
        spec: Document = {"management": self.management} if self.management else {}
        spec |= {field: sorted(self.hosts(field)) for field in (MAINTENANCE, FENCED) if self.hosts(field)}
        return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def own(body: Document) -> Own:
    """Return what this program has set in a cluster, as the API server recorded it."""
    spec = body["spec"]
    fields = next((fields for manager, way, fields in _managers(body) if (manager, way) == (MANAGER, "Apply")), {})
    return Own(
        spec.get("management") if "f:management" in fields else None,
        frozenset(_items(fields.get(f"f:{MAINTENANCE}", {}))),
        frozenset(_items(fields.get(f"f:{FENCED}", {}))),
    )


def undone_by(body: Document, field: str, wanted: object) -> list[str]:
    """Return a sentence for each file by which a field will be set to something else than is wanted now.

    Args:
        body: the cluster before it is changed.
        field: of its spec.
        wanted: what the field is to be; of a set the hosts.
    """
    said = []
    applied = last_applied(body).get(field)
    if applied is not None and _differs(applied, wanted):
        said.append(
            f"the file that was applied last has spec.{field}: {_shown(applied)}; `kubectl apply -f` of it brings that "
            "back: take the field out of the file"
        )
    for manager, way, fields in _managers(body):
        held = fields.get(f"f:{field}")
        if way == "Apply" and manager != MANAGER and held is not None and _brings_back(body, field, held, wanted):
            said.append(
                f"{manager} applies spec.{field} as well, and its next apply may bring {_back(body, field, held)} "
                "back: take the field out of what it applies"
            )
    return said


def last_applied(body: Document) -> Mapping[str, Any]:
    """Return the spec that `kubectl apply` (client-side) applied last, {} where it never did."""
    text = (body["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        spec = json.loads(text or "{}").get("spec")
    except (ValueError, AttributeError):
        return {}
    return spec if isinstance(spec, dict) else {}


def _managers(body: Document) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Each manager of the spec, how it writes, and its fields there."""
    for entry in body["metadata"].get("managedFields") or ():
        if not entry.get("subresource"):
            yield entry.get("manager", ""), entry.get("operation", ""), entry.get("fieldsV1", {}).get("f:spec", {})


def _items(field: Mapping[str, Any]) -> Iterator[str]:
    """The items of a set: `v:"redis_slave03"`."""
    for key in field:
        if key.startswith("v:"):
            yield str(json.loads(key[2:]))


def _brings_back(body: Document, field: str, held: Mapping[str, Any], wanted: object) -> bool:
    """Whether what another applies is not what is wanted; hosts that it does not name it leaves alone."""
    if isinstance(wanted, list):
        return not set(_items(held)) <= set(wanted)
    return bool(body["spec"].get(field) != wanted)


def _back(body: Document, field: str, held: Mapping[str, Any]) -> str:
    return ", ".join(_items(held)) or str(body["spec"].get(field))


def _differs(applied: object, wanted: object) -> bool:
    if isinstance(applied, list):
        return sorted(map(str, applied)) != sorted(map(str, wanted if isinstance(wanted, list | tuple) else ()))
    return applied != (wanted or "Full")


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, list) else str(value)
