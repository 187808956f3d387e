"""Parts of a page that are made, between two comments, in a text that people write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_REGION = re.compile(r"(<!-- made: (?P<name>[\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_ESCAPED = str.maketrans(
    {"<": "&lt;", ">": "&gt;", "|": "&#124;", "*": r"\*", "_": r"\_", "[": r"\[", "]": r"\]", "\\": r"\\"}
)


def named(page: str) -> list[str]:
    """Return the names of the regions of a page, in their order."""
    return [found["name"] for found in _REGION.finditer(page)]


def current(page: str, made: Mapping[str, str]) -> str:
    """Return the page with the present text in each region.

    Raises:
        KeyError: a region of the page that nobody makes.
    """
    return _REGION.sub(lambda found: f"{found[1]}\n{made[found['name']].strip()}\n\n{found[3]}", page)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Return a table of Markdown; cells are Markdown already."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace(chr(10), ' ') for cell in line)} |" for line in lines)


def plain(text: str) -> str:
    """Return a text as Markdown that shows it: but what stands in backticks, nothing in it means anything."""
    parts = text.split("`")
    return "".join(f"`{part}`" if at % 2 else part.translate(_ESCAPED) for at, part in enumerate(parts))
