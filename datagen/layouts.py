"""Which files each exercise's data is made of, as its students get them."""

from __future__ import annotations

from pathlib import Path

from datagen import daily, sales, shop, transactions, writers
from datagen.errors import DatagenError
from datagen.options import Options, checked_scale


def superset(seed: int, folder: Path, options: Options) -> None:
    """Write the sales as CSV and SQLite."""
    sizes = sales.Sizes.at(_scale_only(options))
    files: list[writers.Writer] = [
        writers.Csv(folder, [sales.TABLE]),
        writers.Sqlite(folder / "ventes.db", [sales.TABLE]),
    ]
    expected = {sales.TABLE.name: sizes.ventes}
    writers.pump(sales.jobs(seed, sizes), files, expected, options.progress)


def metabase(seed: int, folder: Path, options: Options) -> None:
    """Write the shop as CSV, SQLite and a PostgreSQL script, with its keys."""
    sizes = shop.Sizes.at(_scale_only(options))
    files: list[writers.Writer] = [
        writers.Csv(folder / "csv", shop.TABLES),
        writers.Sqlite(folder / "boutique.db", shop.TABLES),
        writers.Postgres(folder / "boutique.sql", shop.TABLES, schema="public", keys=True),
    ]
    writers.pump(shop.jobs(seed, sizes), files, sizes.expected(), options.progress)


def dbt(seed: int, folder: Path, options: Options) -> None:
    """Write the shop as CSV, Parquet, DuckDB and a PostgreSQL script, as raw tables."""
    sizes = shop.Sizes.at(_scale_only(options))
    files: list[writers.Writer] = [
        writers.Csv(folder / "csv", shop.TABLES),
        writers.Parquet(folder / "parquet"),
        # Raw data has no keys: it is the tests of dbt that must find what is wrong.
        writers.DuckDB(folder / "boutique.duckdb", shop.TABLES, schema="brut"),
        writers.Postgres(folder / "boutique.sql", shop.TABLES, schema="brut", keys=False),
    ]
    writers.pump(shop.jobs(seed, sizes), files, sizes.expected(), options.progress)


def spark(seed: int, folder: Path, options: Options) -> None:
    """Write the transactions and the products as CSV or Parquet, on every core."""
    rows = options.rows or max(1, round(transactions.ROWS * checked_scale(options.scale)))
    rows = max(1, rows // 4) if options.hidden else rows
    planned = transactions.plan(seed, rows, extra_region=options.hidden)
    tables = [transactions.TRANSACTIONS, transactions.PRODUCTS]
    expected = {transactions.TRANSACTIONS.name: rows}
    file: writers.Writer
    if options.format == "parquet":  # a row group holds its dictionaries: few and large ones
        file, size = writers.Parquet(folder), 4 * transactions.CHUNK
    else:
        file, size = writers.Csv(folder, tables), transactions.CHUNK
    writers.pump(transactions.jobs(seed, planned, size), [file], expected, options.progress)


def airflow(seed: int, folder: Path, options: Options) -> None:
    """Write the daily files below `raw/`, or the hidden day alone."""
    scale = _scale_only(options)
    if options.hidden:
        daily.write_hidden(seed, daily.plan(seed).next_day(seed), folder)
    else:
        daily.write(seed, folder, scale)
    options.progress(daily.DAYS, daily.DAYS)


def _scale_only(options: Options) -> float:
    if options.rows is not None or options.format is not None:
        raise DatagenError("--rows et --format ne valent que pour 04_spark ; ici, voyez --scale.")
    return options.scale
