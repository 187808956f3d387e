"""The scripts that change a host: each runs behind the guard, in the same command."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from redis_sentinel_operator.connect.command import CommandResult
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import NotOurHost

NOT_OURS = 75
CHANGED_MEANWHILE = 65
NOT_FOUND = 66
_WORD = re.compile(r"[A-Za-z0-9._/:-]*")


@dataclass(frozen=True, slots=True)
class Guard:
    """Who changes hosts: our owner string, and the epoch of the lease under which this process works."""

    owner: str
    lease_epoch: int


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sh").read_text()


def compose(name: str, guard: Guard, *arguments: str) -> str:
    """Return the script `name` with its arguments, behind the guard. Arguments are no secrets: those go by stdin.

    Raises:
        ValueError: the owner has characters that state.json, which is read by sed, does not allow.
    """
    if not _WORD.fullmatch(guard.owner):
        raise ValueError(f"an owner cannot be called {guard.owner!r}")
    head = f"RSO_OWNER={shlex.quote(guard.owner)}\nRSO_EPOCH={guard.lease_epoch:d}\n"
    return head + plain_arguments(*arguments) + _text("guard") + _text(name)


def plain(name: str, *arguments: str) -> str:
    """Return the script `name` with its arguments and without the guard: it only reads."""
    return plain_arguments(*arguments) + _text(name)


def plain_arguments(*arguments: str) -> str:
    """Return the line that gives a script its arguments."""
    return f"set -- {shlex.join(arguments)}\n"


async def change(
    link: HostLink, guard: Guard, name: str, *arguments: str, stdin: bytes = b"", seconds: float
) -> CommandResult:
    """Run the script `name` behind the guard.

    Raises:
        NotOurHost: the host belongs to another owner, or a later lease epoch was there; nothing was changed.
        ConnectError: the outcome is unknown.
    """
    try:
        result = await link.run(compose(name, guard, *arguments), stdin=stdin, timeout=seconds)
    finally:
        link.keep(None)  # what was read before is read anew, whatever became of the change
    if result.exit_status == NOT_OURS:
        raise NotOurHost(f"{link.host.name}: {result.stderr.strip()}")
    return result
