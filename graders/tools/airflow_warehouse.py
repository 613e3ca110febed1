"""The warehouse of 06: find the table `ventes`, read it as data within bounds, compare its rows.

It lies in a PostgreSQL service or in a SQLite or DuckDB file below ./resultats. Nothing of it is
trusted: PostgreSQL is asked by its own psql about a real table (no view, no search path), a file
is copied without following links and opened by a child process under limits.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from graders.errors import ApiError, OutOfBounds
from graders.statics import fold
from graders.tools import airflow_reader

TABLE = airflow_reader.TABLE
COLUMNS = (
    "vente_id", "date", "produit", "categorie", "quantite", "prix_unitaire", "client_id",
    "montant_total",
)  # fmt: skip
NUMBERS = frozenset({"quantite", "prix_unitaire", "montant_total"})
SUFFIXES = frozenset({".db", ".sqlite", ".sqlite3", ".duckdb", ".ddb"})
FILE_CAP = 64 << 20  # bytes
FILES_CAP = 8
OUTPUT = 16 << 20  # bytes
READER_TIME = 30.0  # seconds
_DATABASES = (
    "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate "
    "ORDER BY datname"
)
_SCHEMA = (
    "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
    "WHERE c.relname OPERATOR(pg_catalog.=) 'ventes' AND c.relkind IN ('r', 'p') "
    "ORDER BY n.nspname OPERATOR(pg_catalog.<>) 'public' LIMIT 1"
)
_PSQL = 'exec psql -XqAt -v ON_ERROR_STOP=1 -U "${POSTGRES_USER:-postgres}" -d "$1" -c "$2"'
_PSQL_ENV = {"PGOPTIONS": "-c search_path=pg_catalog -c statement_timeout=20s"}

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the table was found: a database and schema of a service, or a file."""

    service: str = ""
    database: str = ""
    schema: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"resultats/{self.file}" if self.file else f"{self.service}, base {self.database}"


@dataclass(frozen=True, slots=True)
class Contents:
    """The rows of the table as comparable texts; `missing` names the columns that it lacks.

    `problem` says, where no table could be read, what stood in the way.
    """

    place: Place | None = None
    missing: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    problem: str = ""


@dataclass
class Warehouse:
    """Reads the table `ventes` wherever the student put it."""

    stack: Any
    results: Path
    _place: Place | None = field(default=None)

    def read(self) -> Contents:
        """Return what the table holds now; nothing where there is no table yet."""
        problem = ""
        for place in [self._place] if self._place else self._places():
            try:
                found = self._table(place)
                if found is not None:
                    self._place = place
                    return contents(place, *found)
            except (ApiError, OutOfBounds) as error:
                problem = str(error)
        return Contents(problem=problem)

    def clean(self) -> None:
        """Drop the table and the files of the results: the next submission starts from nothing."""
        for place in self._places():
            if place.service:
                self._psql(place, f"DROP TABLE IF EXISTS {place.schema}.{TABLE} CASCADE")
        for entry in self.results.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self._place = None

    def _places(self) -> Iterator[Place]:
        for service, body in self.stack.services.items():
            if _is_postgres(body):
                yield from self._schemas(service)
        for file in sorted(candidates(self.results)):
            yield Place(file=file)

    def _schemas(self, service: str) -> Iterator[Place]:
        names = self._psql(Place(service, "postgres"), _DATABASES)
        for database in (names or "").splitlines()[:20]:
            schema = self._psql(Place(service, database), _SCHEMA)
            if schema and schema.strip():
                yield Place(service, database, schema.strip())

    def _table(self, place: Place) -> tuple[Sequence[str], list[Sequence[str | None]]] | None:
        if place.file:
            return read_file(self.results / place.file)
        query = f"SELECT * FROM {place.schema}.{TABLE} LIMIT {airflow_reader.ROWS + 1}"  # noqa: S608
        text = self._psql(place, f"COPY ({query}) TO STDOUT WITH (FORMAT csv, HEADER)")
        if text is None:
            return None
        header, *rows = list(csv.reader(io.StringIO(text)))
        return header, list(rows)

    def _psql(self, place: Place, query: str) -> str | None:
        """Return what psql prints, or None where the query fails (no such database, table...)."""
        argv = ["sh", "-c", _PSQL, "psql", place.database, query]
        env = _PSQL_ENV
        output = self.stack.exec(place.service, argv, timeout=30, limit=OUTPUT, env=env)
        return output.stdout if output.code == 0 else None


