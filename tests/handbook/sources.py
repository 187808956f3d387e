"""Which pages have parts that are made, and by what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from handbook import reasons, reference
from lab.operator import ROOT

DOCS: Final = ROOT / "docs"
PAGES: Final[Mapping[str, Callable[[], Mapping[str, str]]]] = {
    "resource.md": reference.regions,
    "conditions.md": reasons.regions,
}
"""By page what makes its regions: their text by name."""
