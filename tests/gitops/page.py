"""The table of docs/gitops.md as data."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/gitops.md"
SCRIPT = ROOT / "deploy/gitops/argocd-health.lua"


def rows() -> set[tuple[str, str, str]]:
    """Phase, what kstatus says, what Argo CD says: of each row."""
    table = PAGE.read_text().partition("\n## What each tool says\n")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| ([A-Z]\w+)[^|]* \| (\w+) \| (\w+) \|", table, re.MULTILINE))
