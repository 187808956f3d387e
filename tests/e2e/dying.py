"""The operator with an accident: it kills, freezes or delays itself right after a step, as the environment says.

E2E_ACCIDENT=kill, freeze, or hold: the step goes on until the file E2E_STEPS.go is there, and all else with it.
E2E_AT=the number of the step, counted from 1 over the life of this process, how its sentence begins ("start redis"), or
`each` (kill only); E2E_BEFORE=how the sentence of a step begins *before* which it happens, when all that the step needs
was asked. E2E_AT=`master ADDRESS`: right after the first write of status that names another master than that one. Each
finished step is written to the file E2E_STEPS as `host: what` before the accident. Nothing else differs from the
product.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from redis_sentinel_operator import main, reconcile
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.kube.status import StatusWriter
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import Step
from redis_sentinel_operator.settings import Settings

_SIGNALS = {"kill": signal.SIGKILL, "freeze": signal.SIGSTOP}
_accident = os.environ.pop("E2E_ACCIDENT")
_at = os.environ.pop("E2E_AT")
_before = os.environ.pop("E2E_BEFORE", "")
_steps = Path(os.environ.pop("E2E_STEPS"))
_execute = execute
_write = StatusWriter.write
_finished = 0


def _note(line: str) -> None:
    with _steps.open("a") as file:
        file.write(line)


async def _execute_and_die(
    step: Step, links: Mapping[str, HostLink], desired: Desired, guard: Guard, settings: Settings
) -> StepResult:
    global _finished  # noqa: PLW0603 - one process, one accident
    if _before and step.what.startswith(_before):
        await _have_accident()
    result = await _execute(step, links, desired, guard, settings)
    _finished += 1
    _note(f"{step.host}: {step.what}\n")
    if _at in ("each", str(_finished)) or step.what.startswith(_at):
        await _have_accident()
    return result


async def _write_and_die(writer: StatusWriter, status: Mapping[str, Any]) -> None:
    await _write(writer, status)
    named = (status.get("master") or {}).get("address")
    if _at.startswith("master ") and named != _at.removeprefix("master "):
        await _have_accident()


async def _have_accident() -> None:
    if _accident == "hold":
        while not _steps.with_suffix(".go").exists():  # noqa: ASYNC110 - the test knows no event of ours
            await asyncio.sleep(0.05)
    else:
        os.kill(os.getpid(), _SIGNALS[_accident])


if __name__ == "__main__":
    setattr(reconcile, execute.__name__, _execute_and_die)
    setattr(StatusWriter, _write.__name__, _write_and_die)
    main.main()
