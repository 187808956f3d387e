"""Which resources one operator looks after: by namespace, by label, and the Lease that its replicas share.

Several operators share a fleet when no resource is matched by two of them; each holds a Lease of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

VARIABLES: Final = ("RSO_NAMESPACES", "RSO_SELECTOR", "RSO_LEASE")
LEASE: Final = "redis-sentinel-operator"

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY: Final = re.compile(rf"(?:[a-z0-9][-a-z0-9.]{{0,252}}/)?{_NAME}")
_VALUE: Final = re.compile(rf"(?:{_NAME})?")
_PART: Final = re.compile(r"(?:[^,(]|\([^)]*\))+")
_IN: Final = re.compile(r"(?P<key>\S+)\s+(?P<word>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL: Final = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<word>==?|!=)\s*(?P<values>\S*)")
_EXISTS: Final = re.compile(r"(?P<word>!?)\s*(?P<key>[^!\s]+)")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A label that must be there, or (not `wanted`) must not be; with one of `values`, where there are some."""

    key: str
    wanted: bool
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels meet it; a label that is absent has no value, as in Kubernetes."""
        there = self.key in labels and (not self.values or labels[self.key] in self.values)
        return there == self.wanted


@dataclass(frozen=True, slots=True)
class Scope:
    """What is this operator's: the resources of `namespaces` (none: of all) whose labels meet all `requirements`.

    `selector` is the same as the API server reads it; `lease` the name of the Lease, in the operator's own namespace.
    """

    namespaces: tuple[str, ...] = ()
    selector: str = ""
    requirements: tuple[Requirement, ...] = field(default=())
    lease: str = LEASE

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a resource with these labels is this operator's."""
        return all(each.holds(labels) for each in self.requirements)

    def has(self, body: Mapping[str, Any], uid: str) -> bool:
        """Whether an object of the API server is the one with that uid, and this operator's."""
        metadata = body["metadata"]
        return metadata["uid"] == uid and self.selects(metadata.get("labels") or {})


def scope_from_environment(environment: Mapping[str, str]) -> Scope:
    """Return the scope that the environment declares: RSO_NAMESPACES (a,b), RSO_SELECTOR, RSO_LEASE.

    Raises:
        ValueError: a name or the selector cannot be read; the message names the variable.
    """
    namespaces = tuple(dict.fromkeys(filter(None, re.split(r"[,\s]+", environment.get("RSO_NAMESPACES", "")))))
    for name in namespaces:
        if not _DNS_LABEL.fullmatch(name):
            raise ValueError(
                f"RSO_NAMESPACES: {name!r} is no name of a namespace; write names with commas between them"
            )
    lease = environment.get("RSO_LEASE") or LEASE
    if not all(_DNS_LABEL.fullmatch(part) for part in lease.split(".")):
        raise ValueError(f"RSO_LEASE: {lease!r} is no name of a Lease")
    selector = environment.get("RSO_SELECTOR", "").strip()
    try:
        requirements = tuple(_requirements(selector))
    except ValueError as error:
        raise ValueError(f"RSO_SELECTOR={selector!r}: {error}") from None
    return Scope(namespaces, selector, requirements, lease)


def _requirements(selector: str) -> Iterator[Requirement]:
    parts = _PART.findall(selector)
    if ",".join(parts) != selector:
        raise ValueError("commas stand between requirements, and values of a set in parentheses")
    for part in parts:
        yield _requirement(part.strip())


def _requirement(text: str) -> Requirement:
    found = _IN.fullmatch(text) or _EQUAL.fullmatch(text) or _EXISTS.fullmatch(text)
    if found is None or not _KEY.fullmatch(found["key"]):
        raise ValueError(
            f"{text!r} is no requirement; write team=a, team!=a, team in (a,b), team notin (a,b), team, !team"
        )
    words = found.groupdict().get("values")
    values = frozenset(word.strip() for word in words.split(",")) if words is not None else frozenset()
    if found["word"] in ("in", "notin") and not words:
        raise ValueError(f"{text!r} names no value")
    wrong = next((value for value in values if not _VALUE.fullmatch(value)), None)
    if wrong is not None:
        raise ValueError(f"{wrong!r} is no value of a label")
    return Requirement(found["key"], found["word"] in ("in", "=", "==", ""), values)
