"""`kubectl rsc status`: a cluster on one screen, all of it from its status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from redis_sentinel_operator.api.status import Condition, HostStatus, Operation, Status
from redis_sentinel_operator.cli.history import in_a_line
from redis_sentinel_operator.cli.kube import Api, Document
from redis_sentinel_operator.cli.naming import name_argument
from redis_sentinel_operator.cli.options import examples, management_of, output_option, status_of, with_api
from redis_sentinel_operator.cli.terminal import age, document, fits, grid, indented, said, show, table

_GOOD = frozenset({"Healthy"})
_ODD = frozenset({"Bootstrapping", "Updating", "WaitingForYou", "Paused", "Observing", "Deleting"})
_WORKING = frozenset({"Reconciling", "Stalled"})  # conditions that are there only while something is wrong or going on
_ASIDE = (("maintenanceHosts", "in maintenance", ("Maintenance", "Fenced")), ("fencedHosts", "fenced", ("Fenced",)))
_ACTS = 3


@click.command(epilog=examples("kubectl rsc status -n redis", "kubectl rsc status redis-cluster -n redis -o json"))
@name_argument(required=False)
@output_option
@with_api
def status(api: Api, name: str | None, output: str | None) -> None:
    """Show a cluster: who is master, what is wrong.

    And its hosts, links and sentinels, what the operator does now, the last acts and the last failover. NAME may be
    left out where the namespace has one cluster. Before a condition stands ok where it is as it should be, !! where it
    is not, ?? where that is not known, .. while it will pass. All of it stands in the resource's status; the operator
    writes it, so where no operator runs it is old.
    """
    body = api.the_cluster(name)
    if output:
        click.echo(document(body.get("status") or {}, output))
        return
    show(screen(body))


def screen(body: Document, now: datetime | None = None) -> RenderableType:
    """Return all that is shown."""
    found = status_of(body)
    parts = [_head(body, found, now), Text(), _hosts(found)]
    parts += _messages(found)
    parts += [Text(), *_conditions(found, now)]
    if found.plan:
        parts += [Text(), said(f"The operator would make {len(found.plan)} changes: status.plan has them.", "odd")]
    if found.acts:
        parts += [Text(), _acts(found, now)]
    if found.failovers:
        parts += [Text(), Text("Last failover", style="bold"), indented(Text(in_a_line(found.failovers[-1], now)))]
    return Group(*parts)


def _head(body: Document, found: Status, now: datetime | None) -> RenderableType:
    metadata = body["metadata"]
    rows = grid()
    rows.add_row(Text("Cluster", style="bold"), Text(f"{metadata['namespace']}/{metadata['name']}"))
    rows.add_row(Text("Phase", style="bold"), _phase(found))
    rows.add_row(Text("Master", style="bold"), _master(found, now))
    counts = f"{found.ready or '-'} hosts ready, {found.replicas or '-'} replicas, {found.sentinels or '-'} sentinels"
    rows.add_row(Text("Counts", style="bold"), Text(counts))
    for name, text in _notes(body, found):
        rows.add_row(Text(name, style="bold"), said(text, "odd"))
    if found.operation is not None:
        rows.add_row(Text("Now", style="bold"), _operation(found.operation, now))
    return rows


def _notes(body: Document, found: Status) -> Iterator[tuple[str, str]]:
    """What a reader may not expect."""
    spec, generation = body.get("spec") or {}, body["metadata"].get("generation")
    management = management_of(body)
    if management != "Full":
        yield "Management", f"{management}: the operator changes nothing on any host"
    if found.phase is not None and found.observed_generation != generation:
        seen = found.observed_generation or "none"
        yield "Spec", f"generation {generation} is not true on the hosts yet (the last one that was: {seen})"
    aside = {host.name: host.state for host in found.hosts}
    for field, what, states in _ASIDE:
        there = [name for name in spec.get(field) or () if aside.get(name) in states]
        coming = [name for name in spec.get(field) or () if name not in there]
        if there:
            yield "Aside", f"{what}: {', '.join(there)}"
        if coming:
            yield "Aside", f"to be {what}: {', '.join(coming)}"


def _phase(found: Status) -> Text:
    if found.phase is None:
        return said("none: no operator has looked at it yet", "bad")
    kind = "good" if found.phase in _GOOD else "odd" if found.phase in _ODD else "bad"
    return Text.assemble(said(found.phase, kind), f": {found.message}" if found.message else "")


def _master(found: Status, now: datetime | None) -> Text:
    master = found.master
    if master is None:
        return said("none was confirmed yet", "odd")
    since = f", since {master.since} ({age(master.since, now)})" if master.since else ""
    text = Text(f"{master.host} ({master.address}:{master.port}), config epoch {master.config_epoch}{since}")
    if master.withdrawn_since:
        text.append_text(said(f"; not to be used since {master.withdrawn_since}: the sentinels call it down", "bad"))
    return text


def _hosts(found: Status) -> Table:
    """Where all of it does not fit side by side, addresses are left out: who reads that has the names."""
    columns = _columns(found)
    whole = _table(found, columns)
    return whole if fits(whole) else _table(found, {head: cell for head, cell in columns.items() if head != "ADDRESS"})


def _table(found: Status, columns: Mapping[str, Callable[[HostStatus], Text]]) -> Table:
    rows = table(*columns)
    for host in found.hosts:
        rows.add_row(*(cell(host) for cell in columns.values()))
    return rows


def _columns(found: Status) -> Mapping[str, Callable[[HostStatus], Text]]:
    return {
        "HOST": partial(_name, found),
        "ADDRESS": lambda host: Text(host.address),
        "STATE": lambda host: Text(host.state or "-"),
        "ROLE": lambda host: Text(host.role or "-"),
        "REDIS": _redis,
        "LINK": _link,
        "SENTINEL": _sentinel,
    }


def _name(found: Status, host: HostStatus) -> Text:
    is_master = found.master is not None and found.master.host == host.name and not found.master.withdrawn_since
    return said(host.name, "good" if is_master else "")


def _redis(host: HostStatus) -> Text:
    return _service(host, host.redis)


def _link(host: HostStatus) -> Text:
    return said(host.link or "-", _bad(host) if host.link == "Down" else "")


def _sentinel(host: HostStatus) -> Text:
    """A sentinel that runs, but of which nothing is heard, does not tell of a failover."""
    if host.sentinel == "Running" and host.followed is False:
        return said("not heard", _bad(host))
    return _service(host, host.sentinel)


def _service(host: HostStatus, state: str | None) -> Text:
    return said(state or "-", "" if state in (None, "Running") else _bad(host))


def _bad(host: HostStatus) -> str:
    """What is stopped on purpose is not bad."""
    return "dim" if host.state in ("Maintenance", "Fenced") else "bad"


def _messages(found: Status) -> list[RenderableType]:
    told = [f"{host.name}: {host.message}" for host in found.hosts if host.message]
    for host in found.hosts:
        told += [
            f"{host.name}: {each.key} is {each.have!r} instead of {each.want!r}"
            + ("; redis takes it at its next start" if each.pending_restart else "")
            for each in host.config
        ]
    return [Text(), *(indented(Text(line)) for line in told)] if told else []


def _operation(going: Operation, now: datetime | None) -> Text:
    begun = f" (begun {age(going.started_at, now)} ago, this step {age(going.since, now)} ago)"
    what = f"{going.type} {going.arg or ''}".removesuffix("-").rstrip()
    told = f": {going.message}" if going.message else ""
    return Text(f"{what}, at the step {going.step}{begun if going.started_at else ''}{told}")


def kind_of(condition: Condition) -> str:
    """Return good, odd or bad."""
    if condition.type in _WORKING:
        return "bad" if condition.type == "Stalled" else "odd"
    return {"True": "good", "False": "bad"}.get(condition.status, "odd")


def _conditions(found: Status, now: datetime | None) -> list[RenderableType]:
    """What holds in one line; what does not with its reason and what to do, but what was said above it already."""
    told = [found.message or ""]
    holds = [each.type for each in found.conditions if kind_of(each) == "good"]
    rows = grid()
    if holds:
        rows.add_row(said("ok", "good"), ", ".join(holds))
    for each in found.conditions:
        kind = kind_of(each)
        if kind == "good":
            continue
        since = f" ({age(each.last_transition_time, now)})" if each.last_transition_time else ""
        head = f"{each.type} is {each.status}, {each.reason}{since}"
        again = any(each.message in text for text in told)
        told.append(each.message)
        rows.add_row(said(_mark(each), kind), f"{head}: {'as above' if again and each.message else each.message}")
    return [Text("Conditions", style="bold"), indented(rows if found.conditions else Text("none yet"))]


def _mark(condition: Condition) -> str:
    """Return the mark of one that is not good."""
    return "??" if condition.status == "Unknown" else "!!" if kind_of(condition) == "bad" else ".."


def _acts(found: Status, now: datetime | None) -> RenderableType:
    rows = table("LAST ACTS", "ASKED", "RESULT", "ANSWER")
    for act in found.acts[-_ACTS:]:
        kind = {"Done": "good", "Running": "odd"}.get(act.result, "bad")
        asked = f"{age(act.at, now)} ago" if act.at else "-"
        rows.add_row(
            f"{act.verb} {act.arg or ''}".removesuffix("-").rstrip(), asked, said(act.result, kind), act.message or ""
        )
    return rows
