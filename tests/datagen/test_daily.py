"""06: what is dirty is dirty enough, and cleaning by two paths agrees."""

from __future__ import annotations

import csv
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datagen import daily, registry
from datagen.daily_truths import Sale, cleaned, truths
from datagen.errors import DatagenError

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


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@given(seed=st.integers(0, 2**63 - 1))
def test_one_day_is_corrupt_and_another_is_missing(seed: int) -> None:
    planned = daily.plan(seed)
    assert len(planned.days) == 14
    assert len(planned.healthy) == 12
    assert planned.corrupt != planned.missing
    assert {planned.days[0], planned.days[-1]} <= set(planned.healthy)
    assert planned.next_day(seed) > planned.days[-1]


def test_files_of_all_days_but_the_missing(folder: Path) -> None:
    planned = daily.plan(SEED)
    wanted = {daily.path(folder, day) for day in planned.days if day != planned.missing}
    assert set((folder / "raw").iterdir()) == wanted
    assert daily.path(folder, dt.date(2025, 3, 3)).name == "ventes_20250303.csv"


def test_the_corrupt_day_cannot_be_cleaned(folder: Path) -> None:
    with pytest.raises(ValueError, match="corrupt"):
        cleaned(daily.path(folder, daily.plan(SEED).corrupt))


def test_each_healthy_day_has_each_kind_of_dirt(folder: Path) -> None:
    for day in daily.plan(SEED).healthy:
        rows = lines(daily.path(folder, day))
        assert tuple(rows[0]) == daily.COLUMNS
        assert any(row["quantite"] == "" for row in rows)
        assert any(row["prix_unitaire"] == "" for row in rows)
        assert any(row["quantite"].startswith("-") for row in rows)
        assert len({tuple(row.values()) for row in rows}) < len(rows)
        assert 0.8 < len(cleaned(daily.path(folder, day))) / len(rows) < 0.97


def test_the_hidden_day_has_dirt_of_its_own(hidden: Path) -> None:
    (path,) = (hidden / "raw").iterdir()
    planned = daily.plan(SEED)
    assert path == daily.path(hidden, planned.next_day(SEED))
    rows = lines(path)
    assert any(row["quantite"] == "0" for row in rows)
    assert any(row["prix_unitaire"] == "0.00" for row in rows)
    assert any(row["client_id"] == "" for row in rows)
    assert any(row["produit"] and not row["produit"].strip() for row in rows)
    assert len({row["date"] for row in rows}) == 2


def by_hand(path: Path, day: dt.date) -> dict[str, Sale]:
    """Clean as a careful student would, line by line."""
    kept: dict[str, Sale] = {}
    for line in lines(path):
        row = {name: text.strip() for name, text in line.items()}
        if not all(row.values()) or row["date"] != day.isoformat():
            continue
        quantity, price = int(row["quantite"]), Decimal(row["prix_unitaire"])
        if quantity > 0 and price > 0 and row["vente_id"] not in kept:
            kept[row["vente_id"]] = Sale(
                row["vente_id"], day, row["produit"], row["categorie"], quantity, price,
                row["client_id"], quantity * price,
            )  # fmt: skip
    return kept


def test_cleaning_agrees_with_a_cleaning_by_hand(folder: Path, hidden: Path) -> None:
    planned = daily.plan(SEED)
    files = [(daily.path(folder, day), day) for day in planned.healthy]
    after = planned.next_day(SEED)
    for path, day in [*files, (daily.path(hidden, after), after)]:
        wanted = by_hand(path, day)
        assert cleaned(path) == tuple(wanted[key] for key in sorted(wanted))


def test_truths_sum_up_the_days(folder: Path) -> None:
    planned, seen = daily.plan(SEED), truths(folder)
    days = {day: by_hand(daily.path(folder, day), day) for day in planned.healthy}
    revenue = {
        day: sum((sale.montant_total for sale in sales.values()), Decimal(0))
        for day, sales in days.items()
    }
    assert (seen.corrupt, seen.missing) == (planned.corrupt, planned.missing)
    assert seen.rows == sum(len(sales) for sales in days.values())
    assert seen.rows + seen.rejected == sum(
        len(lines(daily.path(folder, day))) for day in planned.healthy
    )
    assert seen.revenue == sum(revenue.values())
    assert revenue[seen.best_day] == max(revenue.values())


def test_senseless_scale(tmp_path: Path) -> None:
    with pytest.raises(DatagenError, match="--scale"):
        daily.write(1, tmp_path, 0)
