"""Writers: each takes the chunks of a data set in turn and keeps none of them in memory.

CSV files and SQL scripts are the same bytes everywhere; so is a SQLite file of the same SQLite
page format. Parquet and DuckDB files are the same bytes with the same library; with another, their
contents are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datagen.options import Progress, silent
from datagen.parallel import ahead, cores
from datagen.sheet import Rows
from datagen.table import MONEY, Table, plain

Chunk: TypeAlias = tuple[str, Rows]
Job: TypeAlias = Callable[[], Sequence[Chunk]]

_SQL = {
    pa.int64(): "bigint",
    pa.int32(): "integer",
    pa.string(): "text",
    pa.date32(): "date",
    pa.float64(): "double precision",
    MONEY: "numeric(12,2)",
}
_SQLITE = {
    pa.int64(): "INTEGER",
    pa.int32(): "INTEGER",
    pa.string(): "TEXT",
    pa.date32(): "TEXT",
    pa.float64(): "REAL",
    MONEY: "REAL",
}
_DUCKDB: dict[str, str | bool | int | float | list[str]] = {
    "memory_limit": "200MB",
    "threads": 1,
    "preserve_insertion_order": True,
    "storage_compatibility_version": "v1.1.0",  # any DuckDB that a student has can open it
}


class Writer(Protocol):
    """Takes chunks of any table; `close` completes the files."""

    def encode(self, chunk: Rows) -> Any:
        """Return the chunk as `append` takes it; any thread may call this."""

    def append(self, table: str, body: Any) -> None:
        """Append an encoded chunk to its table."""

    def close(self) -> None:
        """Complete the files."""


def pump(
    jobs: Iterable[Job],
    writers: Sequence[Writer],
    expected: Mapping[str, int] | None = None,
    progress: Progress = silent,
) -> None:
    """Make chunks on every core and give them, in order, to every writer.

    `expected` rows per table tell how far we are.
    """
    expected = expected or {}
    done, total = 0, sum(expected.values())

    def encoded(job: Job) -> list[tuple[str, int, list[Any]]]:
        return [(t, c.num_rows, [w.encode(c) for w in writers]) for t, c in job()]

    with ExitStack() as stack:
        for writer in writers:
            stack.callback(writer.close)
        for made in ahead((partial(encoded, job) for job in jobs), cores()):
            for table, rows, bodies in made:
                for writer, body in zip(writers, bodies, strict=True):
                    writer.append(table, body)
                if table in expected:
                    done += rows
                    progress(done, total)


class Csv:
    """One CSV file per table: UTF-8, commas, a header, no quotes."""

    def __init__(self, folder: Path, tables: Sequence[Table]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {t.name: (folder / f"{t.name}.csv").open("wb") for t in tables}
        for table in tables:
            self._files[table.name].write((",".join(table.schema.names) + "\n").encode())

    def encode(self, chunk: Rows) -> pa.Buffer:
        """Return the rows as CSV."""
        return chunk.csv()

    def append(self, table: str, body: pa.Buffer) -> None:
        """Append the rows to their table's file."""
        self._files[table].write(body)

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()


class Parquet:
    """One Parquet file per table, one row group per chunk."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._files: dict[str, pq.ParquetWriter] = {}

    def encode(self, chunk: Rows) -> pa.Table:
        """Return typed columns: only the file's own writer can encode them."""
        return chunk.coded()

    def append(self, table: str, body: pa.Table) -> None:
        """Append a row group to its table's file."""
        if table not in self._files:
            path = self._folder / f"{table}.parquet"
            # Without the Arrow schema a reader sees texts, and not that they were coded.
            self._files[table] = pq.ParquetWriter(path, body.schema, store_schema=False)
        self._files[table].write_table(body)

    def close(self) -> None:
        """Write the footers."""
        for file in self._files.values():
            file.close()


