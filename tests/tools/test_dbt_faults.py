# ruff: noqa: S608 - constant queries, cut in pieces
"""Each fault breaks its own rule and no other, on any seed; the control breaks none."""

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest

from datagen import catalogue, shop, shop_truths
from graders.tools import dbt_faults

TODAY = dt.date(2026, 6, 1)
CATEGORIES = ", ".join(f"'{c}'" for c in catalogue.CATEGORIES)
# What each rule of the statement calls a bad row.
RULES = {
    "client en double": "SELECT client_id FROM brut.clients GROUP BY 1 HAVING count(*) > 1",
    "e-mail absent": "SELECT 1 FROM brut.clients WHERE email IS NULL",
    "commande orpheline": "SELECT 1 FROM brut.commandes ANTI JOIN brut.clients USING (client_id)",
    "quantité négative": "SELECT 1 FROM brut.details_commandes WHERE quantite < 1",
    "prix nul": "SELECT 1 FROM brut.produits WHERE prix <= 0",
    "statut inconnu": "SELECT 1 FROM brut.commandes "
    "WHERE statut NOT IN ('livree', 'en_attente', 'annulee')",
    "total différent de ses lignes": "SELECT commande_id FROM brut.commandes "
    "JOIN brut.details_commandes USING (commande_id) GROUP BY 1, montant_total "
    "HAVING abs(montant_total - sum(quantite * prix_unitaire)) > 0.005",
    "date dans le futur": f"SELECT 1 FROM brut.commandes WHERE date_commande > DATE '{TODAY}'",
    "ligne en double": "SELECT detail_id FROM brut.details_commandes "
    "GROUP BY 1 HAVING count(*) > 1",
    "catégorie inconnue": f"SELECT 1 FROM brut.produits WHERE categorie NOT IN ({CATEGORIES})",
}


@pytest.fixture(params=[1, 2**61 + 7])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def database(seed: int) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA brut")
        for name, frame in shop.build(seed).items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE brut.{name} AS SELECT * FROM frame")
        for name in ("montant_total", "prix_unitaire"):
            table = "commandes" if name == "montant_total" else "details_commandes"
            connection.execute(f"ALTER TABLE brut.{table} ALTER {name} TYPE DECIMAL(12, 2)")
        yield connection


def broken(database: duckdb.DuckDBPyConnection) -> set[str]:
    return {rule for rule, query in RULES.items() if database.execute(query).fetchall()}


def test_each_fault_breaks_its_own_rule_only(
    database: duckdb.DuckDBPyConnection, seed: int
) -> None:
    _, faults = dbt_faults.draw(shop.build(seed), seed, TODAY)
    assert [f.label for f in faults] == list(RULES)
    assert not broken(database)
    for fault in faults:
        database.execute("BEGIN")
        for statement in fault.statements:
            database.execute(statement)
        assert broken(database) == {fault.label}
        database.execute("ROLLBACK")


def test_the_control_breaks_no_rule_and_changes_every_table_it_names(
    database: duckdb.DuckDBPyConnection, seed: int
) -> None:
    control, _ = dbt_faults.draw(shop.build(seed), seed, TODAY)

    def sizes() -> list[int]:
        found = []
        for name in control.tables:
            row = database.execute(f"SELECT count(*) FROM brut.{name}").fetchone()
            assert row
            found.append(int(row[0]))
        return found

    before = sizes()
    for statement in control.statements:
        database.execute(statement)
    assert not broken(database)
    assert sizes() == [n + 1 for n in before]


def test_faults_strike_rows_that_every_model_keeps(seed: int) -> None:
    tables = shop.build(seed)
    _, faults = dbt_faults.draw(tables, seed, TODAY)
    kept = set(shop_truths.models(tables)["fct_ventes"]["commande_id"])
    orphan = next(f for f in faults if f.label == "commande orpheline")
    assert int(orphan.statements[0].split()[-1]) in kept


def test_the_seed_decides_which_rows() -> None:
    tables = shop.build(5)
    assert dbt_faults.draw(tables, 1, TODAY) == dbt_faults.draw(tables, 1, TODAY)
    assert dbt_faults.draw(tables, 1, TODAY) != dbt_faults.draw(tables, 2, TODAY)
