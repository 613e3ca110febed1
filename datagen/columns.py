"""Vectorised column builders: from the random words of a column's rows to its values."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from datagen.table import Column, Ints, Stream

_EPOCH = dt.date(1970, 1, 1)


def serial(start: int = 1) -> Column:
    """Number the rows from `start`."""
    return lambda _, rows: np.arange(rows.start + start, rows.stop + start, dtype=np.int64)


def integers(low: int, high: int) -> Column:
    """Draw integers from `low` to `high`, both included, all as likely."""
    return lambda stream, rows: stream.below(high - low + 1, rows) + low


def weighted(stream: Stream, rows: range, weights: Sequence[int]) -> Ints:
    """Draw an index into `weights` for each row, as likely as its whole-number weight."""
    lots = np.repeat(np.arange(len(weights), dtype=np.int64), weights)
    drawn: Ints = lots[stream.below(len(lots), rows)]
    return drawn


def counts(weights: Sequence[int]) -> Column:
    """Draw 1, 2, 3..., as likely as their weights."""
    return lambda stream, rows: weighted(stream, rows, weights) + 1


def skewed(stream: Stream, rows: range, bound: int) -> Ints:
    """Draw integers in [0, bound) that favour the small ones, as the square of a uniform does."""
    drawn = stream.words(rows)
    drawn >>= np.uint64(32)
    drawn *= drawn
    drawn >>= np.uint64(32)
    drawn *= np.uint64(bound)
    drawn >>= np.uint64(32)
    return drawn.view(np.int64)


def choice(values: Sequence[str], weights: Sequence[int] | None = None) -> Column:
    """Draw one of the texts, as likely as its weight."""
    texts, shares = pa.array(values), weights or [1] * len(values)
    return lambda stream, rows: texts.take(pa.array(weighted(stream, rows, shares)))


def day(first: dt.date, last: dt.date) -> Column:
    """Draw a date from `first` to `last`, both included, all as likely."""
    span = (last - first).days + 1
    return lambda stream, rows: dates(first, stream.below(span, rows))


def dates(first: dt.date, offsets: Ints) -> pa.Array:
    """Turn days after `first` into dates."""
    return pa.array((offsets + (first - _EPOCH).days).astype(np.int32)).cast(pa.date32())


def rising(stream: Stream, rows: range, total: int, weights: Sequence[int]) -> Ints:
    """Spread `total` rows over the bins of `weights` in row order: row 0 in the first bin.

    The bins fill in proportion to their weights, so that dates rise with identifiers.
    """
    lots = np.repeat(np.arange(len(weights), dtype=np.int64), weights)
    span = len(lots)
    at = np.arange(rows.start, rows.stop, dtype=np.uint64) * np.uint64(span)
    at += stream.below(span, rows).view(np.uint64)
    at //= np.uint64(total)  # unsigned: ten times as fast
    found: Ints = lots[at.view(np.int64)]
    return found


def skipping(ranks: Ints, every: int) -> Ints:
    """Number ranks from 1 and skip each multiple of `every`: 1, 2, 4, 5, 7... for 3."""
    numbered: Ints = ranks + ranks // (every - 1) + 1
    return numbered


def mapped(texts: pa.Array | pa.ChunkedArray, mapping: Mapping[str, str]) -> pa.Array:
    """Replace each text by what `mapping` gives for it."""
    return pa.array(list(mapping.values())).take(pc.index_in(texts, pa.array(list(mapping))))


def ascii_fold(text: str) -> str:
    """Return the text in lower case, without accents, spaces nor apostrophes."""
    letters = unicodedata.normalize("NFKD", text).lower()
    return "".join(c for c in letters if c.isascii() and (c.isalnum() or c == "-"))
