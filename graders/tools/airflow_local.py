"""Without Docker: what the Airflow installed here says of the DAGs, and nothing of their runs."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graders.clients import airflow_rows as rows
from graders.errors import ApiError, OutOfBounds, StackError
from graders.tools import airflow_parser, surroundings

TIME = 150.0  # seconds
INSTALLED = importlib.util.find_spec("airflow") is not None


@dataclass(frozen=True, slots=True)
class Parsed:
    """The reading half of the API client, over one parsing of the files."""

    found: Mapping[str, Any]

    def dags(self) -> list[rows.Dag]:
        """Return the DAGs that the parsing found."""
        return [rows.read_dag(row) for row in self.found["dags"]]

    def dag(self, dag_id: str) -> rows.Dag:
        """Return one DAG with its details."""
        return rows.read_dag(self._row(dag_id))

    def tasks(self, dag_id: str) -> list[rows.Task]:
        """Return the tasks of a DAG."""
        return [rows.read_task(row) for row in self._row(dag_id)["tasks"]]

    def import_failures(self) -> list[rows.ImportFailure]:
        """Return the files that could not be imported."""
        return [rows.read_failure(row) for row in self.found["import_errors"]]

    def _row(self, dag_id: str) -> Mapping[str, Any]:
        for row in self.found["dags"]:
            if row["dag_id"] == dag_id:
                found: Mapping[str, Any] = row
                return found
        raise ApiError(f"Il n'y a pas de DAG « {dag_id} ».")


def parse(folder: Path) -> Parsed:
    """Parse the DAGs of `folder` in a child process, in bounded time."""
    with tempfile.TemporaryDirectory(prefix="bareme-dags-") as place:
        answer = Path(place) / "dags.json"
        # Isolated: beside the script lies our own airflow.py, which must not hide the real one.
        argv = [sys.executable, "-I", str(Path(airflow_parser.__file__)), str(folder), str(answer)]
        try:
            done = subprocess.run(
                argv,
                capture_output=True,
                timeout=TIME,
                check=False,
                cwd=place,
                env=surroundings.environment(),
            )
        except subprocess.TimeoutExpired as error:
            raise OutOfBounds(
                f"L'analyse des DAG ne finit pas en {TIME:g} s : rien de long ne doit être fait "
                "hors des tâches."
            ) from error
        if not answer.is_file():
            last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [
                "aucune trace"
            ]
            raise StackError(f"Airflow n'a pas pu analyser les DAG ici : {last[0][:300]}")
        return Parsed(json.loads(answer.read_text("utf-8")))
