"""What every data set is drawn from: named streams of random words.

Every column owns a stream of random 64-bit words, named by (seed, table, column), and the word
number i belongs to row i. So a column added or removed leaves the others as they were, and a
table cut into chunks of any size, in any order, on any number of cores, is the same table.

Only the raw words of PCG64 are drawn, which NumPy guarantees for ever, and only integers are
computed from them: no rounding, libm, SIMD path or summation order can differ between machines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.uint64]
Ints: TypeAlias = NDArray[np.int64]

MONEY = pa.decimal128(12, 2)


@dataclass(frozen=True, slots=True)
class Table:
    """What a table is made of; `references` maps a column to the table whose key it holds."""

    name: str
    schema: pa.Schema
    key: str | None = None
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """The random words that belong to one seed and one path of names."""

    seed: int
    names: tuple[str, ...]

    def words(self, rows: range) -> Words:
        """Return the words of these consecutive rows."""
        text = "/".join((str(self.seed), *self.names)).encode()
        entropy = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")
        generator = np.random.PCG64(entropy)
        generator.advance(rows.start)
        words: Words = generator.random_raw(len(rows))
        return words

    def below(self, bound: int, rows: range) -> Ints:
        """Return one integer in [0, bound) for each row, for a bound of at most 2**31."""
        scaled = self.words(rows)
        scaled >>= np.uint64(32)
        scaled *= np.uint64(bound)
        scaled >>= np.uint64(32)
        return scaled.view(np.int64)

    def child(self, name: str) -> Stream:
        """Return a stream below this one, for a column that draws more than once per row."""
        return Stream(self.seed, (*self.names, name))


def stream(seed: int, *names: str) -> Stream:
    """Return the stream that belongs to this seed and these names."""
    return Stream(seed, names)


def chunked(rows: int, size: int) -> list[range]:
    """Cut the rows of a table into runs of at most `size`."""
    return [range(start, min(start + size, rows)) for start in range(0, rows, size)]


def money(cents: Ints) -> pa.Array:
    """Turn whole cents into decimals with two digits."""
    wide = np.empty((len(cents), 2), dtype="<i8")  # a decimal128 is a 16-byte little-endian integer
    wide[:, 0] = cents
    wide[:, 1] = cents >> 63
    return pa.Array.from_buffers(MONEY, len(cents), [None, pa.py_buffer(wide)])


def cents(amounts: pa.ChunkedArray) -> Ints:
    """Turn decimals with two digits, none null, back into whole cents."""
    parts = [
        np.frombuffer(part.buffers()[1], dtype="<i8").reshape(-1, 2)[part.offset :][: len(part), 0]
        for part in amounts.chunks
    ]
    whole: Ints = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return whole


def plain(table: pa.Table) -> pa.Table:
    """Return the table with every amount of money as a float, the nearest one to its decimal."""
    for i, column in enumerate(table.schema):
        if column.type == MONEY and not table.column(i).null_count:
            table = table.set_column(i, column.name, pa.array(cents(table.column(i)) / 100))
    return table


def frame(table: pa.Table) -> pd.DataFrame:
    """Return the table as a DataFrame: money as floats, dates as datetime64."""
    result: pd.DataFrame = plain(table).to_pandas(date_as_object=False)
    return result
