"""Frozen data that walks between the rooms; standard library only."""
