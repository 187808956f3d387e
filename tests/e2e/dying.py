"""The operator with an accident: it kills or freezes itself right after a step, as the environment says.

E2E_ACCIDENT=kill or freeze; E2E_AT=the number of the step, counted from 1 over the life of this process, how its
sentence begins ("start redis"), or `each` (kill only). Each finished step is written to the file E2E_STEPS as
`host: what` before the accident. Nothing else differs from the product.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from redis_sentinel_operator import main, reconcile
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.settings import Settings

_SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}
_signal = _SIGNALS[os.environ.pop("E2E_ACCIDENT")]
_at = os.environ.pop("E2E_AT")
_steps = Path(os.environ.pop("E2E_STEPS"))
_execute = execute
_finished = 0


def _note(line: str) -> None:
    with _steps.open("a") as file:
        file.write(line)


async def _execute_and_die(
    step: Step, link: HostLink, desired: Desired, guard: Guard, settings: Settings
) -> StepResult:
    global _finished  # noqa: PLW0603 - one process, one accident
    result = await _execute(step, link, desired, guard, settings)
    _finished += 1
    _note(f"{step.host}: {step.what}\n")
    if _at in ("each", str(_finished)) or step.what.startswith(_at):
        os.kill(os.getpid(), _signal)
    return result


if __name__ == "__main__":
    setattr(reconcile, execute.__name__, _execute_and_die)
    main.main()
