"""How things look: tables and words that mean the same without colour, and colour only on a terminal."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import IO, Any

import click
import yaml
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from redis_sentinel_operator.times import moment

PLAIN_WIDTH = 10_000  # in a pipe nothing is broken into lines
# Blue and orange are told apart by all kinds of colour vision; the word or mark beside them says the same.
STYLES = {"good": "bold blue", "bad": "bold dark_orange", "odd": "dark_orange", "dim": "dim"}


def console(stream: IO[str] | None = None) -> Console:
    """Return where to write: stdout, or `stream`. In a pipe or with NO_COLOR it is plain text of a fixed width."""
    out = stream or sys.stdout
    is_terminal = out.isatty()
    return Console(
        file=out,
        force_terminal=is_terminal,
        color_system="auto" if is_terminal and not os.environ.get("NO_COLOR") else None,
        width=None if is_terminal else PLAIN_WIDTH,
        highlight=False,
        emoji=False,
        markup=False,
        soft_wrap=not is_terminal,
    )


def show(what: RenderableType) -> None:
    """Write to stdout; in a pipe without the blanks that fill tables up."""
    out = console()
    if out.is_terminal:
        out.print(what)
        return
    with out.capture() as text:
        out.print(what)
    click.echo("\n".join(line.rstrip() for line in text.get().rstrip("\n").split("\n")))


def table(*columns: str) -> Table:
    """Return an empty table, nearly as kubectl prints them; a terminal of 80 columns has room for few blanks."""
    made = Table(box=None, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in columns:
        made.add_column(name, overflow="fold")
    return made


def grid() -> Table:
    """Return an empty table without heads: what is too long for a line goes on below its own beginning."""
    return Table.grid(padding=(0, 2, 0, 0))


def indented(what: RenderableType) -> RenderableType:
    """Return the same two blanks further to the right, each line of it."""
    return Padding.indent(what, 2)


def fits(what: RenderableType) -> bool:
    """Whether the terminal is so wide that no cell has to be folded."""
    out = console()
    return Measurement.get(out, out.options.update(width=PLAIN_WIDTH), what).maximum <= out.width


def said(text: str, kind: str = "") -> Text:
    """Return a text in the style of its kind: good, bad, odd, dim or none."""
    return Text(text, style=STYLES.get(kind, ""))


def document(value: Any, form: str) -> str:
    """Return a value as json or yaml."""
    if form == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120).rstrip("\n")


def age(text: str | None, now: datetime | None = None) -> str:
    """Return how long ago a time is, in the largest unit that it fills: 5s, 3m, 7h, 12d; "" for no time."""
    then = moment(text)
    if then is None:
        return ""
    seconds = max(0, int(((now or datetime.now(UTC)) - then).total_seconds()))
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "m"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"
