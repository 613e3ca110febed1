"""06: what is dirty is dirty enough, and cleaning by two paths agrees."""

from __future__ import annotations

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import daily, registry
from datagen.daily_truths import cleaned

SEED = 21


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quotidien") / "donnees"
    registry.write("06_airflow", SEED, folder)
    return folder


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quotidien") / "cache"
    registry.write("06_airflow", SEED, folder, hidden=True)
    return folder


@given(seed=st.integers(0, 2**63 - 1))
def test_one_day_is_corrupt_and_another_is_missing(seed: int) -> None:
    planned = daily.plan(seed)
    assert len(planned.days) == 14
    assert len(planned.healthy) == 12
    assert planned.corrupt != planned.missing
    assert {planned.days[0], planned.days[1], planned.days[-1]} <= set(planned.healthy)
    assert planned.hidden not in planned.days


def test_teams_have_their_own_bad_days() -> None:
    assert len({(p.corrupt, p.missing) for p in map(daily.plan, range(100))}) > 40


def test_files_of_all_days_but_the_missing(folder: Path) -> None:
    planned = daily.plan(SEED)
    names = {path.name for path in (folder / "raw").iterdir()}
    assert names == {daily.name(day) for day in planned.days if day != planned.missing}
    assert daily.name(dt.date(2025, 3, 3)) == "ventes_20250303.csv"


def test_the_corrupt_day_cannot_be_read(folder: Path) -> None:
    path = folder / "raw" / daily.name(daily.plan(SEED).corrupt)
    with pytest.raises(UnicodeDecodeError):
        path.read_text(encoding="utf-8")
    with pytest.raises((UnicodeDecodeError, pd.errors.ParserError)):
        pd.read_csv(path)
    assert path.read_bytes().startswith(b"vente_id,date,")


def test_each_healthy_day_has_each_kind_of_dirt(folder: Path) -> None:
    for day in daily.plan(SEED).healthy:
        rows = pd.read_csv(folder / "raw" / daily.name(day))
        assert list(rows.columns) == daily.SCHEMA.names
        assert rows["quantite"].isna().any()
        assert rows["client_id"].isna().any()
        assert (rows["quantite"] < 0).any()
        assert rows.duplicated().any()
        assert 0.85 < len(cleaned(folder, day)) / len(rows.drop_duplicates()) < 0.99


def test_the_hidden_day_has_dirt_of_its_own(hidden: Path) -> None:
    (path,) = (hidden / "raw").iterdir()
    assert path.name == daily.name(daily.plan(SEED).hidden)
    rows = pd.read_csv(path)
    assert rows["produit"].isna().any()
    assert rows["prix_unitaire"].isna().any()
    assert (rows["quantite"] == 0).any()
    assert (rows["magasin"] != rows["magasin"].str.strip()).any()
    first = rows[~rows.duplicated()]
    assert len(first) == 400
    assert rows.duplicated().iloc[400:].all()


def by_hand(path: Path) -> dict[str, tuple[object, ...]]:
    """Clean as a careful student would, line by line."""
    kept: dict[str, tuple[object, ...]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            row = {name: text.strip() for name, text in line.items()}
            if not all(row.values()):
                continue
            quantity, price = int(row["quantite"]), Decimal(row["prix_unitaire"])
            if quantity > 0 and price > 0:
                kept.setdefault(
                    row["vente_id"],
                    (row["magasin"], row["produit"], int(row["client_id"]), quantity, price),
                )
    return kept


def assert_cleaned(folder: Path, day: dt.date) -> None:
    wanted, seen = by_hand(folder / "raw" / daily.name(day)), cleaned(folder, day)
    assert seen["vente_id"].tolist() == sorted(wanted)
    assert (seen["date"] == pd.Timestamp(day)).all()
    for row in seen.itertuples():
        magasin, produit, client, quantity, price = wanted[row.vente_id]
        assert (row.magasin, row.produit, row.client_id, row.quantite) == (
            magasin,
            produit,
            client,
            quantity,
        )
        assert row.prix_unitaire == float(price)
        assert row.montant == float(quantity * price)


def test_cleaning_agrees_with_a_cleaning_by_hand(folder: Path, hidden: Path) -> None:
    planned = daily.plan(SEED)
    for day in planned.healthy:
        assert_cleaned(folder, day)
    assert_cleaned(hidden, planned.hidden)


def test_a_product_has_one_price(folder: Path) -> None:
    rows = pd.concat(cleaned(folder, day) for day in daily.plan(SEED).healthy)
    assert rows.groupby("produit")["prix_unitaire"].nunique().max() == 1
    assert rows["vente_id"].is_unique


def test_big_days_come_in_chunks() -> None:
    day = daily.plan(SEED).days[0]
    sizes = [c.num_rows for c in daily.chunks(SEED, day, 250_000)]
    assert len(sizes) == 3
    assert max(sizes) < 110_000
