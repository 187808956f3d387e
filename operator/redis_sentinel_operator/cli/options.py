"""The options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from redis_sentinel_operator.api.status import Status
from redis_sentinel_operator.cli.exits import NotFound
from redis_sentinel_operator.cli.kube import Api, Document, Where

Command = TypeVar("Command", bound=Callable[..., Any])


def examples(*lines: str) -> str:
    """Return examples as --help shows them at its end; the first character keeps click from filling the lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def where_options(command: Command) -> Command:
    """Give a command kubectl's options for where the API server is; they come as `where`, before a group's."""

    @click.option("--kubeconfig", metavar="FILE", help="The kubeconfig; else $KUBECONFIG, else ~/.kube/config.")
    @click.option("--context", metavar="NAME", help="The kubeconfig's context; else its current one.")
    @click.option("-n", "--namespace", metavar="NAME", help="The namespace; else the context's, else default.")
    @click.pass_context
    @functools.wraps(command)
    def with_where(
        ctx: click.Context, /, kubeconfig: str | None, context: str | None, namespace: str | None, **rest: Any
    ) -> Any:
        own = Where(kubeconfig or "", context or "", namespace or "")
        outer = ctx.parent.obj if ctx.parent is not None and isinstance(ctx.parent.obj, Where) else Where()
        ctx.obj = own.over(outer)
        return ctx.invoke(command, **rest)

    return with_where  # type: ignore[return-value]


def with_api(command: Command) -> Command:
    """Give a command an `api`, and kubectl's options for it."""

    @click.pass_context
    @functools.wraps(command)
    def with_client(ctx: click.Context, /, **rest: Any) -> Any:
        return command(opened(ctx, ctx.obj), **rest)

    return where_options(with_client)  # type: ignore[return-value]


def opened(ctx: click.Context, where: Where) -> Api:
    """Return a way to the API server that is closed when the command ends."""
    api = Api(where)
    ctx.call_on_close(api.close)
    return api


def output_option(command: Command) -> Command:
    """Give a command `-o json|yaml`; it comes as `output`, None for people."""
    return click.option(
        "-o", "--output", type=click.Choice(["json", "yaml"]), help="For programs: the same as json or yaml."
    )(command)


def waiting_options(seconds: float) -> Callable[[Command], Command]:
    """Give a command `--no-wait` and `--timeout`; they come as `patience`: seconds, 0 for not at all."""

    def decorate(command: Command) -> Command:
        @click.option("--no-wait", is_flag=True, help="Ask for it and end at once.")
        @click.option(
            "--timeout",
            type=click.FloatRange(min=0.1),
            default=seconds,
            metavar="SECONDS",
            help=f"How long to wait at most; {seconds:.0f} without it. What was asked for goes on after that.",
        )
        @functools.wraps(command)
        def with_patience(*args: Any, no_wait: bool, timeout: float, **rest: Any) -> Any:
            return command(*args, patience=0.0 if no_wait else timeout, **rest)

        return with_patience  # type: ignore[return-value]

    return decorate


def status_of(body: Document) -> Status:
    """Return the status that is stored."""
    return Status.from_document(body.get("status") or {})


def management_of(body: Document) -> str:
    """Return Full, Paused or Observe."""
    return str(body["spec"].get("management") or "Full")


def host_of(body: Document, name: str) -> str:
    """Return the name of a host that the spec has. Raises NotFound, which lists them."""
    names = [str(each.get("name")) for each in body["spec"].get("hosts", ())]
    if name in names:
        return name
    raise NotFound(f"{body['metadata']['name']} has no host {name!r} in its spec; it has: {', '.join(names)}")