def _is_postgres(body: Mapping[str, Any]) -> bool:
    keys = body.get("environment") or {}
    named = any(str(key).startswith("POSTGRES_") for key in keys)
    return named or "postgres" in str(body.get("image", "")).lower()


def candidates(results: Path) -> list[str]:
    """Return the names of the files below `results`, three folders deep, that may be databases."""
    found = []
    for folder, folders, files in os.walk(results):
        here = Path(folder).relative_to(results)
        if len(here.parts) >= 3:
            folders.clear()
        found += [str(here / name) for name in files if Path(name).suffix.lower() in SUFFIXES]
    return sorted(found)[:FILES_CAP]


def read_file(path: Path) -> tuple[Sequence[str], list[Sequence[str | None]]] | None:
    """Read the table of a copy of a file, in a child process; None where it has no such table."""
    with tempfile.TemporaryDirectory(prefix="bareme-entrepot-") as folder:
        copy = Path(folder) / path.name
        if not _copied(path, copy):
            return None
        for tail in ("-wal", "-journal", ".wal"):
            _copied(path.with_name(path.name + tail), copy.with_name(copy.name + tail))
        text = _child(copy)
    value = json.loads(text)
    return None if value is None else (value["columns"], value["rows"])


def _copied(source: Path, target: Path) -> bool:
    """Copy a regular file of bounded size without following a link; tell whether it was there."""
    try:
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(handle, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            return False
        if info.st_size > FILE_CAP:
            raise OutOfBounds(f"resultats/{source.name} dépasse {FILE_CAP >> 20} Mio.")
        target.write_bytes(file.read(FILE_CAP))
    return True


def _child(path: Path) -> str:
    argv = [sys.executable, "-I", str(Path(airflow_reader.__file__)), str(path)]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=READER_TIME, env={}, check=False)
    except subprocess.TimeoutExpired as error:
        raise OutOfBounds(f"{path.name} n'a pas pu être lu en {READER_TIME:g} s.") from error
    if done.returncode != 0 or len(done.stdout) > OUTPUT:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        why = last[0][:200] if last else f"code {done.returncode}"
        raise ApiError(f"resultats/{path.name} n'est pas une base lisible ({why}).")
    return done.stdout.decode("utf-8", "replace")


def contents(place: Place, header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> Contents:
    """Bring a table to comparable rows: accents, case and forms of numbers are forgiven."""
    if len(rows) > airflow_reader.ROWS:
        raise OutOfBounds(f"La table ventes a plus de {airflow_reader.ROWS} lignes.")
    names = [fold(name) for name in header]
    missing = tuple(c for c in COLUMNS if c not in names)
    if missing:
        return Contents(place, missing)
    at = [names.index(c) for c in COLUMNS]
    return Contents(place, (), tuple(sorted(normal([row[i] for i in at]) for row in rows)))


def normal(values: Sequence[object]) -> Row:
    """Return one sale in the form in which sales are compared."""
    return tuple(
        _number(value) if name in NUMBERS else _day(value) if name == "date" else _text(value)
        for name, value in zip(COLUMNS, values, strict=True)
    )


def _text(value: object) -> str:
    return "" if value is None else fold(str(value))


def _number(value: object) -> str:
    try:
        return f"{Decimal(str(value).strip()):.2f}"
    except (InvalidOperation, ValueError):
        return _text(value)


def _day(value: object) -> str:
    text = _text(value)
    try:
        return dt.date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return text
