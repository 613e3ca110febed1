"""The true answers of 04, computed in SQL from the files, exactly: amounts are decimals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import pandas as pd

# The five results of the job; each is what the statement asks for, column for column.
_QUERIES = {
    "ca_region_mois": """
        SELECT region, mois, SUM(montant)::DOUBLE AS ca
        FROM transactions GROUP BY ALL ORDER BY ALL""",
    "top_produits": """
        SELECT produit_id, any_value(nom_produit) AS nom_produit, SUM(montant)::DOUBLE AS ca
        FROM transactions GROUP BY produit_id ORDER BY ca DESC, produit_id LIMIT 10""",
    "tendances_segment": """
        SELECT segment_client, mois, SUM(montant)::DOUBLE AS ca, COUNT(*) AS nb_transactions
        FROM transactions GROUP BY ALL ORDER BY ALL""",
    "anomalies": """
        SELECT transaction_id, montant::DOUBLE AS montant
        FROM transactions, (
          SELECT AVG(montant) AS mean, stddev_samp(montant) AS deviation FROM transactions)
        WHERE montant > mean + 3 * deviation ORDER BY transaction_id""",
    "marge_categorie": """
        SELECT categorie, SUM(montant)::DOUBLE AS ca,
          SUM(montant - quantite * cout)::DOUBLE AS marge
        FROM transactions JOIN produits USING (produit_id) GROUP BY ALL ORDER BY ALL""",
}  # fmt: skip

_TYPES = {
    "transactions": "{'transaction_id': 'BIGINT', 'date': 'DATE', 'mois': 'VARCHAR', "
    "'client_id': 'BIGINT', 'segment_client': 'VARCHAR', 'produit_id': 'BIGINT', "
    "'nom_produit': 'VARCHAR', 'quantite': 'INTEGER', 'prix_unitaire': 'DECIMAL(12,2)', "
    "'montant': 'DECIMAL(12,2)', 'region': 'VARCHAR', 'canal': 'VARCHAR'}",
    "produits": "{'produit_id': 'BIGINT', 'categorie': 'VARCHAR', 'marque': 'VARCHAR', "
    "'cout': 'DECIMAL(12,2)'}",
}


def truths(folder: Path) -> Mapping[str, pd.DataFrame]:
    """Return the five expected results, by name, for a folder that `registry.write` filled."""
    with duckdb.connect(config={"memory_limit": "300MB"}) as db:
        for table, types in _TYPES.items():
            parquet = folder / f"{table}.parquet"
            source = (
                f"read_parquet('{_quoted(parquet)}')"
                if parquet.exists()
                else f"read_csv('{_quoted(folder / f'{table}.csv')}', header = true, "
                f"auto_detect = false, columns = {types})"
            )
            db.execute(f"CREATE VIEW {table} AS SELECT * FROM {source}")  # noqa: S608 - quoted
        return {name: db.execute(query).df() for name, query in _QUERIES.items()}


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
