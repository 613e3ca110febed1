"""Planted defects: each wraps a healthy column, or a healthy table, and spoils a known share of it.

A defect draws from a stream of its own below the column's, so the values that it spares are the
healthy column's values.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datagen.table import Column, Ints, Stream


def struck(stream: Stream, rows: range, one_in: int) -> NDArray[np.bool_]:
    """Tell which rows a defect strikes, each with a chance of one in `one_in`."""
    hit: NDArray[np.bool_] = stream.below(one_in, rows) == 0
    return hit


def nulls(column: Column, one_in: int) -> Column:
    """Blank one value in `one_in`."""

    def spoiled(stream: Stream, rows: range) -> pa.Array:
        keep = pa.array(~struck(stream.child("nulls"), rows, one_in))
        return pc.if_else(keep, pa.array(column(stream, rows)), None)

    return spoiled


def negatives(column: Column, one_in: int) -> Column:
    """Turn one whole number in `one_in` into its opposite."""
    return _rewritten(column, "negatives", one_in, lambda values: -values)


def outliers(column: Column, one_in: int, factor: int) -> Column:
    """Multiply one whole number in `one_in` by `factor`."""
    return _rewritten(column, "outliers", one_in, lambda values: values * factor)


def duplicates(table: pa.Table, stream: Stream, one_in: int) -> pa.Table:
    """Repeat one row in `one_in` right after itself."""
    hit = struck(stream, range(table.num_rows), one_in)
    return table.take(pa.array(np.repeat(np.arange(table.num_rows), 1 + hit)))


def _rewritten(column: Column, name: str, one_in: int, change: Callable[[Ints], Ints]) -> Column:
    def spoiled(stream: Stream, rows: range) -> Ints:
        values = np.asarray(column(stream, rows))
        return np.where(struck(stream.child(name), rows, one_in), change(values), values)

    return spoiled
