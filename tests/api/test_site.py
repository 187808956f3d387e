"""`make docs`: the site is built without a complaint, and its pages fetch nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from handbook.sources import DOCS
from lab.operator import ROOT

FETCHED = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"' >]+)")
STYLED = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')]+)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; the first time on a machine MkDocs is installed for it."""
    made = tmp_path_factory.mktemp("docs") / "site"
    told = subprocess.run(
        ["make", "docs", f"SITE={made}"], cwd=ROOT, env=dict(os.environ), check=False, capture_output=True, text=True,
        timeout=500,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
    return made


@pytest.mark.timeout(560)
def test_every_page_is_there_and_in_the_menu(site: Path) -> None:
    names = [str(page.relative_to(DOCS).with_suffix(".html")) for page in DOCS.rglob("*.md")]
    menu = (site / "index.html").read_text(encoding="utf-8")
    assert [name for name in names if not (site / name).exists()] == []
    assert [name for name in ("start.html", "tasks.html", "conditions.html") if f'"{name}"' not in menu] == []


def test_what_is_no_page_is_left_out(site: Path) -> None:
    assert list(site.rglob("requirements.*")) == []


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages, styles = list(site.rglob("*.html")), list(site.rglob("*.css"))
    assert len(pages) > 10
    found = [address for page in pages for address in FETCHED.findall(page.read_text(encoding="utf-8"))]
    found += [address for style in styles for address in STYLED.findall(style.read_text(encoding="utf-8"))]
    assert found == []


def test_requirements_are_pinned_by_hash_and_name_no_address() -> None:
    text = (DOCS / "requirements.txt").read_text(encoding="utf-8")
    assert text.count("==") <= text.count("--hash=sha256:")
    assert "://" not in text and "--index-url" not in text
