"""What a bench says: figures, as a table and as results.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, the value it is compared with (None: there is none), and the ratio that is the goal's.

    `ratio` is value/baseline where less is better (`at_most`), baseline/value where the goal is to be so many times
    faster (`at_least`).
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        measured = self.value if self.ratio is None else self.ratio
        if self.at_most is not None:
            return measured <= self.at_most
        return None if self.at_least is None else measured >= self.at_least


def times_slower(name: str, value: float, baseline: float, at_most: float, unit: str = "ms") -> Figure:
    """Return the figure of a cost that may be at most so many times the baseline's."""
    return Figure(name, round(value, 2), unit, round(baseline, 2), round(value / baseline, 2), at_most=at_most)


def times_faster(name: str, value: float, baseline: float, at_least: float, unit: str = "s") -> Figure:
    """Return the figure of a duration that shall be so many times shorter than the baseline's."""
    return Figure(name, round(value, 3), unit, round(baseline, 3), round(baseline / value, 1), at_least=at_least)


def compared(name: str, value: float, baseline: float) -> Figure:
    """Return the figure of a duration in milliseconds beside another one of the same run, without a goal."""
    return Figure(name, round(value, 1), "ms", round(baseline, 1), round(value / baseline, 2))


def save(figures: Sequence[Figure]) -> None:
    """Put the figures into results.json; those of benches that were not run stay as they are."""
    before = {each["name"]: each for each in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}
    keys = ("name", "value", "unit", "baseline", "ratio")
    now = {each.name: {key: asdict(each)[key] for key in keys} for each in figures}
    RESULTS.write_text(json.dumps([*(before | now).values()], indent=1) + "\n")


def show(figures: Sequence[Figure]) -> None:
    """Print them as a table."""
    table = Table("figure", "value", "unit", "baseline", "ratio", "goal", "")
    for each in figures:
        goal = f"<= {each.at_most:g}" if each.at_most is not None else f">= {each.at_least:g}" if each.at_least else ""
        met = {True: "met", False: "missed", None: ""}[each.met]
        row = (each.name, each.value, each.unit, _shown(each.baseline), _shown(each.ratio), goal, met)
        table.add_row(*(str(cell) for cell in row))
    Console(width=110).print(table)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
