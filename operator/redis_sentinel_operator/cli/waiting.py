"""Waiting for what the operator does, with what it says of it meanwhile."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from rich.console import RenderableType

from redis_sentinel_operator.api.status import Status
from redis_sentinel_operator.cli.exits import GivenUp, NoServer, TimedOut
from redis_sentinel_operator.cli.kube import Api, Document
from redis_sentinel_operator.cli.options import status_of
from redis_sentinel_operator.cli.terminal import STYLES, console, grid

Found = TypeVar("Found")
_EVERY = 0.5  # seconds between two looks
_SPEAKS = 20.0  # seconds after which it is said that nobody takes it up, where the operator is told of it at once


def wait_for(
    api: Api,
    name: str,
    found: Callable[[Document], Found | None],
    *,
    what: str,
    patience: float,
    speaks: float = _SPEAKS,
) -> Found:
    """Wait for something that goes on whether anybody waits or not; see `watched`. Raises GivenUp on Ctrl-C as well."""
    try:
        return watched(api, name, found, what=what, patience=patience, speaks=speaks)
    except KeyboardInterrupt:
        raise GivenUp(
            f"given up waiting; what was asked for goes on: `kubectl rsc status {name}` tells what becomes of it"
        ) from None


def watched(
    api: Api,
    name: str,
    found: Callable[[Document], Found | None],
    *,
    what: str,
    patience: float,
    speaks: float = _SPEAKS,
) -> Found:
    """Look at a cluster until `found` returns something, and return that; each new thing that goes on is one line.

    An API server that is away for a moment is waited for, too.

    Args:
        api: the API server.
        name: which cluster.
        found: what is waited for, None while it is not there.
        what: the same in words.
        patience: seconds.
        speaks: seconds after which it is said that the operator has not taken it up.

    Raises:
        TimedOut: it did not come.
        NotFound: the cluster is gone.
    """
    out = console(sys.stderr)
    started = time.monotonic()
    said, warned = "", False
    with out.status(f"waiting for {what}", spinner="line", spinner_style=STYLES["good"]):
        while True:
            spent = time.monotonic() - started
            try:
                body = api.cluster(name)
            except NoServer as error:
                line = error.format_message()
            else:
                result = found(body)
                if result is not None:
                    return result
                line = going_on(status_of(body))
            if line and line != said:
                said = line
                out.print(_line(spent, line))
            if spent > patience:
                raise TimedOut(
                    f"waited {patience:.0f} s in vain for {what}; see `kubectl rsc status {name}`{_hint(said)}"
                )
            if spent > speaks and not said and not warned:
                warned = True
                out.print(_line(spent, "the operator has not taken it up yet: does it run?"))
            time.sleep(_EVERY)


def going_on(status: Status) -> str:
    """Return what the operator does now, "" for nothing that is told."""
    going = status.operation
    if going is not None:
        said = f": {going.message}" if going.message and not going.result else ""  # with a result that is the answer
        return f"{going.type} {going.step}{said}"
    return status.message or "" if status.phase not in (None, "Healthy", "Paused") else ""


def _line(spent: float, text: str) -> RenderableType:
    row = grid()
    row.add_row(f"{spent:6.1f} s", text)
    return row


def _hint(said: str) -> str:
    return "" if said else ", and whether the operator runs"
