"""The dashboard's panels drawn from what Prometheus answered, as one SVG. Grafana has no part in it.

Place, title, words and colours are the dashboard's own. Lines get the colours of Okabe and Ito and a dash each.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

UNIT_X, UNIT_Y, GAP, TITLE = 50, 30, 8, 26  # pixels of Grafana's grid, between panels, of a title
MARGIN = 28  # to the right of a plot: half a time
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
LIGHT = {"#56B4E9", "#F0E442", "#E69F00", "#CC79A7", "#999999"}  # words on them are dark
UNITS = {"s": "seconds", "bytes": "bytes"}
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 4", "1 2")
Panel = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A series: its legend, and time in seconds since the epoch with value."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something is drawn, and how far the points of a series are apart, in seconds."""

    begin: float
    end: float
    step: float


@dataclass(frozen=True, slots=True)
class Box:
    """Where something is drawn, in pixels."""

    x: float
    y: float
    w: float
    h: float


def legend(form: str, labels: dict[str, str]) -> str:
    """`{{host}}` and such filled in, as Grafana does."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), form)


def draw(panels: Sequence[tuple[Panel, Sequence[Line]]], span: Span) -> str:
    """The whole dashboard as the text of an SVG."""
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel, _ in panels) * UNIT_Y + GAP
    width = 24 * UNIT_X + GAP
    drawn = [_panel(panel, lines, span) for panel, lines in panels]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="sans-serif" font-size="12"><title>The panels of the dashboard</title>'
    )
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#f4f5f5"/>', *drawn, "</svg>\n"])


def _panel(panel: Panel, lines: Sequence[Line], span: Span) -> str:
    at = panel["gridPos"]
    x, y = at["x"] * UNIT_X + GAP, at["y"] * UNIT_Y + GAP
    w, h = at["w"] * UNIT_X - GAP, at["h"] * UNIT_Y - GAP
    frame = f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="white" stroke="#d0d3d8"/>'
    inner = Box(x + 10, y + TITLE + 4, w - 20, h - TITLE - 10)
    body = {"stat": _stat, "bargauge": _bars, "state-timeline": _states, "timeseries": _series}[panel["type"]]
    return "\n".join([frame, _text(x + 10, y + 17, panel["title"], bold=True), *body(panel, lines, inner, span)])


def _stat(panel: Panel, lines: Sequence[Line], box: Box, _: Span) -> list[str]:
    by_name = panel["options"].get("textMode") == "name"
    words = [line.name if by_name else _word(panel, line.points[-1][1]) for line in lines]
    colour = _colour(panel, lines[0].points[-1][1])
    names = "" if len(lines) == 1 else " / ".join(line.name for line in lines)
    middle = box.x + box.w / 2
    return [
        _text(middle, box.y + 46, " / ".join(words), size=26, fill=colour, anchor="middle"),
        _text(middle, box.y + 68, names, fill="#555", anchor="middle"),
    ]


def _bars(panel: Panel, lines: Sequence[Line], box: Box, _: Span) -> list[str]:
    most = max(line.points[-1][1] for line in lines) or 1.0
    drawn, row = [], min(34.0, box.h / len(lines))
    for number, line in enumerate(lines):
        y, value = box.y + number * row, line.points[-1][1]
        length = max(1.0, (box.w - 140) * value / most)
        drawn.append(_rect(Box(box.x + 70, y + 4, length, row - 12), _colour(panel, value)))
        drawn.append(_text(box.x + 64, y + row / 2 + 2, line.name, anchor="end"))
        drawn.append(_text(box.x + 76 + length, y + row / 2 + 2, _word(panel, value)))
    return drawn


def _states(panel: Panel, lines: Sequence[Line], box: Box, span: Span) -> list[str]:
    name_width, row = 160, (box.h - 20) / max(len(lines), 3)
    plot = Box(box.x + name_width, box.y, box.w - name_width - MARGIN, box.h - 20)
    drawn = [*_times(plot, span), *_meanings(panel, box)]
    for number, line in enumerate(lines):
        y = box.y + number * row
        drawn.append(_text(plot.x - 6, y + row / 2 + 4, line.name, anchor="end"))
        for begin, end, value in _runs(line.points, span):
            x, w = _x(plot, span, begin), max(1.5, _x(plot, span, end) - _x(plot, span, begin))
            drawn.append(_rect(Box(x, y + 2, w, row - 4), _colour(panel, value)))
            word = _word(panel, value)
            if w > 7 * len(word) + 6 and row > 14:
                fill = "#24292e" if _colour(panel, value) in LIGHT else "white"
                drawn.append(_text(x + w / 2, y + row / 2 + 4, word, fill=fill, anchor="middle"))
    return drawn


def _meanings(panel: Panel, box: Box) -> list[str]:
    """What the colours stand for, at the right of the title: a state that lasts a moment has no room for its word."""
    drawn, x = [], box.x + box.w + 8
    meant = [each for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()) for each in
             mapping["options"].values()]  # fmt: skip
    for each in reversed(meant):
        x -= 7 * len(each["text"]) + 32
        drawn.append(_rect(Box(x, box.y - 22, 12, 12), each["color"]))
        drawn.append(_text(x + 17, box.y - 12, each["text"], fill="#555"))
    return drawn


def _series(panel: Panel, lines: Sequence[Line], box: Box, span: Span) -> list[str]:
    plot = Box(box.x + 62, box.y + 4, box.w - 62 - MARGIN, box.h - 48)
    defaults = panel["fieldConfig"]["defaults"]
    most = max((value for line in lines for _, value in line.points), default=0.0)
    top, parts = _scale(defaults.get("max", most), whole=defaults.get("decimals") == 0, binary=_unit(panel) == "bytes")
    measured = "" if "mappings" in defaults else UNITS.get(_unit(panel), "number")
    drawn = [*_times(plot, span), _text(box.x + box.w, box.y - 12, measured, fill="#555", anchor="end")]
    for number in range(parts + 1):
        y = plot.y + plot.h * (1 - number / parts)
        drawn.append(f'<path d="M{plot.x:.1f} {y:.1f}h{plot.w:.1f}" stroke="#dde0e4"/>')
        drawn.append(_text(plot.x - 6, y + 4, _word(panel, top * number / parts), fill="#555", anchor="end"))
    x = box.x
    for number, line in enumerate(lines):
        colour, dash = LINES[number % len(LINES)], DASHES[number % len(DASHES)]
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"'
        drawn.append(f'<path d="{_steps(line.points, plot, span, top)}" {style}/>')
        y = plot.y + plot.h + 42
        drawn.append(f'<path d="M{x:.1f} {y - 4:.1f}h26" {style}/>')
        drawn.append(_text(x + 31, y, line.name))
        x += 46 + 6.8 * len(line.name)
    return drawn


def _scale(most: float, *, whole: bool, binary: bool) -> tuple[float, int]:
    """The top of an axis that has room for `most`, and in how many parts with a round end each it is divided."""
    least = most / 4 or (1.0 if whole else 0.25)
    base = 2.0 if binary else 10.0
    unit = base ** math.floor(math.log(least, base))
    step = next(each * unit for each in (1, 2, 2.5, 5, 10) if each * unit >= least * 0.999)
    step = max(1.0, math.ceil(step)) if whole else step
    parts = max(1, math.ceil(most / step * 0.999))
    return step * parts, parts


def _steps(points: Sequence[tuple[float, float]], plot: Box, span: Span, top: float) -> str:
    """A path that goes on at each value until the next; where there was none for a while it is broken."""
    made, last = "", -math.inf
    for begin, end, value in _runs(points, span):
        y = plot.y + plot.h * (1 - value / top)
        made += f"V{y:.1f}" if begin - last < 0.01 else f"M{_x(plot, span, begin):.1f} {y:.1f}"
        made += f"H{_x(plot, span, end):.1f}"
        last = end
    return made


def _runs(points: Sequence[tuple[float, float]], span: Span) -> list[tuple[float, float, float]]:
    """From when to when a series had which value; where more than one point is missing a run ends."""
    found: list[tuple[float, float, float]] = []
    for at, value in points:
        until = min(at + span.step, span.end)
        if found and found[-1][2] == value and at - found[-1][1] <= span.step:
            found[-1] = (found[-1][0], until, value)
        else:
            found.append((at, until, value))
    return found


def _times(plot: Box, span: Span) -> list[str]:
    drawn = []
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        x, at = plot.x + plot.w * part, span.begin + (span.end - span.begin) * part
        drawn.append(_text(x, plot.y + plot.h + 18, f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}", "#555", "middle"))
    drawn.append(_text(plot.x - 32, plot.y + plot.h + 18, "UTC", "#555", "end"))
    return drawn


def _x(plot: Box, span: Span, at: float) -> float:
    return plot.x + plot.w * (at - span.begin) / (span.end - span.begin)


def _mapped(panel: Panel, value: float) -> dict[str, str]:
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
        if f"{value:g}" in mapping["options"]:
            found: dict[str, str] = mapping["options"][f"{value:g}"]
            return found
    return {}


def _colour(panel: Panel, value: float) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    steps = defaults.get("thresholds", {}).get("steps", [])
    passed = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    fixed = defaults.get("color", {}).get("fixedColor", LINES[0])
    return str(_mapped(panel, value).get("color") or (passed[-1] if passed else fixed))


def _word(panel: Panel, value: float) -> str:
    unit = _unit(panel)
    if text := _mapped(panel, value).get("text"):
        return text
    if unit == "s":
        return f"{value * 1000:.0f} ms" if 0 < value < 1 else f"{value:.3g} s"
    if unit == "bytes":
        return f"{value / 1024:.1f} KiB" if value >= 1024 else f"{value:.0f} B"
    return f"{value:.4g}"


def _unit(panel: Panel) -> str:
    return str(panel["fieldConfig"]["defaults"].get("unit", ""))


def _rect(box: Box, fill: str) -> str:
    return f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.w:.1f}" height="{box.h:.1f}" fill="{fill}"/>'


def _text(
    x: float, y: float, text: str, fill: str = "#24292e", anchor: str = "start", *, size: int = 12, bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{fill}" text-anchor="{anchor}" font-size="{size}"{weight}>'
        f"{escape(text)}</text>"
    )
