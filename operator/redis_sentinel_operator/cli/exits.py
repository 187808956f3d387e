"""How the program ends: one line on stderr, and an exit code by which a script can tell what to do next."""

from __future__ import annotations

from typing import ClassVar

import click

DONE = 0
NOT_DONE = 1
DRIFT = 2
USAGE = 3
NOT_FOUND = 4
FORBIDDEN = 5
NO_SERVER = 6
TIMED_OUT = 7
GIVEN_UP = 130  # as a shell has it for Ctrl-C

TABLE = f"""\b
Exit codes:
  {DONE}  done
  {NOT_DONE}  not done: the operator or the API server refused it, or it failed
  {DRIFT}  plan: something would be changed
  {USAGE}  what was typed cannot be used
  {NOT_FOUND}  there is no such cluster, host or namespace
  {FORBIDDEN}  you have no right to do that
  {NO_SERVER}  the API server cannot be reached
  {TIMED_OUT}  it was waited for in vain; what was asked for may still come
  {GIVEN_UP}  given up with Ctrl-C; one that was waiting says that what was asked for goes on
"""


class CliError(click.ClickException):
    """The command ends here; the message is one line that says what is and what to do."""

    exit_code: ClassVar[int] = NOT_DONE

    def format_message(self) -> str:
        """Return the message in one line."""
        return " ".join(self.message.split())


class Usage(CliError):
    """What was typed, or a file that was named, cannot be used."""

    exit_code = USAGE


class NotFound(CliError):
    """There is no such thing."""

    exit_code = NOT_FOUND


class Forbidden(CliError):
    """The user's rights do not reach so far."""

    exit_code = FORBIDDEN


class NoServer(CliError):
    """No API server is named, or it does not answer."""

    exit_code = NO_SERVER


class TimedOut(CliError):
    """What was waited for did not come in time."""

    exit_code = TIMED_OUT


class GivenUp(CliError):
    """The person at the terminal has had enough."""

    exit_code = GIVEN_UP


class Conflict(CliError):
    """Somebody changed the object since it was read: read it again."""