class Sqlite:
    """A SQLite database whose keys and foreign keys are declared; money is REAL, a date is text."""

    def __init__(self, path: Path, tables: Sequence[Table]) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute("BEGIN")
        for table in tables:
            self._db.execute(create_table(table, table.name, _SQLITE, keys=True))

    def encode(self, chunk: Rows) -> pa.Table:
        """Return columns that SQLite has types for."""
        table = plain(chunk.table())
        for i, column in enumerate(table.schema):
            if pa.types.is_date(column.type):
                table = table.set_column(i, column.name, table.column(i).cast(pa.string()))
        return table

    def append(self, table: str, body: pa.Table) -> None:
        """Insert the rows."""
        marks = ",".join("?" * body.num_columns)
        rows = zip(*(column.to_pylist() for column in body.columns), strict=True)
        self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - our names

    def close(self) -> None:
        """Commit, and erase from the header which SQLite wrote the file."""
        if self._db.in_transaction:
            self._db.execute("COMMIT")
        self._db.close()
        with self._path.open("r+b") as file:
            file.seek(96)  # SQLITE_VERSION_NUMBER of the last writer, which nothing reads
            file.write(bytes(4))


class DuckDB:
    """A DuckDB database with the tables in one schema, without keys."""

    def __init__(self, path: Path, tables: Sequence[Table], schema: str) -> None:
        self._schema = schema
        self._db = duckdb.connect(str(path), config=_DUCKDB)
        # The other one that strings could take, FSST, depends on a random sample: two files of the
        # same rows would differ.
        self._db.execute("PRAGMA force_compression='dictionary'")
        self._db.execute(f"CREATE SCHEMA {schema}")
        for table in tables:
            self._db.execute(create_table(table, f"{schema}.{table.name}", _SQL, keys=False))

    def encode(self, chunk: Rows) -> pa.Table:
        """Return typed columns."""
        return chunk.table()

    def append(self, table: str, body: pa.Table) -> None:
        """Insert the rows."""
        self._db.register("body", body)
        self._db.execute(f"INSERT INTO {self._schema}.{table} SELECT * FROM body")  # noqa: S608 - our names
        self._db.unregister("body")

    def close(self) -> None:
        """Write the last checkpoint."""
        self._db.close()


class Postgres:
    """A script for psql that replaces the tables of one schema; COPY reads the script itself."""

    def __init__(self, path: Path, tables: Sequence[Table], schema: str, *, keys: bool) -> None:
        self._schema = schema
        self._columns = {table.name: table.schema.names for table in tables}
        self._file = path.open("wb")
        names = [f"{schema}.{table.name}" for table in tables]
        self._line("BEGIN;\nSET LOCAL client_encoding = 'UTF8';")
        self._line("SET LOCAL client_min_messages = warning;")  # no notice that nothing was there
        self._line(f"CREATE SCHEMA IF NOT EXISTS {schema};")
        self._line(f"DROP TABLE IF EXISTS {', '.join(names)} CASCADE;")
        for table, name in zip(tables, names, strict=True):
            self._line(create_table(table, name, _SQL, keys=keys, schema=schema) + ";")

    def encode(self, chunk: Rows) -> pa.Buffer:
        """Return the rows as CSV."""
        return chunk.csv()

    def append(self, table: str, body: pa.Buffer) -> None:
        """Append a COPY of the rows."""
        columns = ", ".join(self._columns[table])
        self._line(f"COPY {self._schema}.{table} ({columns}) FROM stdin WITH (FORMAT csv);")
        self._file.write(body)
        self._line("\\.")

    def close(self) -> None:
        """Commit."""
        self._line("COMMIT;")
        self._file.close()

    def _line(self, text: str) -> None:
        self._file.write(f"{text}\n".encode())


def create_table(
    table: Table, name: str, types: Mapping[pa.DataType, str], *, keys: bool, schema: str = ""
) -> str:
    """Return the CREATE TABLE statement, with its keys where asked."""
    by_name = {f"{schema}.{t}" if schema else t: c for c, t in table.references.items()}
    parts = [f"{column.name} {types[column.type]}" for column in table.schema]
    if keys:
        parts = [f"{part} NOT NULL" for part in parts]
        parts += [f"PRIMARY KEY ({table.key})"] if table.key else []
        parts += [
            f"FOREIGN KEY ({column}) REFERENCES {target} ({column})"
            for target, column in by_name.items()
        ]
    body = ",\n  ".join(parts)
    return f"CREATE TABLE {name} (\n  {body}\n)"
