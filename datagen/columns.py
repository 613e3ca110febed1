"""Vectorised draws: from the random words of a column's rows to whole numbers."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datagen.table import Ints, Stream

_EPOCH = dt.date(1970, 1, 1)


def weighted(stream: Stream, rows: range, weights: Sequence[int]) -> Ints:
    """Draw an index into `weights` for each row, as likely as its whole-number weight."""
    lots = np.repeat(np.arange(len(weights), dtype=np.int64), weights)
    drawn: Ints = lots[stream.below(len(lots), rows)]
    return drawn


def skewed(stream: Stream, rows: range, bound: int) -> Ints:
    """Draw integers in [0, bound) that favour the small ones, as the square of a uniform does."""
    drawn = stream.words(rows)
    drawn >>= np.uint64(32)
    drawn *= drawn
    drawn >>= np.uint64(32)
    drawn *= np.uint64(bound)
    drawn >>= np.uint64(32)
    return drawn.view(np.int64)


def struck(stream: Stream, rows: range, one_in: int) -> NDArray[np.bool_]:
    """Tell which rows a planted defect strikes, each with a chance of one in `one_in`."""
    hit: NDArray[np.bool_] = stream.below(one_in, rows) == 0
    return hit


def shuffled(stream: Stream, count: int) -> Ints:
    """Return the numbers below `count` in a random order."""
    return np.argsort(stream.words(range(count)), kind="stable").astype(np.int64)


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


def ascii_fold(text: str) -> str:
    """Return the text in lower case, without accents, spaces nor apostrophes."""
    letters = unicodedata.normalize("NFKD", text).lower()
    return "".join(c for c in letters if c.isascii() and (c.isalnum() or c == "-"))
