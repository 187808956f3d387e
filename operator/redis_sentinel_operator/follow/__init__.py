"""Listening to sentinels: their messages are hints to read the level again, and the record of failovers."""
