"""Rows as whole numbers, shown as typed columns or spelled as CSV.

A sheet is made of parts. A row is one whole number per part: a place in a small lookup table, a
count, an amount in cents. The typed table gathers from the lookup tables. The CSV text does too:
every text that a row can hold is spelled once, and the rows of a chunk are one gathering of those
spellings, ten times as fast as formatting them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from datagen.table import Ints, money

# Where the spellings of some rows are: all after a common place, each so far from it.
Places: TypeAlias = tuple[int, NDArray[np.int32] | NDArray[np.int64]]

_GROUP = 10_000  # numbers are spelled by groups of four digits
_NOTHING = 2 * _GROUP  # the place of the empty text, after the padded and the bare groups


class Part(Protocol):
    """Some neighbouring columns of a sheet, told by one whole number per row."""

    def columns(self, values: Ints) -> pa.Table:
        """Return the typed columns."""

    def spellings(self, end: str) -> list[str]:
        """Return every text that `places` refers to, where `end` closes the part."""

    def places(self, values: Ints) -> list[Places]:
        """Return, for each row, the places of the spellings that follow each other in it."""


class Lookup:
    """The columns of a small table; a row's number is a place in it."""

    def __init__(self, table: pa.Table) -> None:
        # Texts are gathered and written by their code, which costs less than by themselves.
        self._coded = table.from_arrays(
            [c.dictionary_encode() if pa.types.is_string(c.type) else c for c in table.columns],
            table.column_names,
        )

    def columns(self, values: Ints) -> pa.Table:
        """Gather the rows; texts come as a dictionary's."""
        return self._coded.take(pa.array(values))

    def spellings(self, end: str) -> list[str]:
        """Spell each row of the small table."""
        lines = encoded(self._coded).to_pybytes().decode().split("\n")
        return [line + end for line in lines[:-1]]

    def places(self, values: Ints) -> list[Places]:
        """Return the places themselves."""
        return [(0, values)]


@dataclass(frozen=True, slots=True)
class Number:
    """A column of whole numbers, none negative."""

    name: str

    def columns(self, values: Ints) -> pa.Table:
        """Return the numbers."""
        return pa.table({self.name: values})

    def spellings(self, end: str) -> list[str]:
        """Spell all groups of four digits, for the inside of a number and for its end."""
        return list(_groups(end))

    def places(self, values: Ints) -> list[Places]:
        """Return the places of a number's groups, the highest first."""
        # Unsigned and short where it can be: a division costs ten times less.
        rest: NDArray[Any] = values.astype(np.uint64 if values.max(initial=0) >> 32 else np.uint32)
        closing = _NOTHING + 1
        groups: list[Places] = []
        while not groups or rest.any():
            above = rest // _GROUP
            place = (rest - above * _GROUP).astype(np.int32)
            place += (above == 0) * np.int32(_GROUP)  # the first group has no leading zeros
            if groups:
                place[rest == 0] = _NOTHING
            groups.append((closing, place))
            rest, closing = above, 0
        return groups[::-1]


@lru_cache(maxsize=8)  # columns end as their format asks: by a comma, a tab, a line break
def _groups(end: str) -> tuple[str, ...]:
    padded, bare = [f"{i:04}" for i in range(_GROUP)], [str(i) for i in range(_GROUP)]
    inside = [*padded, *bare, ""]
    return (*inside, *(text + end for text in inside))


@dataclass(frozen=True, slots=True)
class Money:
    """A column of amounts in cents, none negative."""

    name: str

    def columns(self, values: Ints) -> pa.Table:
        """Return decimals."""
        return pa.table({self.name: money(values)})

    def spellings(self, end: str) -> list[str]:
        """Spell what a number needs for the euros, and all cents."""
        return [*Number("").spellings(""), *(f".{i:02}{end}" for i in range(100))]

    def places(self, values: Ints) -> list[Places]:
        """Return the places of the euros' groups and of the cents."""
        euros = values // 100
        after = 2 * (_NOTHING + 1)
        return [*Number("").places(euros), (after, values - euros * 100)]


