"""The end-to-end tests leave each procedure in the middle of each step with a command; here that none is missing."""

from __future__ import annotations

from e2e.midway import ENTERED, LEFT_OUT, OF_A_MASTER, WITHOUT_ONE, points
from redis_sentinel_operator.operations.procedures import PROCEDURES

COMMANDS = {(verb, step) for verb, procedure in PROCEDURES.items() for step in procedure.commands}


def test_every_procedure_with_commands_is_left_in_the_middle() -> None:
    left = list(points(*OF_A_MASTER, *WITHOUT_ONE))
    assert len(left) == len(set(left))
    assert {verb for verb, _, _ in left} == {verb for verb, procedure in PROCEDURES.items() if procedure.commands}
    assert {(verb, step) for verb, step, _ in left} | LEFT_OUT.keys() == COMMANDS
    assert {entered for _, _, entered in left} == set(ENTERED)
