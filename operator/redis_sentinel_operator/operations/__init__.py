"""The procedures of several steps: from their record and what was read to the next step; pure."""
