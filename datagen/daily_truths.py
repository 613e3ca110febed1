"""The true answers of 06: the cleaned rows of a day, in SQL from its file."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pandas as pd

from datagen import daily

# The rules of the statement, in its order: texts are trimmed, a row with a blank goes, a quantity
# or a price that is not above zero goes, of the rows with one `vente_id` the first stays.
_CLEAN = """
    WITH trimmed AS (
      SELECT
        line,
        nullif(trim(vente_id), '') AS vente_id,
        try_cast(trim(date) AS DATE) AS date,
        nullif(trim(magasin), '') AS magasin,
        nullif(trim(produit), '') AS produit,
        try_cast(trim(client_id) AS BIGINT) AS client_id,
        try_cast(trim(quantite) AS INTEGER) AS quantite,
        try_cast(trim(prix_unitaire) AS DECIMAL(12,2)) AS prix_unitaire
      FROM raw
    ), valid AS (
      SELECT * FROM trimmed
      WHERE COLUMNS(*) IS NOT NULL AND quantite > 0 AND prix_unitaire > 0
    ), first AS (
      SELECT * FROM valid QUALIFY row_number() OVER (PARTITION BY vente_id ORDER BY line) = 1
    )
    SELECT vente_id, date, magasin, produit, client_id, quantite,
      prix_unitaire::DOUBLE AS prix_unitaire, (quantite * prix_unitaire)::DOUBLE AS montant
    FROM first ORDER BY vente_id
"""


def cleaned(folder: Path, day: dt.date) -> pd.DataFrame:
    """Return what the warehouse must hold of this healthy day; `folder` is the one above `raw/`."""
    with duckdb.connect() as db:
        db.execute(
            "CREATE TABLE raw AS SELECT row_number() OVER () AS line, * "
            "FROM read_csv(?, header = true, all_varchar = true, delim = ',', quote = '\"')",
            [str(folder / "raw" / daily.name(day))],
        )
        return db.execute(_CLEAN).df()
