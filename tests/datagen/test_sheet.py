"""What a sheet spells is what Arrow formats from its typed columns."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen.sheet import Lookup, Money, Number, Rows, Sheet, Text, encoded
from datagen.table import MONEY

TOWNS = pa.table(
    {"ville": ["Orléans", "Sète", "L'Haÿ"], "jour": [dt.date(2025, 1, i) for i in (1, 2, 3)]}
)
INITIALS = Lookup(pa.table({"x": ["é", "zz", ""]}))
SCHEMA = pa.schema(
    {
        "montant": MONEY,
        "ville": pa.string(),
        "jour": pa.date32(),
        "courriel": pa.string(),
        "numero": pa.int64(),
    }
)
SHEET = Sheet(
    SCHEMA,
    Money("montant"),
    Lookup(TOWNS),
    Text("courriel", (INITIALS, Number("n")), ("-", "@exemple.fr")),
    Number("numero"),
)

numbers = st.one_of(
    st.integers(0, 10**11),
    st.sampled_from([0, 9, 10, 9_999, 10_000, 10_001, 10**8 - 1, 10**8, 2**32 - 1, 2**32, 2**33]),
)
rows = st.lists(
    st.tuples(st.integers(0, 10**11), st.integers(0, 2), st.integers(0, 2), numbers, numbers),
    min_size=1,
    max_size=30,
)


def made(drawn: list[tuple[int, int, int, int, int]]) -> Rows:
    amount, town, initial, n, number = np.array(drawn, dtype=np.int64).T
    return Rows(SHEET, (amount, town, np.stack([initial, n]), number))


@given(rows)
def test_the_spelling_is_the_formatting(drawn: list[tuple[int, int, int, int, int]]) -> None:
    sheet = made(drawn)
    assert sheet.num_rows == len(drawn)
    assert sheet.csv().to_pybytes() == encoded(sheet.table()).to_pybytes()


@given(rows)
def test_the_formatting_is_pythons(drawn: list[tuple[int, int, int, int, int]]) -> None:
    towns = TOWNS.to_pylist()
    wanted = "".join(
        f"{amount // 100}.{amount % 100:02},{towns[town]['ville']},{towns[town]['jour']},"
        f"{('é', 'zz', '')[initial]}-{n}@exemple.fr,{number}\n"
        for amount, town, initial, n, number in drawn
    )
    assert made(drawn).csv().to_pybytes().decode() == wanted


def test_typed_columns_have_the_schema() -> None:
    assert made([(123, 0, 1, 7, 42)]).table().schema == SCHEMA
    assert made([(123, 0, 1, 7, 42)]).table().to_pylist() == [
        {
            "montant": Decimal("1.23"),
            "ville": "Orléans",
            "jour": dt.date(2025, 1, 1),
            "courriel": "zz-7@exemple.fr",
            "numero": 42,
        }
    ]


def test_a_text_that_needs_quotes_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid, match="quot"):
        Sheet(pa.schema({"x": pa.string()}), Lookup(pa.table({"x": ["a,b"]})))
