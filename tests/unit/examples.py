"""How many examples a property is tried with: all by `make test`, an eighth by the quick `make test-unit`."""

from __future__ import annotations

import os

QUICK = bool(os.environ.get("QUICK"))


def tried(examples: int) -> int:
    """Return how many of the examples are tried now."""
    return examples // 8 if QUICK else examples
