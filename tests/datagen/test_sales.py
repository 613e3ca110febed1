"""The insights planted in 01 are there to be found, and the truths are found without them."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import registry, sales
from datagen.errors import DatagenError
from datagen.sales_truths import Truths, truths

seeds = st.integers(0, 2**63 - 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ventes") / "donnees"
    registry.write("01_superset", 7, folder)
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> Truths:
    return truths(folder / "ventes.csv")


def test_default_sizes(folder: Path) -> None:
    rows = pd.read_csv(folder / "ventes.csv")
    assert len(rows) == 2_000
    assert rows["produit"].nunique() == 35
    assert rows["client_id"].nunique() == 25
    assert rows["categorie"].nunique() == 5
    assert list(rows.columns) == sales.TABLE.schema.names


@settings(max_examples=30, deadline=None)
@given(seed=seeds, scale=st.sampled_from([0.5, 1.0, 3.0]))
def test_the_sales_are_sound(seed: int, scale: float) -> None:
    rows = sales.build(seed, scale)
    assert not rows.isna().any(axis=None)
    assert (rows["date"].dt.year == sales.YEAR).all()
    assert rows["date"].dt.month.nunique() == 12
    assert rows["quantite"].between(1, 5).all()
    assert rows["prix_unitaire"].min() > 0
    cents = (rows["prix_unitaire"] * 100).round() * rows["quantite"]
    assert (cents == (rows["montant_total"] * 100).round()).all()
    assert rows.groupby("produit")["categorie"].nunique().max() == 1
    assert rows.groupby("produit")["prix_unitaire"].nunique().max() == 1


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_what_is_planted_can_be_found(seed: int) -> None:
    rows, planted = sales.build(seed), sales.plan(seed)
    by_product = rows.groupby("produit")["montant_total"].sum().sort_values(ascending=False)
    assert by_product.index[0] == planted.products[planted.flagship].name
    assert by_product.iloc[0] > 1.3 * by_product.iloc[1]
    by_month = rows.groupby(rows["date"].dt.month)["montant_total"].sum().sort_values()
    assert by_month.index[0] == planted.bad_month
    assert by_month.iloc[0] < 0.75 * by_month.iloc[1]
    assert by_month[12] > by_month.median()


def test_truths_by_another_path(folder: Path, answers: Truths) -> None:
    rows = pd.read_csv(folder / "ventes.csv")
    assert answers.sales == len(rows)
    assert float(answers.revenue) == pytest.approx(rows["montant_total"].sum())
    assert float(answers.average_basket) == pytest.approx(rows["montant_total"].mean(), abs=0.005)
    by_product = rows.groupby("produit")["montant_total"].sum().sort_values(ascending=False)
    assert [name for name, _ in answers.top_products] == list(by_product.index[:10])
    assert dict(answers.sales_by_client) == rows["client_id"].value_counts().to_dict()
    for parts in (answers.by_month, answers.by_day, answers.by_category, answers.by_client):
        assert sum((amount for _, amount in parts), Decimal(0)) == answers.revenue
    assert answers.lowest_month == f"{sales.YEAR}-{sales.plan(7).bad_month:02}"


def test_truths_follow_the_filters(folder: Path, answers: Truths) -> None:
    rows = pd.read_csv(folder / "ventes.csv")
    category = answers.by_category[0][0]
    kept = rows[(rows["date"].str[:7] == "2025-03") & (rows["categorie"] == category)]
    seen = truths(folder / "ventes.csv", months=("2025-03",), categories=(category,))
    assert seen.sales == len(kept)
    assert float(seen.revenue) == pytest.approx(kept["montant_total"].sum())
    assert [name for name, _ in seen.by_month] == ["2025-03"]
    nothing = truths(folder / "ventes.csv", months=("1999-01",))
    assert (nothing.sales, nothing.revenue, nothing.average_basket) == (0, 0, 0)


def test_sqlite_holds_the_csv(folder: Path) -> None:
    db = sqlite3.connect(folder / "ventes.db")
    try:
        seen = pd.read_sql("SELECT * FROM ventes", db)
    finally:
        db.close()
    pd.testing.assert_frame_equal(seen, pd.read_csv(folder / "ventes.csv"))


def test_senseless_scale() -> None:
    with pytest.raises(DatagenError, match="--scale"):
        sales.build(1, -2)
