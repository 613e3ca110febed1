"""A column depends on its own stream alone, and a row on its own number alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import columns
from datagen.table import cents, chunked, money, stream


@given(cuts=st.lists(st.integers(0, 500), max_size=6), seed=st.integers(0, 2**63 - 1))
def test_words_belong_to_their_rows_however_cut(cuts: list[int], seed: int) -> None:
    named = stream(seed, "t", "a")
    edges = [0, *sorted(cuts), 500]
    parts = [named.words(range(a, b)) for a, b in pairwise(edges)]
    assert np.concatenate(parts).tolist() == named.words(range(500)).tolist()


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


def test_struck_strikes_its_share() -> None:
    assert columns.struck(stream(3, "w"), range(20_000), 20).mean() == pytest.approx(0.05, abs=0.01)


@given(count=st.integers(1, 200), seed=st.integers(0, 99))
def test_shuffled_keeps_each_number(count: int, seed: int) -> None:
    assert sorted(columns.shuffled(stream(seed, "x"), count)) == list(range(count))


def test_folded_names_are_plain() -> None:
    assert columns.ascii_fold("D'Hervé") == "dherve"
    assert columns.ascii_fold("Le Goff") == "legoff"
    assert columns.ascii_fold("Müller-Faÿ") == "muller-fay"
