"""The files as students get them: same bytes, same contents in every format, all or nothing."""

from __future__ import annotations

import errno
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from datagen import registry, shop, writers
from datagen.errors import DatagenError

# Of seed 42 at scale 0.1. A change here gives every team other data: say so in the changelog.
GOLDEN: dict[str, dict[str, str]] = {
    "01_superset": {"ventes.csv": "e6d0b7af81145f76"},
    "02_metabase": {
        "boutique.sql": "fd4e352b4890f220",
        "csv/clients.csv": "bb36d3e0eb4431bd",
        "csv/commandes.csv": "fad30f7ffb8bce7b",
        "csv/details_commandes.csv": "ab1f07b51b614a20",
        "csv/produits.csv": "e737ed88011a55d5",
    },
    "04_spark": {"produits.csv": "47eb01115633072c", "transactions.csv": "b382623f8792763b"},
    "06_airflow": {
        "raw/ventes_20250320.csv": "e97d24493cf540f6",
        "raw/ventes_20250321.csv": "92c39841e8965c00",
        "raw/ventes_20250322.csv": "59dadae1e09990d2",
        "raw/ventes_20250323.csv": "9adf27cc9e5f5234",
        "raw/ventes_20250324.csv": "59a6ab14aafbfc19",
        "raw/ventes_20250325.csv": "d517df03364a4308",
        "raw/ventes_20250326.csv": "8cfca40f7fa64450",
        "raw/ventes_20250327.csv": "d696d2ed6c9e34e5",
        "raw/ventes_20250329.csv": "d33d2a1fd2a988c2",
        "raw/ventes_20250330.csv": "77e10ccce155b9d6",
        "raw/ventes_20250331.csv": "71bb337e724a01b8",
        "raw/ventes_20250401.csv": "0124903d650a8230",
        "raw/ventes_20250402.csv": "9657e67a05e71d5e",
    },
    "07_dbt": {
        "boutique.sql": "1480eb9725b5b317",
        "csv/clients.csv": "bb36d3e0eb4431bd",
        "csv/commandes.csv": "fad30f7ffb8bce7b",
        "csv/details_commandes.csv": "ab1f07b51b614a20",
        "csv/produits.csv": "e737ed88011a55d5",
    },
}


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("donnees")
    for exercise in registry.EXERCISES:
        registry.write(exercise, 42, root / exercise, 0.1)
    return {exercise: root / exercise for exercise in registry.EXERCISES}


@pytest.mark.parametrize("exercise", registry.EXERCISES)
def test_same_seed_same_bytes(exercise: str, written: dict[str, Path], tmp_path: Path) -> None:
    registry.write(exercise, 42, tmp_path / "again", 0.1)
    first, again = digests(written[exercise]), digests(tmp_path / "again")
    assert first == again


@pytest.mark.parametrize("exercise", registry.EXERCISES)
def test_same_bytes_as_on_every_machine(exercise: str, written: dict[str, Path]) -> None:
    portable = {
        name: digest
        for name, digest in digests(written[exercise]).items()
        if name.endswith((".csv", ".sql"))
    }
    assert portable == GOLDEN[exercise]


@pytest.mark.parametrize("exercise", registry.EXERCISES)
def test_teams_get_different_files(exercise: str, written: dict[str, Path], tmp_path: Path) -> None:
    registry.write(exercise, 43, tmp_path / "other", 0.1)
    first, other = digests(written[exercise]), digests(tmp_path / "other")
    assert not set(first.values()) & set(other.values())


def wanted() -> dict[str, pd.DataFrame]:
    return dict(shop.build(42, 0.1))


def assert_same(seen: pd.DataFrame, wanted: pd.DataFrame) -> None:
    for column in wanted.select_dtypes("datetime"):
        seen[column] = pd.to_datetime(seen[column])
    pd.testing.assert_frame_equal(seen, wanted, check_dtype=False)


@pytest.mark.parametrize("exercise", ["02_metabase", "07_dbt"])
def test_csv_holds_the_tables(exercise: str, written: dict[str, Path]) -> None:
    for name, rows in wanted().items():
        assert_same(pd.read_csv(written[exercise] / "csv" / f"{name}.csv"), rows)


def test_parquet_holds_the_tables(written: dict[str, Path]) -> None:
    for name, rows in wanted().items():
        seen = pd.read_parquet(written["07_dbt"] / "parquet" / f"{name}.parquet")
        decimals = [c for c in ("prix", "prix_unitaire", "montant_total") if c in seen]
        assert_same(seen.astype(dict.fromkeys(decimals, float)), rows)


