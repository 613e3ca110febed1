"""The warehouse is read as data: a real table, within bounds, whatever the file or server holds."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest

from graders.tools import airflow_reader, airflow_warehouse
from graders.tools.airflow_warehouse import COLUMNS, Contents, Place, Warehouse, contents, normal

SALE = ["V1", "2025-03-01", "Thé vert", "Épicerie", 2, 3.5, "C1", 7.0]
DDL = (
    "(vente_id text, date date, produit text, categorie text, quantite integer, "
    "prix_unitaire numeric(12,2), client_id text, montant_total numeric(14,2))"
)
WANTED = (("v1", "2025-03-01", "the vert", "epicerie", "2.00", "3.50", "c1", "7.00"),)


def sqlite(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as db:
        for statement in statements:
            db.execute(statement)
    db.close()


def filled(name: str = "ventes") -> tuple[str, str]:
    values = ", ".join(repr(v) for v in SALE)
    return f"CREATE TABLE {name} {DDL}", f"INSERT INTO {name} VALUES ({values})"  # noqa: S608


def duck(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(SimpleNamespace(services={}), tmp_path)


@pytest.mark.parametrize("name", ["entrepot.db", "base/ventes.sqlite"])
def test_a_sqlite_file_is_found_and_read(warehouse: Warehouse, name: str) -> None:
    path = warehouse.results / name
    path.parent.mkdir(exist_ok=True)
    sqlite(path, *filled())
    assert warehouse.read() == Contents(Place(file=name), (), WANTED)


@pytest.mark.parametrize("table", ["ventes", "mart.ventes", '"Ventes"'])
def test_a_duckdb_file_is_found_and_read(warehouse: Warehouse, table: str) -> None:
    duck(warehouse.results / "entrepot.duckdb", "CREATE SCHEMA mart", *filled(table))
    assert warehouse.read().rows == WANTED


def test_rows_that_still_lie_in_the_journal_are_seen(warehouse: Warehouse) -> None:
    db = sqlite3.connect(warehouse.results / "entrepot.db")
    db.execute("PRAGMA journal_mode = WAL")
    for statement in filled():
        db.execute(statement)
    db.commit()
    assert (warehouse.results / "entrepot.db-wal").stat().st_size > 0
    assert warehouse.read().rows == WANTED
    db.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW ventes AS SELECT * FROM autre",
        "CREATE VIRTUAL TABLE ventes USING fts5(vente_id)",
        "CREATE TEMP TABLE ventes (a)",
    ],
)
def test_only_a_real_table_counts(warehouse: Warehouse, statement: str) -> None:
    sqlite(warehouse.results / "entrepot.db", *filled("autre"), statement)
    assert warehouse.read() == Contents()


def test_a_link_is_not_followed(warehouse: Warehouse, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-dehors.db"
    sqlite(outside, *filled())
    (warehouse.results / "entrepot.db").symlink_to(outside)
    assert warehouse.read() == Contents()


def test_a_pipe_does_not_hang(warehouse: Warehouse) -> None:
    os.mkfifo(warehouse.results / "entrepot.db")
    assert warehouse.read() == Contents()


@pytest.mark.parametrize("data", [b"", b"pas une base", b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_database_is_the_students_fault(
    warehouse: Warehouse, data: bytes
) -> None:
    (warehouse.results / "entrepot.db").write_bytes(data)
    found = warehouse.read()
    assert "resultats/entrepot.db n'est pas une base lisible" in found.problem
    assert found.place is None


def test_a_bad_file_does_not_hide_a_good_one(warehouse: Warehouse) -> None:
    (warehouse.results / "a.db").write_bytes(b"pas une base")
    sqlite(warehouse.results / "b.db", *filled())
    assert warehouse.read() == Contents(Place(file="b.db"), (), WANTED)


def test_a_huge_file_is_out_of_bounds(warehouse: Warehouse) -> None:
    with (warehouse.results / "entrepot.db").open("wb") as file:
        file.truncate(airflow_warehouse.FILE_CAP + 1)
    assert "64 Mio" in warehouse.read().problem


def test_too_many_rows_are_out_of_bounds(warehouse: Warehouse) -> None:
    path = warehouse.results / "entrepot.db"
    sqlite(path, filled()[0])
    with sqlite3.connect(path) as db:
        rows = [(i,) for i in range(airflow_reader.ROWS + 1)]
        db.executemany("INSERT INTO ventes (vente_id) VALUES (?)", rows)
    db.close()
    assert "lignes" in warehouse.read().problem


def test_duckdb_reads_no_other_file(warehouse: Warehouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    duck(
        warehouse.results / "entrepot.duckdb",
        f"CREATE VIEW ventes AS SELECT * FROM read_csv('{secret}')",  # noqa: S608
    )
    assert warehouse.read() == Contents()


def test_a_reader_that_does_not_end_is_out_of_bounds(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(airflow_reader, "__file__", str(slow))
    monkeypatch.setattr(airflow_warehouse, "READER_TIME", 0.2)
    sqlite(warehouse.results / "entrepot.db", *filled())
    assert "n'a pas pu être lu" in warehouse.read().problem


def test_missing_columns_are_named() -> None:
    found = contents(Place(file="x"), ["vente_id", "date"], [["1", "2"]])
    assert found.missing == COLUMNS[2:]
    assert found.rows == ()


def test_columns_are_found_by_name_whatever_their_order_and_accents() -> None:
    header = ["CHARGE_LE", *(c.upper().replace("QUANTITE", "Quantité") for c in reversed(COLUMNS))]
    row = ["2025", *(str(v) for v in reversed(SALE))]
    assert contents(Place(file="x"), header, [row]).rows == WANTED


@pytest.mark.parametrize("value", [3, 3.0, "3", "3.00", "3.000", " 3 "])
def test_forms_of_a_number_are_the_same(value: object) -> None:
    assert normal([*SALE[:4], value, *SALE[5:]])[4] == "3.00"


@pytest.mark.parametrize("value", ["2025-03-01", "2025-03-01 00:00:00", dt.date(2025, 3, 1)])
def test_forms_of_a_date_are_the_same(value: object) -> None:
    assert normal([SALE[0], value, *SALE[2:]])[1] == "2025-03-01"


@pytest.mark.parametrize("value", [None, "NaN", "beaucoup", "", "1e999"])
def test_what_is_no_number_stays_a_difference(value: object) -> None:
    assert normal([*SALE[:4], value, *SALE[5:]])[4] != "2.00"


class Postgres:
    """A PostgreSQL service seen through `exec`: which tables lie in which database."""

    def __init__(self, tables: dict[str, dict[str, str]]) -> None:
        self.tables = tables
        self.queries: list[tuple[str, str]] = []
        self.services = {
            "airflow": {"image": "bareme/airflow:3.3.2"},
            "entrepot": {"image": "sha256:1", "environment": {"POSTGRES_USER": "e"}},
        }

    def exec(self, service: str, argv: Sequence[str], **options: Any) -> Any:
        assert service == "entrepot"
        assert "search_path=pg_catalog" in options["env"]["PGOPTIONS"]
        assert options["timeout"]
        assert options["limit"]
        database, query = argv[-2:]
        self.queries.append((database, query))
        if query.startswith("SELECT datname"):
            return SimpleNamespace(code=0, stdout="\n".join([*self.tables, "postgres"]) + "\n")
        schemas = self.tables.get(database, {})
        if "pg_class" in query:
            return SimpleNamespace(code=0, stdout="".join(f"{s}\n" for s in schemas))
        schema = query.partition("FROM ")[2].partition(".")[0]
        text = schemas.get(schema)
        return SimpleNamespace(code=0 if text else 1, stdout=text or "")


TEXT = ",".join(COLUMNS) + "\n" + ",".join(str(v) for v in SALE) + "\n"


def test_the_table_of_postgresql_is_found_in_any_database(tmp_path: Path) -> None:
    server = Postgres({"airflow": {}, "entrepot": {"public": TEXT}})
    warehouse = Warehouse(server, tmp_path)
    assert warehouse.read() == Contents(Place("entrepot", "entrepot", "public"), (), WANTED)
    server.queries.clear()
    assert warehouse.read().rows == WANTED
    assert len(server.queries) == 1, "where it was found is remembered"


def test_without_a_table_there_is_nothing(tmp_path: Path) -> None:
    assert Warehouse(Postgres({"entrepot": {}}), tmp_path).read() == Contents()


def test_cleaning_drops_the_table_and_the_files(tmp_path: Path) -> None:
    server = Postgres({"entrepot": {"public": TEXT}})
    (tmp_path / "entrepot.db").write_text("x")
    (tmp_path / "sous").mkdir()
    Warehouse(server, tmp_path).clean()
    assert list(tmp_path.iterdir()) == []
    assert ("entrepot", "DROP TABLE IF EXISTS public.ventes CASCADE") in server.queries
