"""The console script `kubectl-rsc`, which kubectl runs as `kubectl rsc`."""

from __future__ import annotations

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn

import click

from redis_sentinel_operator.cli import acts, managing
from redis_sentinel_operator.cli.completion import completion
from redis_sentinel_operator.cli.exits import DONE, GIVEN_UP, NOT_DONE, TABLE, USAGE, CliError
from redis_sentinel_operator.cli.history import history
from redis_sentinel_operator.cli.init import init
from redis_sentinel_operator.cli.options import examples, where_options
from redis_sentinel_operator.cli.plan import plan
from redis_sentinel_operator.cli.rotate import rotate
from redis_sentinel_operator.cli.status import status

PROGRAM = "kubectl rsc"
EPILOG = (
    examples(
        "kubectl rsc status redis-cluster -n redis",
        "kubectl rsc plan -f cluster.yaml",
        "kubectl rsc switchover redis-cluster redis_slave02 -n redis",
    )
    + f"\n\n{TABLE}"
)
_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _version() -> str:
    try:
        return version("redis-sentinel-operator")
    except PackageNotFoundError:  # run from a checkout
        return "0 (checkout)"


class _InOrder(click.Group):
    """Commands in --help as they were added: those that look first, then those that do something."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings=_HELP, epilog=EPILOG)
@click.version_option(_version(), message="kubectl rsc %(version)s")
@where_options
def rsc() -> None:
    """Redis with Sentinel on machines: look at clusters, and ask the operator for things.

    All is done with your own rights, through the API server; no host is connected to (but by `init`).
    """


for each in (
    *(status, history, plan, init),
    *map(acts.command, acts.VERBS),
    *(rotate, managing.pause, managing.resume, managing.maintenance, managing.fence, managing.unfence),
    completion,
):
    rsc.add_command(each)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run a command; whatever goes wrong is one line on stderr and an exit code (`exits`)."""
    stdout = sys.stdout
    try:
        code = rsc.main(arguments, prog_name=PROGRAM, complete_var="_KUBECTL_RSC_COMPLETE", standalone_mode=False)
    except CliError as error:
        _say(error.format_message())
        sys.exit(error.exit_code)
    except click.UsageError as error:
        hint = f" (`{error.ctx.command_path} --help`)" if error.ctx is not None else ""
        _say(f"{error.format_message().rstrip('.')}{hint}")
        sys.exit(USAGE)
    except click.ClickException as error:
        _say(error.format_message())
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        _say("given up")
        sys.exit(GIVEN_UP)
    except SystemExit:
        if sys.stdout is not stdout:  # click has put another one there: the reader went away, such as `head`
            sys.exit(DONE)
        raise
    except Exception as error:
        if os.environ.get("KUBECTL_RSC_DEBUG"):
            raise
        _say(f"a mistake of this program ({type(error).__name__}: {error}); KUBECTL_RSC_DEBUG=1 shows where")
        sys.exit(NOT_DONE)
    sys.exit(code if isinstance(code, int) else 0)


def _say(line: str) -> None:
    click.echo(f"{PROGRAM}: {' '.join(line.split())}", err=True)
