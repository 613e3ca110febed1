"""The true answers of 01, computed in SQL from the CSV file and not from what was planted."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

Amounts = tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Truths:
    """What each chart must show; months are `YYYY-MM`, pairs are in the order of the chart."""

    revenue: Decimal
    average_basket: Decimal  # revenue per sale, to the cent
    sales: int
    by_month: Amounts
    by_day: Amounts
    by_category: Amounts  # greatest first
    by_product: Amounts  # greatest first: the top 10 is its beginning
    by_client: Amounts  # greatest first
    sales_by_client: tuple[tuple[str, int], ...]  # greatest first

    @property
    def top_products(self) -> Amounts:
        """The ten products that bring in most, greatest first."""
        return self.by_product[:10]

    @property
    def lowest_month(self) -> str:
        """The month that brings in least: the planted anomaly."""
        return min(self.by_month, key=lambda pair: pair[1])[0]


def truths(csv: Path, *, months: tuple[str, ...] = (), categories: tuple[str, ...] = ()) -> Truths:
    """Return the answers for a `ventes.csv`, kept to these months and categories where given."""
    with duckdb.connect() as db:
        db.execute(
            """
            CREATE TABLE ventes AS
            SELECT *, strftime(date, '%Y-%m') AS mois
            FROM read_csv(?, header = true, columns = {
              'date': 'DATE', 'produit': 'VARCHAR', 'categorie': 'VARCHAR', 'quantite': 'INTEGER',
              'prix_unitaire': 'DECIMAL(12,2)', 'client_id': 'VARCHAR',
              'montant_total': 'DECIMAL(12,2)'})
            """,
            [str(csv)],
        )
        db.execute(
            "DELETE FROM ventes WHERE (? AND NOT list_contains(?::VARCHAR[], mois)) "
            "OR (? AND NOT list_contains(?::VARCHAR[], categorie))",
            [bool(months), list(months), bool(categories), list(categories)],
        )
        return _answers(db)


def _answers(db: duckdb.DuckDBPyConnection) -> Truths:
    revenue = "SUM(quantite * prix_unitaire)::DECIMAL(18,2)"

    def grouped(by: str, value: str, order: str) -> tuple[tuple[str, Decimal], ...]:
        query = f"SELECT {by}, {value} AS v FROM ventes GROUP BY 1 ORDER BY {order}"  # noqa: S608
        return tuple(db.execute(query).fetchall())

    totals = db.execute(
        f"SELECT coalesce({revenue}, 0), COUNT(*) FROM ventes"  # noqa: S608 - our own text
    ).fetchone()
    total, count = totals or (Decimal(0), 0)
    return Truths(
        revenue=total,
        average_basket=round(total / count, 2) if count else Decimal(0),
        sales=count,
        by_month=grouped("mois", revenue, "1"),
        by_day=grouped("strftime(date, '%Y-%m-%d')", revenue, "1"),
        by_category=grouped("categorie", revenue, "v DESC, 1"),
        by_product=grouped("produit", revenue, "v DESC, 1"),
        by_client=grouped("client_id", revenue, "v DESC, 1"),
        sales_by_client=tuple(
            (client, int(n)) for client, n in grouped("client_id", "COUNT(*)", "v DESC, 1")
        ),
    )
