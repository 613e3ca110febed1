"""Geometry of the plots: inside the box, in proportion, whatever the numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from graders.model import Plot
from graders.reports.plot import HEIGHT, WIDTH, draw, short
from tests.reports import samples
from tests.reports.strategies import PLOT


@given(PLOT)
def test_everything_lies_in_the_box(plot: Plot) -> None:
    drawing = draw(plot)
    for bar in (bar for row in drawing.rows for bar in row.bars):
        assert 0 <= bar.x <= bar.x + bar.width <= WIDTH + 1
        assert 0 <= bar.y <= drawing.height
    for line in drawing.lines:
        points = [tuple(map(float, p.split(","))) for run in line.runs for p in run.split()]
        for x, y in [*points, *line.dots]:
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT
    assert len(drawing.values) == max(len(plot.labels), len(plot.wanted), len(plot.seen))


def test_bars_are_in_proportion_from_zero() -> None:
    rows = draw(Plot("t", ("a", "b", "c"), (100, 50, -100), (100, 25, 0))).rows
    assert rows[0].bars[0].width == pytest.approx(2 * rows[1].bars[0].width)
    assert rows[1].bars[0].width == pytest.approx(2 * rows[1].bars[1].width, abs=0.2)
    assert rows[2].bars[0].x == 0
    assert rows[0].bars[0].x == pytest.approx(rows[2].bars[0].width)


def test_dates_and_long_series_are_lines_and_names_are_bars() -> None:
    assert draw(Plot("t", samples.MONTHS, samples.SALES, samples.SALES)).lines
    assert draw(Plot("t", tuple("abcdefghijklmnopqrst"), (1,) * 20, (1,) * 20)).lines
    assert draw(Plot("t", samples.PRODUCTS, (1,) * 5, (1,) * 5)).rows
    assert draw(Plot("t", ("2025-01",), (1,), (1,))).rows


def test_a_line_breaks_at_a_gap_and_marks_a_lonely_point() -> None:
    plot = Plot("t", samples.MONTHS[:6], (1, 2, 3, 4, 5, 6), (1, 2, math.nan, 4, math.nan, 6))
    wanted, seen = draw(plot).lines
    assert (len(wanted.runs), len(wanted.dots)) == (1, 0)
    assert (len(seen.runs), len(seen.dots)) == (1, 2)


def test_short_numbers() -> None:
    texts = [short(v) for v in (0, 12.345, 940, 12_345, 1_250_000, 3.2e9, -20_000, 1e20)]
    assert texts == ["0", "12,35", "940", "12,3 k", "1,2 M", "3,2 Md", "-20 k", "1.0e+20"]
