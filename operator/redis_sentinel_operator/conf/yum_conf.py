"""yum.conf and dnf.conf: which packages [main] excludes from updates, and one more or less of them.

Both read INI as iniparse and libdnf do: a line that begins with a blank goes on with the value of the one before, `#`
and `;` begin comments, a list is separated by commas and blanks, of two equal keys the last one counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

_KEY = re.compile(r"(exclude|excludepkgs)\s*=")
_WORD = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class _Excludes:
    """Where the value stands: lines `first` to `last` (first > last: nowhere); `main`: the line of [main], -1: none."""

    main: int
    first: int
    last: int


def excluded(text: str, package: str) -> bool:
    """Whether [main] keeps the package from being updated, by its name or by a pattern."""
    return any(fnmatchcase(package, word) for word in _words(text))


def named(text: str, package: str) -> bool:
    """Whether [main] excludes the package by just its name, as `exclude` writes it."""
    return package in _words(text)


def exclude(text: str, package: str) -> str:
    """Return the file with the package excluded; the rest stays as it is."""
    if excluded(text, package):
        return text
    lines, found = text.split("\n"), _find(text)
    if found.first <= found.last:
        lines[found.last] = f"{lines[found.last].rstrip()} {package}"
    elif found.main >= 0:
        lines.insert(found.main + 1, f"exclude={package}")
    else:
        lines = ["[main]", f"exclude={package}", *lines]
    return "\n".join(lines)


def include(text: str, package: str) -> str:
    """Return the file without the package's name among the excluded; a line that holds nothing more goes."""
    lines, found = text.split("\n"), _find(text)
    kept: list[str] = []
    for at, line in enumerate(lines):
        if not found.first <= at <= found.last:
            kept.append(line)
            continue
        key, equals, value = line.partition("=") if at == found.first else ("", "", line)
        rest = " ".join(word for word in _WORD.findall(value) if word != package)
        if rest or (at == found.first < found.last):
            kept.append(f"{key}{equals}{rest}" if equals else f" {rest}")
    return "\n".join(kept)


def _words(text: str) -> list[str]:
    lines, found = text.split("\n"), _find(text)
    values = [
        line.partition("=")[2] if at == 0 else line for at, line in enumerate(lines[found.first : found.last + 1])
    ]
    return [word for value in values for word in _WORD.findall(value)]


def _find(text: str) -> _Excludes:
    """Find the last value of `exclude` in [main]."""
    main, first, last, inside, goes_on = -1, 1, 0, False, False
    for at, line in enumerate(text.split("\n")):
        if line.startswith("["):
            inside, goes_on = line.startswith("[main]"), False
            main = at if inside and main < 0 else main
        elif line[:1] in (" ", "\t") and line.strip():
            last = at if goes_on else last
        elif inside and line.strip() and line[0] not in "#;":
            goes_on = bool(_KEY.match(line))
            first, last = (at, at) if goes_on else (first, last)
    return _Excludes(main, first, last)