def test_sqlite_holds_the_tables_and_their_keys(written: dict[str, Path]) -> None:
    db = sqlite3.connect(written["02_metabase"] / "boutique.db")
    try:
        for name, rows in wanted().items():
            assert_same(pd.read_sql(f"SELECT * FROM {name}", db), rows)  # noqa: S608 - our names
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        targets = {
            row[2] for row in db.execute("PRAGMA foreign_key_list(details_commandes)").fetchall()
        }
        assert targets == {"commandes", "produits"}
    finally:
        db.close()


def test_duckdb_holds_the_tables(written: dict[str, Path]) -> None:
    with duckdb.connect(str(written["07_dbt"] / "boutique.duckdb"), read_only=True) as db:
        for name, rows in wanted().items():
            seen = db.sql(f"SELECT * FROM brut.{name}").df()  # noqa: S608 - our names
            assert_same(seen, rows)
        (kind,) = db.execute("SELECT typeof(prix) FROM brut.produits LIMIT 1").fetchone() or ("",)
        assert kind == "DECIMAL(12,2)"


def test_duckdb_files_owe_nothing_to_chance(tmp_path: Path) -> None:
    # Left to choose, DuckDB compresses strings in one of two ways, as a random sample falls.
    seen = set()
    path = tmp_path / "boutique.duckdb"  # its name is in the file
    for _ in range(8):
        writer = writers.DuckDB(path, shop.TABLES, schema="brut")
        writers.pump(shop.jobs(42, shop.Sizes.at(1)), [writer])
        seen.add(path.read_bytes())
        path.unlink()
    assert len(seen) == 1


def test_the_script_for_postgres_copies_the_csv(written: dict[str, Path]) -> None:
    script = (written["07_dbt"] / "boutique.sql").read_text(encoding="utf-8")
    assert script.startswith("BEGIN;\n")
    assert script.endswith("\\.\nCOMMIT;\n")
    for table in shop.TABLES:
        columns = ", ".join(table.schema.names)
        body = script.partition(
            f"COPY brut.{table.name} ({columns}) FROM stdin WITH (FORMAT csv);\n"
        )[2].partition("\\.\n")[0]
        file = written["07_dbt"] / "csv" / f"{table.name}.csv"
        assert file.read_text(encoding="utf-8").partition("\n")[2] == body
    assert "KEY" not in script
    assert "FOREIGN KEY (commande_id) REFERENCES public.commandes (commande_id)" in (
        written["02_metabase"] / "boutique.sql"
    ).read_text(encoding="utf-8")


class TestAllOrNothing:
    def test_an_empty_folder_is_filled(self, tmp_path: Path) -> None:
        registry.write("07_dbt", 1, tmp_path, 0.01)
        assert (tmp_path / "boutique.sql").is_file()

    def test_a_folder_with_files_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("à moi")
        with pytest.raises(DatagenError, match="n'est pas vide"):
            registry.write("07_dbt", 1, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

    def test_a_file_in_place_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "donnees").write_text("")
        with pytest.raises(DatagenError, match="n'est pas un dossier"):
            registry.write("07_dbt", 1, tmp_path / "donnees")
        with pytest.raises(DatagenError, match="n'est pas un dossier"):
            registry.write("07_dbt", 1, tmp_path / "donnees" / "sous")

    def test_unknown_exercise(self, tmp_path: Path) -> None:
        with pytest.raises(DatagenError, match=r"« 99_zut » inconnu.*07_dbt"):
            registry.write("99_zut", 1, tmp_path / "d")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        "failure",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            sqlite3.OperationalError("database or disk is full"),
            duckdb.IOException("Could not write file: No space left on device"),
        ],
    )
    def test_a_full_disk_leaves_nothing(
        self, failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def jobs(*_: object) -> Iterator[object]:
            raise failure
            yield

        monkeypatch.setattr(shop, "jobs", jobs)
        with pytest.raises(DatagenError, match="le disque est plein"):
            registry.write("07_dbt", 1, tmp_path / "d")
        assert list(tmp_path.iterdir()) == []

    def test_an_interruption_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def jobs(*_: object) -> Iterator[object]:
            raise KeyboardInterrupt
            yield

        monkeypatch.setattr(shop, "jobs", jobs)
        with pytest.raises(KeyboardInterrupt):
            registry.write("07_dbt", 1, tmp_path / "d")
        assert list(tmp_path.iterdir()) == []

    def test_progress_goes_to_the_end(self, tmp_path: Path) -> None:
        told: list[tuple[int, int]] = []
        registry.write(
            "07_dbt", 1, tmp_path / "d", progress=lambda done, total: told.append((done, total))
        )
        assert told[-1] == (2_360, 2_360)
