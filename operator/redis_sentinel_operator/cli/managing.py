"""`pause`, `resume`, `maintenance` and `fence`: what is to hold until somebody takes it back.

Server-side apply as a manager of its own, so that a file that says nothing of these fields does not undo it.
"""

from __future__ import annotations

from collections.abc import Callable

import click

from redis_sentinel_operator.cli.exits import CliError
from redis_sentinel_operator.cli.fields import FENCED, MAINTENANCE, Own, own, undone_by
from redis_sentinel_operator.cli.kube import APPLY, MERGE, Api, Document
from redis_sentinel_operator.cli.naming import host_argument, name_argument
from redis_sentinel_operator.cli.options import examples, host_of, management_of, status_of, waiting_options, with_api
from redis_sentinel_operator.cli.waiting import wait_for

_SECONDS = 600.0
_STATES = {MAINTENANCE: "Maintenance", FENCED: "Fenced"}
_PRESENT = {MAINTENANCE: "in maintenance", FENCED: "fenced"}


@click.command(epilog=examples("kubectl rsc pause redis-cluster -n redis"))
@name_argument()
@waiting_options(60.0)
@with_api
def pause(api: Api, name: str, patience: float) -> None:
    """Stop all changes on hosts.

    The master is still followed and published. A procedure that goes on is put back first, where it can be. `kubectl
    rsc resume` takes it back.
    """
    before = api.cluster(name)
    if management_of(before) == "Observe":
        raise CliError(f"{name} has management Observe: nothing is changed on any host already")
    apply(api, name, lambda mine: Own("Paused", mine.maintenance, mine.fenced))
    _warn(before, "management", "Paused")
    if patience:
        what = "the operator's word that it pauses"
        wait_for(api, name, lambda now: _is_phase(now, paused=True), what=what, patience=patience)
    click.echo(f"{name} is paused: nothing is changed on any host until `kubectl rsc resume {name}`")


@click.command(epilog=examples("kubectl rsc resume redis-cluster -n redis"))
@name_argument()
@waiting_options(60.0)
@with_api
def resume(api: Api, name: str, patience: float) -> None:
    """Let the operator work again after a pause."""
    before = api.cluster(name)
    if management_of(before) == "Observe":
        raise CliError(
            f"{name} has management Observe and was never paused: to let the operator work on it, set management: Full "
            "in its file and apply that"
        )
    body = apply(api, name, lambda mine: Own(None, mine.maintenance, mine.fenced))
    if management_of(body) != "Full":  # somebody else has set it as well
        body = apply(api, name, lambda mine: Own("Full", mine.maintenance, mine.fenced))
    _warn(before, "management", "Full")
    if patience:
        what = "the operator's word that it works"
        wait_for(api, name, lambda now: _is_phase(now, paused=False), what=what, patience=patience)
    click.echo(f"{name} is resumed: the operator keeps the hosts as declared")


@click.command(
    epilog=examples(
        "kubectl rsc maintenance on redis-cluster redis_slave03 -n redis",
        "kubectl rsc maintenance off redis-cluster redis_slave03 -n redis",
    )
)
@click.argument("way", type=click.Choice(["on", "off"]), metavar="on|off")
@name_argument()
@host_argument()
@waiting_options(_SECONDS)
@with_api
def maintenance(api: Api, way: str, name: str, host: str, patience: float) -> None:
    """Stop a host's servers and leave it alone (on, off).

    Redis and sentinel are stopped cleanly, once, when a failover stays possible without them; a master is replaced
    first. What a boot starts runs on.
    """
    _set_aside(api, name, host, MAINTENANCE, on=way == "on", patience=patience)


@click.command(epilog=examples("kubectl rsc fence redis-cluster redis_slave03 -n redis"))
@name_argument()
@host_argument()
@waiting_options(_SECONDS)
@with_api
def fence(api: Api, name: str, host: str, patience: float) -> None:
    """Stop a host's servers and keep them from starting.

    Neither by hand, nor at a boot, nor by another unit, until `kubectl rsc unfence`.
    """
    _set_aside(api, name, host, FENCED, on=True, patience=patience)


@click.command(epilog=examples("kubectl rsc unfence redis-cluster redis_slave03 -n redis"))
@name_argument()
@host_argument()
@waiting_options(_SECONDS)
@with_api
def unfence(api: Api, name: str, host: str, patience: float) -> None:
    """Take a fence away; the host comes back as a replica."""
    _set_aside(api, name, host, FENCED, on=False, patience=patience)


def apply(api: Api, name: str, change: Callable[[Own], Own]) -> Document:
    """Apply what this program has set, changed; who else holds one of these values loses it."""
    return api.change(name, lambda body: change(own(body)).patch(name), content_type=APPLY, force="true")


def _set_aside(api: Api, name: str, host: str, field: str, *, on: bool, patience: float) -> None:
    before = api.cluster(name)
    host_of(before, host)

    def changed(mine: Own) -> Own:
        hosts = mine.hosts(field)
        return mine.with_hosts(field, hosts | {host} if on else hosts - {host})

    body = apply(api, name, changed)
    if not on and host in (body["spec"].get(field) or ()):  # somebody else has set it as well
        body = api.change(name, lambda now: _without(now, field, host), content_type=MERGE)
    _warn(before, field, list(body["spec"].get(field) or ()))
    state = _PRESENT[field] if on else "looked after again"
    if management_of(body) != "Full":
        until = f"`kubectl rsc resume {name}`" if management_of(body) == "Paused" else "it is Full"
        click.echo(f"{host}: declared; management is {management_of(body)}, so nothing is done until {until}")
        return
    if patience:
        wait_for(
            api, name, lambda now: _is_there(now, host, field, on=on), what=f"{host} to be {state}", patience=patience
        )
    click.echo(f"{host} is {state}" if patience else f"{host}: declared")


def _without(body: Document, field: str, host: str) -> Document | None:
    hosts = [each for each in body["spec"].get(field) or () if each != host]
    return {"spec": {field: hosts or None}}


def _is_there(body: Document, host: str, field: str, *, on: bool) -> bool | None:
    """Whether the operator has the host where it is to be, None while it has not."""
    found = next((each for each in status_of(body).hosts if each.name == host), None)
    if found is None:
        return None
    if on:
        return True if found.state == _STATES[field] else None
    aside = {_STATES[each] for each in _STATES if host in (body["spec"].get(each) or ())}
    return True if found.state == "Member" or found.state in aside else None


def _is_phase(body: Document, *, paused: bool) -> bool | None:
    status = status_of(body)
    seen = (status.phase == "Paused") is paused and status.operation is None
    return True if seen and status.phase is not None else None


def _warn(body: Document, field: str, wanted: object) -> None:
    for sentence in undone_by(body, field, wanted):
        click.echo(f"Note: {sentence}", err=True)
