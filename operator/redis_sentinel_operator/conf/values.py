"""When two values of a directive mean the same: `1gb` and 1073741824, `0.0.0.0 ::1` in any order."""

from __future__ import annotations

import re

from redis_sentinel_operator.conf.directives import canonical

_UNITS = {"": 1, "b": 1, "k": 1000, "kb": 1024, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
_NUMBER = re.compile(r"([0-9]+)([a-z]{0,2})")


def same(name: str, one: str, other: str) -> bool:
    """Whether two values of a directive mean the same to Redis; passwords are compared as they are."""
    if one == other:
        return True
    directive = canonical(name)
    if directive in ("requirepass", "masterauth"):
        return False
    if directive == "bind":
        return frozenset(one.split()) == frozenset(other.split())
    return meaning(one) == meaning(other)


def meaning(value: str) -> str | int:
    """Return a number (sizes in bytes) where the value is one, else the value in lower case."""
    lower = value.strip().lower()
    match = _NUMBER.fullmatch(lower)
    if match and match[2] in _UNITS:
        return int(match[1]) * _UNITS[match[2]]
    return lower


def any_address(address: str) -> str:
    """Return the address to bind so that a host is reached at its own: all of that family."""
    return "::" if ":" in address else "0.0.0.0"  # noqa: S104 - the firewall chooses who comes in


def reachable(bind: str, address: str) -> bool:
    """Whether a server with this bind line (without one: "") is reached at the address."""
    words = {word.removeprefix("-") for word in bind.split()}
    return not words or bool(words & {address, any_address(address), "*"})
