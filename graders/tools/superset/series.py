"""From a chart's rows to series: labels and numbers, whatever their columns are called.

A chart may give several: one per dimension and measure, and their sum where a breakdown made a
column of each value. Dates come as epoch milliseconds or as text, numbers at times as text.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from datagen.sales import YEAR
from graders.clients.superset import Reply, Rows
from graders.statics import fold
from graders.text import one_line

MOST = 24  # series of one chart
WIDEST = 60  # columns of one answer that are looked at
_NUMBERS, _DATES = 0, 2
_ISO = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:[t ].*)?")
_SPACES = re.compile(r"[\s\u00a0\u202f€%]")
_MONTHS = ("janvier", "fevrier", "mars", "avril", "mai", "juin", "juillet", "aout", "septembre",
           "octobre", "novembre", "decembre")  # fmt: skip
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Series:
    """Labels and values in the order of the chart; `days` are the labels' dates, if they are."""

    labels: tuple[str, ...]
    values: tuple[float, ...]
    days: tuple[dt.date, ...] = ()


def series(reply: Reply) -> list[Series]:
    """Return all that a chart's rows can be read as."""
    found: list[Series] = []
    for rows in reply.queries:
        found += list(_series(rows))
    return found[:MOST]


def numbers(reply: Reply, params: Mapping[str, Any]) -> list[float]:
    """Return what a chart of one number shows; with a trend line, its last value by default."""
    way = str(params.get("aggregation") or "LAST_VALUE").lower()
    if len(reply.queries) > 1 and way in ("raw", "overall"):
        return _values(reply.queries[1])
    if not reply.queries:
        return []
    values = _values(reply.queries[0])
    if way == "sum" and values:
        return [math.fsum(values)]
    if way == "mean" and values:
        return [math.fsum(values) / len(values)]
    return values[-1:]


def number(value: Any) -> float | None:
    """Return a finite number, also from a text such as « 1 234,5 € »; None where it is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = _SPACES.sub("", value) if len(value) < 60 else ""
        if "," in value and "." not in value:
            value = value.replace(",", ".")
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def day(value: Any) -> dt.date | None:
    """Return a date: epoch milliseconds, ISO text, « 2025-03 », « mars 2025 », « mars », « 03 »."""
    try:
        if isinstance(value, int | float) and value not in range(1, 13):
            return (_EPOCH + dt.timedelta(milliseconds=float(value))).date()
        return _written(fold(str(value)[:40]))
    except (OverflowError, ValueError):
        return None


def _written(text: str) -> dt.date | None:
    """Return the date that a folded text writes; ValueError where there is no such day."""
    if found := _ISO.fullmatch(text):
        return dt.date(int(found[1]), int(found[2]), int(found[3] or 1))
    if re.fullmatch(r"0?[1-9]|1[0-2]", text):
        return dt.date(YEAR, int(text), 1)
    month, _, year = text.partition(" ")
    if month not in _MONTHS:
        return None
    return dt.date(int(year or YEAR), _MONTHS.index(month) + 1, 1)


def _series(rows: Rows) -> Iterator[Series]:
    kinds = dict(zip(rows.columns[:WIDEST], rows.types, strict=False))
    measures = [c for c, kind in kinds.items() if _measure(rows, c, kind, next(iter(kinds)))]
    dimensions = [c for c in kinds if c not in measures]
    if not dimensions and len(measures) > 1 and len(rows.rows) > 1:
        dimensions = [measures.pop(0)]  # months as numbers
    for dimension in dimensions[:4]:
        for columns in [[m] for m in measures] + ([measures] if len(measures) > 1 else []):
            yield _summed(rows, dimension, columns)


def _measure(rows: Rows, column: str, kind: int, first: str) -> bool:
    if kind == _NUMBERS:
        return True
    if kind == _DATES or column == first:
        return False
    values = [v for row in rows.rows[:50] if (v := row.get(column)) is not None]
    return bool(values) and all(number(v) is not None for v in values)


def _summed(rows: Rows, dimension: str, columns: Sequence[str]) -> Series:
    """Add the values of each label up: a breakdown's parts make the whole."""
    sums: dict[Any, float] = {}
    for row in rows.rows:
        label = row.get(dimension)
        label = label if isinstance(label, str | int | float) else str(label)
        values = [number(row.get(column)) or 0.0 for column in columns]
        sums[label] = sums.get(label, 0.0) + math.fsum(values)
    days = tuple(d for v in sums if (d := day(v)) is not None)
    return Series(
        tuple(one_line(v, 80) for v in sums),
        tuple(sums.values()),
        days if len(days) == len(sums) else (),
    )


def _values(rows: Rows) -> list[float]:
    """Return the numbers of the last numeric column, in order."""
    kinds = list(zip(rows.columns, rows.types, strict=False))
    columns = [c for c, kind in kinds if kind == _NUMBERS] or [c for c, k in kinds if k != _DATES]
    if not columns:
        return []
    return [v for row in rows.rows if (v := number(row.get(columns[-1]))) is not None]
