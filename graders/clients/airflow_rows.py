"""What Airflow 3's REST API says of DAGs, tasks and runs, read into values of ours."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from graders.errors import ApiError

T = TypeVar("T")
PERSIST = 2.0  # seconds between the end of a parsing and its time stamp, on a loaded machine
ENDED = frozenset({"success", "failed"})
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Timeout|Exit|Interrupt|Warning)\b")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True, slots=True)
class ImportFailure:
    """A file that Airflow could not import: where, which line of it, and the error."""

    file: str
    line: int | None
    error: str
    at: dt.datetime

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where} : {self.error}"


@dataclass(frozen=True, slots=True)
class Task:
    """A task of a DAG; `retry_delay` is in seconds."""

    id: str
    downstream: frozenset[str]
    retries: int
    retry_delay: float


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG as Airflow understood it; `parsed` is when its last parsing began, at the latest."""

    id: str
    file: str
    description: str
    schedule: str
    tags: tuple[str, ...]
    catchup: bool | None
    max_active_runs: int
    start: dt.datetime | None
    parsed: dt.datetime | None


@dataclass(frozen=True, slots=True)
class DagRun:
    """One run of a DAG."""

    id: str
    kind: str  # manual, scheduled, backfill
    state: str
    day: dt.date | None

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will happen in this run."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A task in a run: how it stands and at which attempt."""

    task: str
    state: str
    attempt: int


def understood(read: Callable[[Any], T], row: Any) -> T:
    """Read a part of an answer; one of another shape is the service's fault, and said so."""
    try:
        return read(row)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ApiError(f"Airflow a répondu sous une forme inattendue : {str(row)[:200]}") from error


def _when(text: Any) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def read_dag(row: Mapping[str, Any]) -> Dag:
    """Read a DAG as the API gives it."""
    return Dag(
        id=str(row["dag_id"]),
        file=str(row.get("relative_fileloc") or row.get("fileloc") or ""),
        description=str(row.get("description") or ""),
        schedule=str(row.get("timetable_summary") or ""),
        tags=tuple(str(t.get("name", "")) for t in row.get("tags") or [] if isinstance(t, dict)),
        catchup=row.get("catchup"),
        max_active_runs=int(row.get("max_active_runs") or 16),
        start=_when(row.get("start_date")),
        parsed=_began(row),
    )


def _began(row: Mapping[str, Any]) -> dt.datetime | None:
    stamped = _when(row.get("last_parsed_time"))
    if stamped is None:
        return None
    spent = min(3600.0, abs(float(row.get("last_parse_duration") or 0.0)))
    return stamped - dt.timedelta(seconds=spent + PERSIST)


def read_task(row: Mapping[str, Any]) -> Task:
    """Read a task as the API gives it."""
    delay = row.get("retry_delay") or {}
    return Task(
        id=str(row["task_id"]),
        downstream=frozenset(str(t) for t in row.get("downstream_task_ids") or []),
        retries=int(row.get("retries") or 0),
        retry_delay=86_400.0 * float(delay.get("days", 0)) + float(delay.get("seconds", 0)),
    )


def read_task_run(row: Mapping[str, Any]) -> TaskRun:
    """Read how a task stands in a run."""
    state, attempt = row.get("state"), row.get("try_number")
    return TaskRun(str(row["task_id"]), str(state or ""), int(attempt or 0))


def read_run(row: Mapping[str, Any]) -> DagRun:
    """Read a run of a DAG."""
    logical = _when(row.get("logical_date"))
    return DagRun(
        id=str(row["dag_run_id"]),
        kind=str(row.get("run_type") or ""),
        state=str(row.get("state") or ""),
        day=logical.date() if logical else None,
    )


def read_failure(row: Mapping[str, Any]) -> ImportFailure:
    """Read an import error: the last frame in the file itself is the line to show."""
    file = str(row.get("filename") or "?")
    trace = str(row.get("stack_trace") or "")[-20_000:]
    name = file.rpartition("/")[2]
    lines = [int(line) for path, line in _FRAME.findall(trace) if path.rpartition("/")[2] == name]
    said = [line for line in trace.splitlines() if line.strip() and not line.startswith(" ")]
    raised = [line for line in said if _RAISED.match(line)] or said or ["erreur inconnue"]
    at = _when(row.get("timestamp")) or dt.datetime.fromtimestamp(0, dt.UTC)
    return ImportFailure(file, lines[-1] if lines else None, raised[-1][:300], at)


def logged(detail: Any) -> str:
    """Return « Type: message (file.py:12) » of a structured exception."""
    if not isinstance(detail, list) or not detail or not isinstance(detail[0], dict):
        return ""
    first = detail[0]
    listed = first.get("frames")
    frames = [f for f in listed if isinstance(f, dict)] if isinstance(listed, list) else []
    own = [f for f in frames if "/dags/" in str(f.get("filename"))] or frames
    where = ""
    if own:
        where = f" ({str(own[-1].get('filename')).rpartition('/')[2]}:{own[-1].get('lineno')})"
    return f"{first.get('exc_type')}: {str(first.get('exc_value'))[:300]}{where}"
