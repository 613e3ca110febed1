"""Parse a folder of DAGs with the Airflow installed here; JSON as its API answers. Stands alone.

It runs the code of the DAGs: only for a student who checks their own work on their own machine. It
is a child process, so that whatever the files do ends with it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(folder: Path, answer: Path) -> None:
    """Write the DAGs, their tasks and the import errors of `folder` to `answer`."""
    with tempfile.TemporaryDirectory(prefix="bareme-airflow-") as home:
        os.environ |= {
            "AIRFLOW_HOME": home,
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - after its settings

        bag = DagBag(dag_folder=str(folder))
    now = dt.datetime.now(dt.UTC).isoformat()
    found = {
        "version": __import__("airflow").__version__,
        "dags": [dag(d, now) for d in bag.dags.values()],
        "import_errors": [
            {"filename": os.path.relpath(file, folder), "stack_trace": trace, "timestamp": now}
            for file, trace in bag.import_errors.items()
        ],
    }
    answer.write_text(json.dumps(found), "utf-8")


def dag(found: Any, now: str) -> dict[str, Any]:
    """Return a DAG in the form of the API, with its tasks."""
    return {
        "dag_id": found.dag_id,
        "fileloc": found.fileloc,
        "description": found.description,
        "timetable_summary": "" if found.schedule is None else str(found.schedule),
        "tags": [{"name": str(tag)} for tag in found.tags],
        "catchup": bool(found.catchup),
        "max_active_runs": found.max_active_runs,
        "start_date": found.start_date.isoformat() if found.start_date else None,
        "last_parsed_time": now,
        "tasks": [task(t) for t in found.tasks],
    }


def task(found: Any) -> dict[str, Any]:
    """Return a task in the form of the API."""
    delay = found.retry_delay
    return {
        "task_id": found.task_id,
        "downstream_task_ids": sorted(found.downstream_task_ids),
        "retries": found.retries,
        "retry_delay": {"days": delay.days, "seconds": delay.seconds},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
