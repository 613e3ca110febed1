"""Print the rows of the table `ventes` of a SQLite or DuckDB file as JSON. Stands alone.

It runs as a child process under limits, for such a file is the student's and may be made to crash
or to stall whoever opens it. Only a real table is read: no view, no virtual table, no extension.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
from pathlib import Path
from typing import Any

TABLE = "ventes"
ROWS = 20_000
CELL = 200  # characters
MEMORY, SECONDS = 2 << 30, 20


def sqlite(path: Path) -> tuple[list[str], list[tuple[Any, ...]]] | None:
    """Read a SQLite file, or return None where it has no such table."""
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA trusted_schema = OFF")
        db.execute("PRAGMA cell_size_check = ON")
        made = db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND lower(name) = ?", [TABLE]
        ).fetchone()
        if made is None or "virtual" in made[1].lower().split()[:3]:
            return None
        found = db.execute(f'SELECT * FROM main."{made[0]}" LIMIT {ROWS + 1}')  # noqa: S608 - ours
        return [c[0] for c in found.description], found.fetchall()


def duck(path: Path) -> tuple[list[str], list[tuple[Any, ...]]] | None:
    """Read a DuckDB file, or return None where it has no such table."""
    import duckdb  # noqa: PLC0415 - only where the file is one

    config: dict[str, Any] = {
        "enable_external_access": False, "autoinstall_known_extensions": False,
        "autoload_known_extensions": False, "memory_limit": "256MB", "threads": 1,
        "lock_configuration": True,
    }  # fmt: skip
    with duckdb.connect(str(path), read_only=True, config=config) as db:
        made = db.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE lower(table_name) = ? "
            "AND NOT internal ORDER BY schema_name = 'main' DESC",
            [TABLE],
        ).fetchone()
        if made is None:
            return None
        schema, table = (str(n).replace('"', '""') for n in made)
        found = db.execute(f'SELECT * FROM "{schema}"."{table}" LIMIT {ROWS + 1}')  # noqa: S608
        return [c[0] for c in found.description], found.fetchall()


def main(path: Path) -> None:
    """Print `null`, or the columns and the rows as texts."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    with path.open("rb") as file:
        head = file.read(16)
    read = sqlite if head.startswith(b"SQLite format 3\0") else duck
    found = read(path)
    if found is None:
        print("null")
        return
    columns, rows = found
    texts = [[None if v is None else str(v)[:CELL] for v in row] for row in rows]
    print(json.dumps({"columns": columns, "rows": texts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
