"""What to do: from what is declared and what was read to ordered steps; pure."""