class Text:
    """A column of texts, each made of parts; `values` has a line of numbers for each part."""

    def __init__(self, name: str, parts: Sequence[Part], ends: Sequence[str]) -> None:
        self._name = name
        self._inner = _Speller(parts, ends)
        self._parts, self._ends = parts, ends

    def columns(self, values: Ints) -> pa.Table:
        """Spell the texts."""
        return pa.table({self._name: self._inner.spell(list(values))})

    def spellings(self, end: str) -> list[str]:
        """Return what the parts spell."""
        *ends, last = self._ends
        return _Speller(self._parts, [*ends, last + end]).texts

    def places(self, values: Ints) -> list[Places]:
        """Return the places of the parts' spellings."""
        return self._inner.places(list(values))


class _Speller:
    """Parts one after the other, each closed by its own text."""

    def __init__(self, parts: Sequence[Part], ends: Sequence[str]) -> None:
        self._parts = parts
        spelled = [part.spellings(end) for part, end in zip(parts, ends, strict=True)]
        self._starts = list(accumulate(map(len, spelled), initial=0))[:-1]
        self.texts = [text for texts in spelled for text in texts]
        self._array = pa.array(self.texts)

    def places(self, values: Sequence[Ints]) -> list[Places]:
        """Return for each row the places in `texts` that make it."""
        return [
            (start + after, place)
            for start, part, numbers in zip(self._starts, self._parts, values, strict=True)
            for after, place in part.places(numbers)
        ]

    def spell(self, values: Sequence[Ints]) -> pa.StringArray:
        """Return the text of each row: one gathering, whose pieces follow each other in memory."""
        places = self.places(values)
        count, rows = len(places), len(places[0][1])
        spread = np.empty((rows, count), dtype=np.int32)
        for i, (start, place) in enumerate(places):
            np.add(place, start, out=spread[:, i], casting="unsafe")
        _, offsets, data = self._array.take(pa.array(spread.ravel())).buffers()
        ends = np.frombuffer(offsets, dtype=np.int32)[: rows * count + 1 : count]
        whole = pa.py_buffer(np.ascontiguousarray(ends))
        return pa.StringArray.from_buffers(rows, whole, data)


class Sheet:
    """A table's parts, in the order of its columns; the first is told by one number per row."""

    def __init__(self, schema: pa.Schema, *parts: Part) -> None:
        self.schema = schema
        self._parts = parts
        self._speller = _Speller(parts, [","] * (len(parts) - 1) + ["\n"])

    def table(self, values: Sequence[Ints]) -> pa.Table:
        """Return the rows as typed columns."""
        return self.coded(values).cast(self.schema)

    def coded(self, values: Sequence[Ints]) -> pa.Table:
        """Return the rows as typed columns, of which texts may be a dictionary's."""
        found: dict[str, pa.ChunkedArray] = {}
        for part, numbers in zip(self._parts, values, strict=True):
            columns = part.columns(numbers)
            found |= zip(columns.column_names, columns.columns, strict=True)
        coded = pa.table(found)
        types = [
            seen.type if pa.types.is_dictionary(seen.type) else wanted.type
            for seen, wanted in zip(coded.schema, self.schema, strict=True)
        ]
        return coded.cast(pa.schema(zip(self.schema.names, types, strict=True)))

    def csv(self, values: Sequence[Ints]) -> pa.Buffer:
        """Return the rows as CSV, without a header."""
        spelled = self._speller.spell(values)
        size = np.frombuffer(spelled.buffers()[1], dtype=np.int32)[-1]
        return spelled.buffers()[2].slice(0, int(size))


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a sheet."""

    sheet: Sheet
    values: tuple[Ints, ...]

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.values[0])

    def table(self) -> pa.Table:
        """Return the rows as typed columns."""
        return self.sheet.table(self.values)

    def coded(self) -> pa.Table:
        """Return the rows as typed columns, of which texts may be a dictionary's."""
        return self.sheet.coded(self.values)

    def csv(self) -> pa.Buffer:
        """Return the rows as CSV, without a header."""
        return self.sheet.csv(self.values)


def encoded(table: pa.Table) -> pa.Buffer:
    """Return any table's rows as CSV, without a header, as Arrow formats them."""
    # Arrow quotes every name of a header, and with "needed" every text: writers have a header of
    # their own, and "none" raises if a text ever needs quotes.
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(table, sink, options)
    return sink.getvalue()
