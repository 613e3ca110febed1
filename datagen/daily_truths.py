"""The true answers of 06, computed in SQL from the files alone and not from what was planted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb

_NAME = re.compile(r"ventes_(\d{8})\.csv")
_HEADER = "vente_id,date,produit,categorie,quantite,prix_unitaire,client_id"
_READ = """
SELECT trim(vente_id) AS vente_id, trim(date) AS date, trim(produit) AS produit,
  trim(categorie) AS categorie, trim(quantite) AS quantite, trim(prix_unitaire) AS prix_unitaire,
  trim(client_id) AS client_id
FROM read_csv(?, header = true, all_varchar = true, strict_mode = true, nullstr = '',
  quote = '', auto_detect = false, delim = ',',
  columns = {'vente_id': 'VARCHAR', 'date': 'VARCHAR', 'produit': 'VARCHAR',
    'categorie': 'VARCHAR', 'quantite': 'VARCHAR', 'prix_unitaire': 'VARCHAR',
    'client_id': 'VARCHAR'})
"""
_TYPED = """
SELECT vente_id, date::DATE AS date, produit, categorie, quantite::INTEGER AS quantite,
  prix_unitaire::DECIMAL(12,2) AS prix_unitaire, client_id FROM lues
WHERE vente_id <> '' AND date <> '' AND produit <> '' AND categorie <> '' AND quantite <> ''
  AND prix_unitaire <> '' AND client_id <> ''
"""
_KEPT = """
SELECT vente_id, min(date), min(produit), min(categorie), min(quantite), min(prix_unitaire),
  min(client_id), min(quantite * prix_unitaire)::DECIMAL(14,2)
FROM typees WHERE quantite > 0 AND prix_unitaire > 0 AND date = ? GROUP BY vente_id ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Sale:
    """A row that the warehouse must hold."""

    vente_id: str
    date: dt.date
    produit: str
    categorie: str
    quantite: int
    prix_unitaire: Decimal
    client_id: str
    montant_total: Decimal


@dataclass(frozen=True, slots=True)
class Truths:
    """What is asked about a team's own files."""

    rows: int  # cleaned, over the healthy days
    rejected: int  # lines of the healthy days that are not kept
    revenue: Decimal
    best_day: dt.date
    corrupt: dt.date
    missing: dt.date


def cleaned(csv: Path) -> tuple[Sale, ...]:
    """Return the rows to load for a day's file; ValueError where the file is corrupt."""
    found = _NAME.fullmatch(csv.name)
    if found is None:
        raise ValueError(f"{csv.name} is not a daily file")
    day = dt.datetime.strptime(found[1], "%Y%m%d").date()
    with csv.open(encoding="utf-8") as file:
        if file.readline().rstrip("\r\n") != _HEADER:
            raise ValueError(f"{csv.name} is corrupt: not the announced header")
    with duckdb.connect() as db:
        try:
            db.execute(f"CREATE TABLE lues AS {_READ}", [str(csv)])
            db.execute(f"CREATE TABLE typees AS {_TYPED}")
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            raise ValueError(f"{csv.name} is corrupt: {error}") from error
        return tuple(Sale(*row) for row in db.execute(_KEPT, [day]).fetchall())


def truths(folder: Path) -> Truths:
    """Return the answers for the files of `folder`/raw."""
    days: dict[dt.date, tuple[Sale, ...]] = {}
    corrupt: list[dt.date] = []
    lines = 0
    for csv in sorted((folder / "raw").glob("ventes_*.csv")):
        day = dt.datetime.strptime(csv.stem.removeprefix("ventes_"), "%Y%m%d").date()
        try:
            days[day] = cleaned(csv)
        except ValueError:
            corrupt.append(day)
        else:
            lines += len(csv.read_text("utf-8").splitlines()) - 1
    revenue = {day: sum((s.montant_total for s in rows), Decimal(0)) for day, rows in days.items()}
    rows = sum(len(r) for r in days.values())
    return Truths(
        rows=rows,
        rejected=lines - rows,
        revenue=sum(revenue.values(), Decimal(0)),
        best_day=max(revenue, key=lambda day: revenue[day]),
        corrupt=corrupt[0],
        missing=_hole({*days, *corrupt}),
    )


def _hole(days: set[dt.date] | Mapping[dt.date, object]) -> dt.date:
    """Return the only day that lacks between the first and the last."""
    first, last = min(days), max(days)
    span = ((first + dt.timedelta(days=i)) for i in range((last - first).days))
    return next(day for day in span if day not in days)
