"""The database that dbt fills: what the checks need of it, and its embedded form on DuckDB."""

from __future__ import annotations

import contextlib
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pandas as pd

from graders.errors import ApiError, OutOfBounds

READ_LIMIT = 30.0  # seconds to read one model; a view is computed as it is read
DUCKDB_MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view, as dbt's manifest names it."""

    database: str
    schema: str
    name: str

    @property
    def quoted(self) -> str:
        """Return its full name in SQL, so that no search path decides what is read."""
        parts = (self.database, self.schema, self.name)
        return ".".join('"' + p.replace('"', '""') + '"' for p in parts)


class Warehouse(Protocol):
    """Databases in lanes, each with the raw tables and what dbt builds on them."""

    lanes: int

    def load(self, lane: int, /, data: Path) -> None:
        """Hold the raw tables of these data files, and nothing else."""
        ...

    def save(self, lane: int, /) -> None:
        """Keep the present state of this lane, for every lane to go back to."""
        ...

    def restore(self, lane: int, /) -> None:
        """Go back to the saved state."""
        ...

    def execute(self, lane: int, /, statements: Sequence[str]) -> None:
        """Run our own statements on the raw tables."""
        ...

    def rows(self, lane: int, /, relation: Relation, limit: int) -> pd.DataFrame:
        """Return at most `limit` rows of a relation, every value as text or None.

        ApiError where it cannot be read, OutOfBounds where that takes too long.
        """
        ...

    def env(self, lane: int, /) -> Mapping[str, str]:
        """Return the environment that points dbt at this lane."""
        ...


class DuckDB:
    """A DuckDB file per lane. Files all bear one name: views hold the name of their database."""

    def __init__(self, folder: Path, lanes: int) -> None:
        self.lanes = lanes
        self._folder = folder
        for lane in range(lanes):
            (folder / str(lane)).mkdir(parents=True)

    def load(self, lane: int, data: Path) -> None:
        """Copy the file that students get."""
        self._replace(self.path(lane), data / "boutique.duckdb")

    def save(self, lane: int) -> None:
        """Copy the file aside."""
        self._replace(self._folder / "sauvegarde", self.path(lane))

    def restore(self, lane: int) -> None:
        """Copy the file back."""
        self._replace(self.path(lane), self._folder / "sauvegarde")

    def execute(self, lane: int, statements: Sequence[str]) -> None:
        """Run statements in one transaction."""
        with self._open(lane) as database:
            database.execute("; ".join(["BEGIN", *statements, "COMMIT"]))

    def rows(self, lane: int, relation: Relation, limit: int) -> pd.DataFrame:
        """Read with the host's files closed to SQL, and within a time limit."""
        query = f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM {relation.quoted} LIMIT {limit}"  # noqa: S608 - quoted
        with self._open(lane) as database:
            timer = threading.Timer(READ_LIMIT, database.interrupt)
            timer.start()
            try:
                found: pd.DataFrame = database.execute(query).df()
            except duckdb.InterruptException:
                raise OutOfBounds(f"{relation.name} : plus de {READ_LIMIT:.0f} s à lire.") from None
            except duckdb.Error as error:
                text = " ".join(str(error).split())[:300]
                raise ApiError(f"{relation.name} est illisible : {text}") from error
            finally:
                timer.cancel()
        return found.astype(object).where(found.notna(), None)

    def env(self, lane: int) -> Mapping[str, str]:
        """Return the path that our profile reads."""
        return {"BAREME_DUCKDB": str(self.path(lane))}

    def path(self, lane: int) -> Path:
        """Return the lane's file."""
        return self._folder / str(lane) / "boutique.duckdb"

    @contextlib.contextmanager
    def _open(self, lane: int) -> Iterator[Any]:
        config: dict[str, Any] = {
            "memory_limit": DUCKDB_MEMORY,
            "enable_external_access": False,
            "threads": 1,
        }
        database = duckdb.connect(str(self.path(lane)), config=config)
        try:
            yield database
        finally:
            database.close()

    @staticmethod
    def _replace(target: Path, source: Path) -> None:
        target.with_name(target.name + ".wal").unlink(missing_ok=True)
        shutil.copyfile(source, target)
