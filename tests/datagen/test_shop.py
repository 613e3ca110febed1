"""What holds of the shop on every seed, checked in SQL or pandas and not with the generator."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import catalogue, shop
from datagen.errors import DatagenError

Tables = Mapping[str, pd.DataFrame]

seeds = st.integers(0, 2**63 - 1)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return shop.build(2026)


def test_default_sizes_are_small_enough_for_dbt(tables: Tables) -> None:
    sizes = {name: len(rows) for name, rows in tables.items()}
    lines = sizes.pop("details_commandes")
    assert sizes == {"clients": 300, "produits": 60, "commandes": 2_000}
    assert 4_500 < lines < 5_500


@settings(max_examples=25, deadline=None)
@given(seed=seeds, scale=st.sampled_from([0.01, 0.1, 0.37, 2.0]))
def test_the_shop_is_sound(seed: int, scale: float) -> None:
    t = shop.build(seed, scale)
    clients, products, orders, lines = (t[table.name] for table in shop.TABLES)
    for table in shop.TABLES:
        assert t[table.name][table.key].is_unique
        assert list(t[table.name].columns) == table.schema.names
        assert not t[table.name].isna().any(axis=None)
    assert orders["client_id"].isin(clients["client_id"]).all()
    assert lines["commande_id"].isin(orders["commande_id"]).all()
    assert orders["commande_id"].isin(lines["commande_id"]).all()
    assert lines["produit_id"].isin(products["produit_id"]).all()
    assert not lines.duplicated(["commande_id", "produit_id"]).any()
    assert clients["email"].is_unique
    assert clients["email"].str.fullmatch(r"[a-z0-9.-]+@[a-z.]+").all()
    assert products["nom"].is_unique
    assert set(products["categorie"]) == set(catalogue.CATEGORIES)
    assert products["prix"].min() > 0
    assert lines["quantite"].between(1, 5).all()
    assert lines["prix_unitaire"].min() > 0
    assert orders["statut"].isin(shop.STATUSES).all()
    assert (orders["date_commande"].dt.year == shop.YEAR).all()
    assert clients["date_inscription"].max() < orders["date_commande"].min()


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_totals_equal_their_lines_to_the_cent(seed: int) -> None:
    t = shop.build(seed, 0.3)
    lines = t["details_commandes"]
    wanted = (lines["quantite"] * (lines["prix_unitaire"] * 100).round()).groupby(
        lines["commande_id"]
    )
    seen = (t["commandes"].set_index("commande_id")["montant_total"] * 100).round()
    assert (wanted.sum() == seen).all()


def test_what_the_statement_relies_on(tables: Tables) -> None:
    orders, lines, products = (
        tables[name] for name in ("commandes", "details_commandes", "produits")
    )
    assert set(orders["statut"]) == set(shop.STATUSES)
    idle = set(tables["clients"]["client_id"]) - set(orders["client_id"])
    assert idle >= set(range(shop.IDLE, 301, shop.IDLE))
    assert not lines["produit_id"].isin(range(shop.IDLE, 61, shop.IDLE)).any()
    assert 5 < (products["prix"] > 100).sum() < 40
    listed = lines.merge(products, on="produit_id")
    assert (listed["prix_unitaire"] < listed["prix"]).mean() == pytest.approx(1 / 7, abs=0.03)


def test_teams_differ() -> None:
    one, other = shop.build(1), shop.build(2)
    for name, rows in one.items():
        assert not rows.equals(other[name])


@pytest.mark.parametrize("size", [1, 37, 100_000])
def test_the_size_of_the_chunks_changes_nothing(size: int) -> None:
    def whole(size: int) -> dict[str, pa.Table]:
        parts: dict[str, list[pa.Table]] = {}
        for job in shop.jobs(5, shop.Sizes.at(0.05), size):
            for name, chunk in job():
                parts.setdefault(name, []).append(chunk.table())
        return {name: pa.concat_tables(found).combine_chunks() for name, found in parts.items()}

    assert whole(size) == whole(64)


def test_chunks_are_bounded_at_any_scale() -> None:
    jobs = shop.jobs(5, shop.Sizes.at(1_000_000), size=500)
    seen = [(name, rows.num_rows) for job in islice(jobs, 20) for name, rows in job()]
    assert seen == [("clients", 500)] * 20


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), 1e9])
def test_a_senseless_scale_is_refused(scale: float) -> None:
    with pytest.raises(DatagenError, match="--scale"):
        shop.build(1, scale)
