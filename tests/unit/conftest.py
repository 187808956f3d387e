"""Fixtures that tests of several files share."""

from unit.boarding import board, clock, store, writing

__all__ = ["board", "clock", "store", "writing"]
