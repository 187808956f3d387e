"""Units: enabled, and started until the server answers."""

from __future__ import annotations

import asyncio
import time

import redis.exceptions

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.resp import ask
from redis_sentinel_operator.apply.scripts import Guard, change, plain
from redis_sentinel_operator.conf.family import FENCE
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import PortClosed
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.package import Server
from redis_sentinel_operator.model.step import DisableUnits, EnableUnits, StartUnit, StopUnit
from redis_sentinel_operator.settings import Settings

_POLL = 0.1  # seconds between two questions whether it is up
_LOOK = 1.0  # seconds between two looks at the unit, which may have failed
_IN_USE = "Address already in use"


async def enable(action: EnableUnits | DisableUnits, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Let units come up with the machine, or not; none is started or stopped."""
    verb = "enable" if isinstance(action, EnableUnits) else "disable"
    result = await change(link, guard, verb, *action.units, seconds=settings.step_timeout)
    names = ", ".join(action.units)
    if result.exit_status == 0:
        return done(f"{verb}d: {names}")
    said = scrub(result.stderr)
    return failed(said or f"not {verb}d: {names} ({' '.join(result.text.split()) or 'nothing is said'})")


async def stop(action: StopUnit | HoldUnits | FreeUnits, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Stop a unit and wait until it has ended; keep units from starting as well, or let them start again."""
    arguments: tuple[str, ...]
    match action:
        case StopUnit(unit):
            script, arguments, said = "stop", (unit,), f"{unit} is stopped"
        case HoldUnits(units):
            script, arguments, said = "hold", (FENCE, *units), f"{', '.join(units)}: stopped and kept from starting"
        case FreeUnits(units):
            script, arguments, said = "free", (FENCE, *units), f"{', '.join(units)}: may start again"
    result = await change(link, guard, script, *arguments, seconds=settings.step_timeout)
    if result.exit_status == 0:
        return done(said)
    return failed(scrub(result.stderr) or f"{script} {arguments[-1]} did not succeed")


async def start(action: StartUnit, link: HostLink, desired: Desired, guard: Guard, settings: Settings) -> Outcome:
    """Start a unit, or stop and start it, and wait until its server answers.

    All within the step's time.
    """
    deadline = time.monotonic() + settings.step_timeout
    before = "stop" if action.restart else ""
    result = await change(link, guard, "start", action.unit, before, seconds=settings.step_timeout)
    if result.exit_status != 0:
        return failed(scrub(result.stderr, desired.password) or f"systemctl start {action.unit} did not succeed")
    server = Server(action.unit, action.port, action.sentinel, action.log)
    return await answering(server, link, desired, settings, deadline)


async def answering(
    server: Server, link: HostLink, desired: Desired, settings: Settings, deadline: float | None = None
) -> Outcome:
    """Wait until a server answers PING, until the deadline (time.monotonic()), else at most the step's time.

    Where it does not, the outcome says why.
    """
    deadline = deadline or time.monotonic() + settings.step_timeout
    state, said, refused, looked = "", "", "", time.monotonic()
    while time.monotonic() < deadline:
        up, refused = await _answers(server, link, desired)
        if up:
            return done(f"{server.unit} runs and answers on port {server.port}{refused}")
        if time.monotonic() - looked >= _LOOK:
            state, said = await _look(server, link, settings)
            looked = time.monotonic()
            if state in ("failed", "inactive"):
                break
        await asyncio.sleep(_POLL)
    return _not_up(server, link, desired, state or "not up", said or refused)


async def _answers(server: Server, link: HostLink, desired: Desired) -> tuple[bool, str]:
    """Return whether the server answers, and what it said where it did not simply say PONG."""
    password = None if server.sentinel else desired.password
    try:
        client = await link.resp(server.port, password)
        await ask(client, "PING")
    except PortClosed:
        return False, ""
    except redis.exceptions.BusyLoadingError:
        return True, ", still loading its data"
    except redis.exceptions.RedisError as error:
        link.drop(server.port)
        return False, scrub(str(error), desired.password)
    return True, ""


async def _look(server: Server, link: HostLink, settings: Settings) -> tuple[str, str]:
    """Return the unit's state and the last of what it and its log said."""
    result = await link.run(plain("why", server.unit, server.log), timeout=settings.probe_timeout)
    state, _, said = result.text.partition("\n")
    return state.strip(), said


def _not_up(server: Server, link: HostLink, desired: Desired, state: str, said: str) -> Outcome:
    name = f"{server.unit} on {link.host.name}"
    if _IN_USE in said:
        return failed(f"{name} did not start: port {server.port} is taken by another program ({_IN_USE})", "PortTaken")
    telling = scrub(_last(said), desired.password) or "nothing"
    return failed(f"{name} is {state} and does not answer on port {server.port}; what it said last: {telling}")


def _last(said: str) -> str:
    """Return the most telling lines of a log: those that complain, else the last ones."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(">>>")]
    telling = [line for line in lines if any(word in line for word in ("#", "ERR", "FATAL", "rror", "ailed"))]
    return " | ".join((telling or lines)[-3:])[-400:]
