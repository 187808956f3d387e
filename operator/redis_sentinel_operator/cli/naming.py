"""The arguments NAME and HOST, and what a shell completes them to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, TypeVar

import click

from redis_sentinel_operator.cli.exits import CliError
from redis_sentinel_operator.cli.kube import Api, Where

Command = TypeVar("Command", bound=Callable[..., Any])


def name_argument(*, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the argument NAME: which cluster."""
    return click.argument("name", required=required, shell_complete=_clusters)


def host_argument(*, required: bool = True) -> Callable[[Command], Command]:
    """Give a command the argument HOST: one of the cluster NAME."""
    return click.argument("host", required=required, shell_complete=_hosts)


def _clusters(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    try:
        with closing(Api(_where(ctx))) as api:
            names = [str(each["metadata"]["name"]) for each in api.clusters()]
    except CliError:  # a shell has no place for it
        return []
    return [name for name in names if name.startswith(begun)]


def _hosts(ctx: click.Context, _: click.Parameter, begun: str) -> list[str]:
    try:
        with closing(Api(_where(ctx))) as api:
            hosts = api.cluster(str(ctx.params.get("name")))["spec"].get("hosts", ())
    except CliError:
        return []
    return [str(each["name"]) for each in hosts if str(each["name"]).startswith(begun)]


def _where(ctx: click.Context) -> Where:
    """The options that were typed; while a shell completes no command is run that would read them."""
    found = Where()
    context: click.Context | None = ctx
    while context is not None:
        typed = {name: context.params.get(name) or "" for name in ("kubeconfig", "context", "namespace")}
        found, context = found.over(Where(**typed)), context.parent
    return found
