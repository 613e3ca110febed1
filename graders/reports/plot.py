"""Geometry of the small plots: from two series to the numbers that an SVG template draws.

Names take horizontal bars, which leave room for long labels on a phone; dates and long series
take lines. Units are those of a view box 360 wide, so that text stays legible at 320 pixels.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graders.model import Plot
from graders.text import number, one_line

WIDTH = 360.0
VALUES = 74.0  # room right of the bars for their values
ROW = 48.0
BAR = 12.0
HEIGHT = 176.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 8.0, 10.0, 22.0
MOST_BARS = 16
_DATE = re.compile(r"\d{4}([-/]|$)|\d{1,2}/\d{1,2}/\d{4}|\d{1,2}/\d{4}$")
_UNITS = ((1e9, "Md"), (1e6, "M"), (1e4, "k"))


@dataclass(frozen=True, slots=True)
class Bar:
    """One horizontal bar, and its value written after it."""

    kind: str  # wanted or seen
    x: float
    y: float
    width: float
    text: str
    text_x: float


@dataclass(frozen=True, slots=True)
class Row:
    """The bars of one label."""

    label: str
    y: float
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One series: its unbroken runs as SVG points, and the dots that mark single values."""

    kind: str
    runs: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A written position on an axis."""

    at: float
    text: str
    anchor: str = "end"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot ready to be drawn: rows of bars, or else lines with their ticks."""

    title: str
    description: str
    height: float
    values: tuple[tuple[str, str, str], ...]  # label, wanted, seen: the same as a table
    rows: tuple[Row, ...] = ()
    lines: tuple[Line, ...] = ()
    across: tuple[Tick, ...] = ()
    up: tuple[Tick, ...] = ()


def draw(plot: Plot) -> Drawing:
    """Lay a plot out; series shorter than the labels, or longer, are shown with their gaps."""
    size = max(len(plot.labels), len(plot.wanted), len(plot.seen))
    labels = [*plot.labels, *(f"n° {i + 1}" for i in range(len(plot.labels), size))]
    wanted, seen = _padded(plot.wanted, size), _padded(plot.seen, size)
    values = tuple(
        (label, number(w), number(s)) for label, w, s in zip(labels, wanted, seen, strict=True)
    )
    gaps = sum(math.isnan(v) for v in seen)
    told = f"{size} valeurs attendues et vues côte à côte" + (f", {gaps} absentes" if gaps else "")
    over_time = size > 1 and all(_DATE.match(label) for label in labels)
    if over_time or size > MOST_BARS:
        lines, across, up = _lines(labels, wanted, seen)
        return Drawing(plot.title, told, HEIGHT, values, (), lines, across, up)
    return Drawing(plot.title, told, size * ROW, values, _bars(labels, wanted, seen))


def _bars(labels: list[str], wanted: list[float], seen: list[float]) -> tuple[Row, ...]:
    low, high = _range(wanted + seen)
    scale = (WIDTH - VALUES) / (high - low)
    zero = -low * scale

    def bar(kind: str, value: float, y: float) -> Bar:
        if math.isnan(value):
            return Bar(kind, round(zero, 1), y, 0.0, "absent", round(zero + 4, 1))
        start, stop = sorted((zero, (value - low) * scale))
        width = max(stop - start, 1.0)
        return Bar(kind, round(start, 1), y, round(width, 1), short(value), round(stop + 4, 1))

    return tuple(
        Row(
            one_line(label, 52),
            i * ROW + 12,
            (bar("wanted", wanted[i], i * ROW + 17), bar("seen", seen[i], i * ROW + 17 + BAR)),
        )
        for i, label in enumerate(labels)
    )


def _lines(
    labels: list[str], wanted: list[float], seen: list[float]
) -> tuple[tuple[Line, ...], tuple[Tick, ...], tuple[Tick, ...]]:
    low, high = _range(wanted + seen)
    step = (WIDTH - LEFT - RIGHT) / max(len(labels) - 1, 1)

    def x(i: int) -> float:
        return round(LEFT + i * step, 1)

    def y(value: float) -> float:
        share = (value - low) / (high - low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP), 1)

    last = len(labels) - 1
    ends = {0: "start", last // 2: "middle", last: "end"} if last > 3 else {0: "start", last: "end"}
    across = tuple(Tick(x(i), one_line(labels[i], 14), anchor) for i, anchor in ends.items())
    up = tuple(Tick(y(v), short(v)) for v in sorted({low, 0.0, (low + high) / 2, high}))
    return (_line("wanted", wanted, x, y), _line("seen", seen, x, y)), across, up


def _line(
    kind: str,
    values: Sequence[float],
    x: Callable[[int], float],
    y: Callable[[float], float],
) -> Line:
    runs: list[list[tuple[float, float]]] = [[]]
    for i, value in enumerate(values):
        if math.isnan(value):
            runs.append([])
        else:
            runs[-1].append((x(i), y(value)))
    return Line(
        kind,
        tuple(" ".join(f"{a:g},{b:g}" for a, b in run) for run in runs if len(run) > 1),
        tuple(run[0] for run in runs if len(run) == 1),
    )


def short(value: float) -> str:
    """Return a number short enough for an axis: `1,25 M`, `12,3 k`, `940`."""
    for unit, name in _UNITS:
        if abs(value) >= unit:
            scaled = value / (1e3 if name == "k" else unit)
            return f"{number(scaled, 1)} {name}" if abs(scaled) < 1e6 else f"{value:.1e}"
    return number(value, 2 if abs(value) < 100 else 0)


def _padded(series: Sequence[float], size: int) -> list[float]:
    return [v if math.isfinite(v) else math.nan for v in series] + [math.nan] * (size - len(series))


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Return the span to draw: always with zero in it, never empty."""
    known = [v for v in values if not math.isnan(v)]
    low, high = min([0.0, *known]), max([0.0, *known])
    return (low, high) if high - low > 0 else (0.0, 1.0)
