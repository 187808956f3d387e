"""Versions of servers: which features one has, and who can read whose dumps."""

from __future__ import annotations

import re
from typing import TypeAlias

Series: TypeAlias = tuple[str, int, int]

_NUMBERS = re.compile(r"[0-9]+")
_SEGMENTS = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version or version-release: `3.2.6-2.el7` -> (3, 2, 6); () for what is none."""
    head = re.split(r"[^0-9.]", version, maxsplit=1)[0]
    return tuple(int(part) for part in _NUMBERS.findall(head))


def at_least(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one or newer."""
    return numbers(version) >= numbers(wanted)


def least(*versions: str) -> str:
    """Return the oldest of some versions; those that are "" are left out."""
    return min((version for version in versions if version), key=numbers, default="")


def series(server: str, version: str) -> Series | None:
    """Return what tells servers apart that may not read each other's dumps; None where the version is not known.

    Comparable with `<` for older. valkey comes after every redis: it began with 7.2, the last redis that EL has, and
    its 9.0 writes dumps that no redis reads (RDB version 80). A patch release changes no dump.
    """
    found = numbers(version)
    return (server, found[0], found[1]) if len(found) >= 2 else None


def shown(one: Series) -> str:
    """Return a series as people write it: `redis 6.2`."""
    return f"{one[0]} {one[1]}.{one[2]}"


def is_older(have: str, wanted: str) -> bool:
    """Whether a package is older than the wanted one, as rpm orders them.

    Args:
        have: version and release (`3.2.6-2.el7`).
        wanted: the same, or the version alone.
    """
    pairs = zip(have.split("-"), wanted.split("-"), strict=False)
    return next((_segments(mine) < _segments(other) for mine, other in pairs if mine != other), False)


def _segments(text: str) -> list[tuple[int, int, str]]:
    """Return what rpm compares of a version or a release: numbers after letters, `~` before and `^` after the end."""
    found: list[tuple[int, int, str]] = []
    for part in _SEGMENTS.findall(text):
        if part.isdecimal():
            found.append((4, int(part), ""))
        else:
            found.append(({"~": 0, "^": 2}.get(part, 3), 0, part))
    return [*found, (1, 0, "")]
