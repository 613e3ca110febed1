"""04: the same rows on any number of cores, outliers that stand apart, truths by two paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datagen import parallel, registry, transactions, writers
from datagen.errors import DatagenError
from datagen.table import chunked, frame
from datagen.transactions_truths import truths

seeds = st.integers(0, 2**63 - 1)


def made(seed: int, rows: int, size: int = 1 << 16) -> pd.DataFrame:
    planned = transactions.plan(seed, rows)
    parts = [transactions.transactions(seed, planned, run).table() for run in chunked(rows, size)]
    return frame(pa.concat_tables(parts))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transactions") / "donnees"
    registry.write("04_spark", 11, folder, rows=30_000)
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> Mapping[str, pd.DataFrame]:
    return truths(folder)


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_transactions_are_sound(seed: int) -> None:
    rows = made(seed, 20_000)
    assert list(rows.columns) == transactions.TRANSACTIONS.schema.names
    assert not rows.isna().any(axis=None)
    assert rows["transaction_id"].tolist() == list(range(1, 20_001))
    assert (rows["date"].dt.strftime("%Y-%m") == rows["mois"]).all()
    assert rows["mois"].nunique() == 12
    assert rows.groupby("client_id")["segment_client"].nunique().max() == 1
    assert rows.groupby("produit_id")["nom_produit"].nunique().max() == 1
    assert set(rows["region"]) == set(transactions.REGIONS)
    assert set(rows["canal"]) == set(transactions.CHANNELS)
    assert set(rows["segment_client"]) == set(transactions.SEGMENTS)
    assert ((rows["prix_unitaire"] * rows["quantite"] - rows["montant"]).abs() < 0.005).all()


@settings(max_examples=10, deadline=None)
@given(seed=seeds)
def test_the_planted_outliers_and_no_other_are_anomalies(seed: int) -> None:
    rows = made(seed, 50_000)
    limit = rows["montant"].mean() + 3 * rows["montant"].std()
    planted = rows["quantite"] >= transactions.OUTLIER_FACTOR
    assert 20 < planted.sum() < 100
    assert ((rows["montant"] > limit) == planted).all()
    nearest = (rows["montant"] - limit).abs().min()
    assert nearest > 5  # euros: no rounding decides


def test_each_product_earns_and_refers(folder: Path) -> None:
    products = pd.read_csv(folder / "produits.csv")
    rows = pd.read_csv(folder / "transactions.csv")
    assert list(products.columns) == transactions.PRODUCTS.schema.names
    assert products["produit_id"].is_unique
    assert rows["produit_id"].isin(products["produit_id"]).all()
    assert (products["cout"] > 0).all()
    joined = rows.merge(products, on="produit_id")
    assert (joined["prix_unitaire"] > joined["cout"]).all()
    assert joined["categorie"].nunique() >= 5


@pytest.mark.parametrize("size", [1_000, 4_096, 1 << 16])
def test_the_size_of_the_chunks_changes_nothing(size: int) -> None:
    pd.testing.assert_frame_equal(made(3, 9_000, size), made(3, 9_000, 777))


def test_the_number_of_threads_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables, planned = (
        [transactions.TRANSACTIONS, transactions.PRODUCTS],
        transactions.plan(11, 7_001),
    )
    for threads in (1, 3):
        monkeypatch.setattr(writers, "cores", lambda n=threads: n)
        file = writers.Csv(tmp_path / str(threads), tables)
        writers.pump(transactions.jobs(11, planned, size=500), [file])
    one, three = ((tmp_path / threads / "transactions.csv").read_bytes() for threads in ("1", "3"))
    assert one == three
    assert one.count(b"\n") == 7_002


def test_truths_by_another_path(folder: Path, answers: Mapping[str, pd.DataFrame]) -> None:
    rows, products = (pd.read_csv(folder / f"{n}.csv") for n in ("transactions", "produits"))
    by_region = rows.groupby(["region", "mois"])["montant"].sum().sort_index()
    assert answers["ca_region_mois"].set_index(["region", "mois"])["ca"].sort_index().tolist() == (
        pytest.approx(by_region.tolist())
    )
    top = rows.groupby("produit_id")["montant"].sum().nlargest(10)
    assert answers["top_produits"]["produit_id"].tolist() == top.index.tolist()
    trends = rows.groupby(["segment_client", "mois"])["montant"].agg(["sum", "size"]).sort_index()
    seen = answers["tendances_segment"].set_index(["segment_client", "mois"]).sort_index()
    assert seen["ca"].tolist() == pytest.approx(trends["sum"].tolist())
    assert seen["nb_transactions"].tolist() == trends["size"].tolist()
    limit = rows["montant"].mean() + 3 * rows["montant"].std()
    assert answers["anomalies"]["transaction_id"].tolist() == (
        rows.loc[rows["montant"] > limit, "transaction_id"].tolist()
    )
    joined = rows.merge(products, on="produit_id")
    margin = (joined["montant"] - joined["quantite"] * joined["cout"]).groupby(joined["categorie"])
    assert answers["marge_categorie"].set_index("categorie")["marge"].to_dict() == pytest.approx(
        margin.sum().to_dict()
    )


def test_parquet_holds_the_csv(
    folder: Path, answers: Mapping[str, pd.DataFrame], tmp_path: Path
) -> None:
    registry.write("04_spark", 11, tmp_path / "p", rows=30_000, format="parquet")
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "produits.parquet",
        "transactions.parquet",
    ]
    for name, rows in truths(tmp_path / "p").items():
        pd.testing.assert_frame_equal(rows, answers[name])


def test_the_hidden_variant_is_smaller_with_one_region_more(
    tmp_path: Path, answers: Mapping[str, pd.DataFrame]
) -> None:
    registry.write("04_spark", 12, tmp_path / "h", rows=30_000, hidden=True)
    rows = pd.read_csv(tmp_path / "h" / "transactions.csv")
    assert len(rows) == 7_500
    (extra,) = set(rows["region"]) - set(transactions.REGIONS)
    assert extra in transactions.EXTRA_REGIONS
    hidden = truths(tmp_path / "h")
    assert set(hidden["ca_region_mois"]["region"]) > set(answers["ca_region_mois"]["region"])


@pytest.mark.parametrize("rows", [0, -1, 10**10 + 1])
def test_a_senseless_number_of_rows_is_refused(rows: int) -> None:
    with pytest.raises(DatagenError, match="--rows"):
        transactions.plan(1, rows)


def test_any_run_of_a_huge_table_is_at_hand() -> None:
    planned = transactions.plan(1, 10**10)
    rows = frame(transactions.transactions(1, planned, range(10**10 - 5, 10**10)).table())
    assert rows["transaction_id"].iloc[-1] == 10**10
    assert rows["date"].iloc[-1] == pd.Timestamp(transactions.YEAR, 12, 31)
    assert np.isin(rows["produit_id"], range(1, 201)).all()


class TestAhead:
    def test_results_come_in_order_and_few_jobs_run_ahead(self) -> None:
        asked: list[int] = []

        def jobs() -> Iterator[object]:
            for i in range(50):
                asked.append(i)
                yield lambda i=i: i

        for i, result in enumerate(parallel.ahead(jobs(), threads=3)):  # type: ignore[arg-type]
            assert result == i
            assert len(asked) <= i + 4

    def test_an_error_comes_out(self) -> None:
        def fails() -> int:
            raise OSError("disque")

        with pytest.raises(OSError, match="disque"):
            list(parallel.ahead([lambda: 1, fails, lambda: 2], threads=2))

    def test_this_machine_has_cores(self) -> None:
        assert 1 <= parallel.cores() <= 4
