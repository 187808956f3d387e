"""`python -m handbook`: write the parts of docs/ that are made from the product."""

from __future__ import annotations

from handbook.regions import current
from handbook.sources import DOCS, PAGES


def main() -> None:
    """Write each page with its regions as the product is now."""
    for name, made in PAGES.items():
        page = DOCS / name
        page.write_text(current(page.read_text(encoding="utf-8"), made()), encoding="utf-8")


if __name__ == "__main__":
    main()
