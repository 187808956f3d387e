"""What keeps the servers of a fenced host from starting, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HoldUnits:
    """Keep units from starting, whatever asks for them and also at a boot, and stop them: one drop-in for each."""

    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FreeUnits:
    """Take away the drop-ins of HoldUnits; nothing is started."""

    units: tuple[str, ...]
