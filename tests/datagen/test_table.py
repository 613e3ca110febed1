"""A column depends on its own stream alone, and a row on its own number alone."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import columns, defects
from datagen.table import build, cents, chunked, money, stream

COLUMNS = {
    "id": columns.serial(),
    "ville": columns.choice(["Orléans", "Sète", "Béziers"], [5, 3, 1]),
    "quantite": columns.integers(1, 9),
    "jour": columns.day(dt.date(2025, 1, 1), dt.date(2025, 12, 31)),
}


@given(cuts=st.lists(st.integers(0, 500), max_size=6), seed=st.integers(0, 2**63 - 1))
def test_chunks_of_any_size_make_the_same_table(cuts: list[int], seed: int) -> None:
    edges = [0, *sorted(cuts), 500]
    runs = [range(a, b) for a, b in pairwise(edges)]
    parts = [build("t", COLUMNS, rows, seed) for rows in runs]
    assert pa.concat_tables(parts).equals(build("t", COLUMNS, range(500), seed))


def test_adding_a_column_leaves_the_others_as_they_were() -> None:
    more = {"nouvelle": columns.integers(0, 5), **COLUMNS}
    assert (
        build("t", more, range(300), 7)
        .select(list(COLUMNS))
        .equals(build("t", COLUMNS, range(300), 7))
    )


@pytest.mark.parametrize("other", [("t", "b"), ("u", "a"), ("t", "a", "x")])
def test_every_name_has_its_own_words(other: tuple[str, ...]) -> None:
    mine = stream(1, "t", "a").words(range(100))
    assert not np.isin(stream(1, *other).words(range(100)), mine).any()
    assert not np.isin(stream(2, "t", "a").words(range(100)), mine).any()


def test_the_words_are_those_of_every_machine() -> None:
    assert stream(1, "t", "a").words(range(1000, 1003)).tolist() == [
        9045804526132253143,
        8895201846950959148,
        15661936282126985955,
    ]


@given(bound=st.integers(1, 2**31), seed=st.integers(0, 99))
def test_below_stays_below(bound: int, seed: int) -> None:
    drawn = stream(seed, "x").below(bound, range(50))
    assert drawn.min() >= 0
    assert drawn.max() < bound


def test_weights_are_shares() -> None:
    drawn = columns.weighted(stream(3, "w"), range(20_000), (6, 3, 1))
    assert np.bincount(drawn, minlength=3) / 20_000 == pytest.approx([0.6, 0.3, 0.1], abs=0.02)


def test_skewed_favours_the_small() -> None:
    drawn = columns.skewed(stream(3, "w"), range(20_000), 100)
    assert (drawn < 25).mean() == pytest.approx(0.5, abs=0.02)


@given(st.lists(st.integers(-(10**11), 10**11)))
def test_money_keeps_every_cent(amounts: list[int]) -> None:
    column = pa.chunked_array([money(np.array(amounts, dtype=np.int64))])
    assert cents(column).tolist() == amounts
    assert [f"{value:.2f}" for value in column.to_pylist()] == [
        f"{'-' * (c < 0)}{abs(c) // 100}.{abs(c) % 100:02}" for c in amounts
    ]


def test_money_of_a_slice() -> None:
    column = pa.chunked_array([money(np.arange(10)).slice(3, 4), money(np.arange(2))])
    assert cents(column).tolist() == [3, 4, 5, 6, 0, 1]


def test_rising_goes_up_in_proportion() -> None:
    weights = (1, 0, 3, 6)
    bins = np.concatenate(
        [columns.rising(stream(1, "d"), rows, 1000, weights) for rows in chunked(1000, 64)]
    )
    assert np.bincount(bins) == pytest.approx([100, 0, 300, 600], abs=10)
    assert np.abs(np.diff(bins)).max() <= 2


def test_skipping_never_gives_a_multiple() -> None:
    assert columns.skipping(np.arange(6), 3).tolist() == [1, 2, 4, 5, 7, 8]


class TestDefects:
    ROWS = range(5_000)

    def healthy(self) -> np.ndarray:
        return np.asarray(build("t", {"q": columns.integers(1, 9)}, self.ROWS, 4)["q"])

    def test_nulls_spare_the_other_values(self) -> None:
        column = {"q": defects.nulls(columns.integers(1, 9), 20)}
        spoiled = build("t", column, self.ROWS, 4)["q"].to_pandas()
        assert spoiled.isna().mean() == pytest.approx(0.05, abs=0.01)
        kept = spoiled.notna().to_numpy()
        assert (spoiled[kept] == self.healthy()[kept]).all()

    def test_negatives_are_the_opposites(self) -> None:
        column = {"q": defects.negatives(columns.integers(1, 9), 20)}
        spoiled = np.asarray(build("t", column, self.ROWS, 4)["q"])
        assert (spoiled < 0).mean() == pytest.approx(0.05, abs=0.01)
        assert (np.abs(spoiled) == self.healthy()).all()

    def test_outliers_are_multiplied(self) -> None:
        column = {"q": defects.outliers(columns.integers(1, 9), 50, 100)}
        spoiled = np.asarray(build("t", column, self.ROWS, 4)["q"])
        struck = spoiled >= 100
        assert struck.mean() == pytest.approx(0.02, abs=0.01)
        assert (spoiled[struck] == self.healthy()[struck] * 100).all()
        assert (spoiled[~struck] == self.healthy()[~struck]).all()

    def test_duplicates_follow_their_row(self) -> None:
        table = build("t", COLUMNS, range(1_000), 4)
        doubled = defects.duplicates(table, stream(4, "t", "doubles"), 10)
        ids = doubled["id"].to_numpy()
        assert doubled.num_rows > 1_050
        assert (np.diff(ids) <= 1).all()
        assert np.unique(ids).tolist() == list(range(1, 1_001))
