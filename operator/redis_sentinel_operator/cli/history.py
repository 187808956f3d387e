"""`kubectl rsc history`: the last failovers, each as a timeline."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import click
from rich.console import Group, RenderableType
from rich.text import Text

from redis_sentinel_operator.api.status import FailoverEntry
from redis_sentinel_operator.cli.kube import Api
from redis_sentinel_operator.cli.naming import name_argument
from redis_sentinel_operator.cli.options import examples, output_option, status_of, with_api
from redis_sentinel_operator.cli.terminal import age, console, document, grid, indented, said, show
from redis_sentinel_operator.times import moment

WIDTH = 40  # of the bars, where there is room
_BESIDE = 24  # columns of what stands before a bar
PHASES = ("detected", "elected", "promoted", "switched", "published")
_MEANING = {
    "detected": "the sentinels agree that the master is down",
    "elected": "one of them leads the failover",
    "promoted": "the replica says that it is master",
    "switched": "the sentinels switch",
    "published": "status names the new master",
}

_FROM = "Times begin with the first word of a sentinel. Who fell silent had been so for downAfterMilliseconds."


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a failover: `begin` and `end` in seconds since it was first heard of, None where it was not reached."""

    name: str
    begin: float
    end: float | None


@click.command(epilog=examples("kubectl rsc history -n redis", "kubectl rsc history redis-cluster -n redis -o yaml"))
@name_argument(required=False)
@output_option
@with_api
def history(api: Api, name: str | None, output: str | None) -> None:
    """Show the last failovers as timelines, the newest last.

    Each bar is a part of the failover, from what came before it to what it is called by. A part that no sentinel told
    of is shown as not reached or not heard.
    """
    body = api.the_cluster(name)
    if output:
        click.echo(document((body.get("status") or {}).get("failovers") or [], output))
        return
    found = status_of(body).failovers
    if not found:
        click.echo("No failover is recorded.")
        return
    ascii_only = _is_ascii(sys.stdout.encoding or "")
    width = bars(console().width)
    show(Group(*(drawn(each, width, ascii_only=ascii_only) for each in found), legend()))


def bars(columns: int) -> int:
    """Return how wide the bars are on a terminal of so many columns."""
    return max(1, min(WIDTH, columns - _BESIDE))


def legend() -> RenderableType:
    """Return what the names of the parts mean."""
    rows = grid()
    for name in PHASES:
        rows.add_row(said(name, "dim"), said(_MEANING[name], "dim"))
    return Group(rows, said(_FROM, "dim"))


def drawn(entry: FailoverEntry, width: int = WIDTH, *, ascii_only: bool = False) -> RenderableType:
    """Return one failover with its timeline, of which the bars are so wide."""
    head = Text.assemble(Text(f"{entry.at or 'at an unknown time'}  ", style="bold"), _who(entry))
    rows = grid()
    phases = list(phases_of(entry))
    whole = max((phase.end for phase in phases if phase.end is not None), default=0.0)
    for phase in phases:
        rows.add_row(
            phase.name,
            Text("-" if phase.end is None else f"+{phase.end - phase.begin:.3f} s", justify="right"),
            said("not reached or not heard", "dim")
            if phase.end is None
            else _bar(phase, whole, width, "#" if ascii_only else "█"),
        )
    told = [Text(entry.message)] if entry.message else []
    return Group(head, indented(Group(Text(_how(entry)), *told, rows)), Text())


def phases_of(entry: FailoverEntry) -> Iterator[Phase]:
    """Return the parts in their order; a time that is missing is passed over by the next part."""
    start = moment(entry.at)
    before = 0.0
    for name in PHASES:
        reached = moment(getattr(entry, name))
        if start is None or reached is None:
            yield Phase(name, before, None)
            continue
        end = max(before, (reached - start).total_seconds())
        yield Phase(name, before, end)
        before = end


def in_a_line(entry: FailoverEntry, now: datetime | None = None) -> str:
    """Return a failover in one line."""
    ago = f"{age(entry.at, now)} ago: " if entry.at else ""
    return f"{ago}{_who(entry)} ({_how(entry)})" + (f": {entry.message}" if entry.message else "")


def _who(entry: FailoverEntry) -> str:
    return f"{entry.from_host} -> {entry.to_host or ('nobody' if entry.result else 'nobody yet')}"


def _how(entry: FailoverEntry) -> str:
    ends = [phase.end for phase in phases_of(entry) if phase.end is not None]
    took = f" in {ends[-1]:.1f} s" if ends and entry.result == "Succeeded" else ""
    epoch = f", config epoch {entry.config_epoch}" if entry.config_epoch else ""
    return f"cause {entry.cause}, {entry.result or 'goes on'}{took}{epoch}"


def _bar(phase: Phase, whole: float, width: int, mark: str) -> str:
    """Return the bar of a part; the shortest one is one mark, so that it is seen."""
    if phase.end is None or whole <= 0:
        return mark
    begin = min(width - 1, round(phase.begin / whole * width))
    return " " * begin + mark * max(1, round(phase.end / whole * width) - begin)


def _is_ascii(encoding: str) -> bool:
    return not encoding.lower().replace("-", "").startswith("utf")
