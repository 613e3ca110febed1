"""The exercises' graders: a literal dict, imported when asked for (each pulls in its clients)."""

from __future__ import annotations

import importlib
from typing import Any

from graders.errors import UsageError
from graders.suite import Suite

MODULES = {
    "01_superset": "graders.tools.superset.checks",
    "04_spark": "graders.tools.spark",
    "06_airflow": "graders.tools.airflow",
    "07_dbt": "graders.tools.dbt",
}


def suite(exercise: str) -> Suite[Any]:
    """Return the suite of an exercise."""
    if exercise not in MODULES:
        raise UsageError(f"Aucun correcteur pour « {exercise} ».")
    found: Suite[Any] = importlib.import_module(MODULES[exercise]).suite
    return found
