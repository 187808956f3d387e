"""The operator with an accident: it kills, freezes or delays itself right after a step, as the environment says.

E2E_ACCIDENT=kill, freeze, or hold: the step goes on until the file E2E_STEPS.go is there, and all else with it. Once
that file is there nothing is frozen any more either.
E2E_AT=the number of the step, counted from 1 over the life of this process, how its sentence begins ("start redis"), or
`each` (kill only); E2E_BEFORE=how the sentence of a step begins *before* which it happens, when all that the step needs
was asked; E2E_RESP=how a command to a server begins right before which it happens, once ("CONFIG SET"), when the host
was asked whose it is. E2E_AT=`master ADDRESS`: right after the first write of status that names another master than
that one. Each finished step is written to the file E2E_STEPS as `host: what` before the accident, and a line to
E2E_STEPS.heard when it is heard that the resource was changed. Nothing else differs from the product.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import redis.asyncio

from redis_sentinel_operator import main, reconcile
from redis_sentinel_operator.apply import resp
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.cluster import Cluster
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
_resp = os.environ.pop("E2E_RESP", "")
_steps = Path(os.environ.pop("E2E_STEPS"))
_execute = execute
_ask = resp.ask
_write = StatusWriter.write
_wake = Cluster.wake
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


async def _ask_and_die(client: redis.asyncio.Redis, *words: str) -> Any:
    global _resp  # noqa: PLW0603 - one process, one accident
    if _resp and " ".join(words).startswith(_resp):
        _resp = ""
        await _have_accident()
    return await _ask(client, *words)


async def _write_and_die(writer: StatusWriter, status: Mapping[str, Any]) -> None:
    await _write(writer, status)
    named = (status.get("master") or {}).get("address")
    if _at.startswith("master ") and named != _at.removeprefix("master "):
        await _have_accident()


def _wake_and_note(cluster: Cluster, why: str, *, changed: bool = False) -> None:
    _wake(cluster, why, changed=changed)
    if changed:
        with _steps.with_suffix(".heard").open("a") as file:
            file.write(f"{why}\n")


async def _have_accident() -> None:
    go = _steps.with_suffix(".go")
    if _accident == "hold":
        while not go.exists():  # noqa: ASYNC110 - the test knows no event of ours
            await asyncio.sleep(0.05)
    elif _accident == "kill" or not go.exists():
        os.kill(os.getpid(), _SIGNALS[_accident])


if __name__ == "__main__":
    setattr(reconcile, execute.__name__, _execute_and_die)
    setattr(resp, _ask.__name__, _ask_and_die)
    setattr(StatusWriter, _write.__name__, _write_and_die)
    setattr(Cluster, _wake.__name__, _wake_and_note)
    main.main()
