"""The few endpoints of Airflow 3's REST API that the grader reads and drives."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from graders.errors import ApiError

T = TypeVar("T")
PAGE = 100
MOST = 2_000  # entries of one listing that are read
PERSIST = 2.0  # seconds between the end of a parsing and its time stamp, on a loaded machine
PAUSES = (1.0, 3.0, 6.0)  # seconds between two tries of a request that fails with 500
PATIENCE = 120.0  # seconds for one answer: a loaded machine stalls the server for half a minute
ENDED = frozenset({"success", "failed"})
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Timeout|Exit|Interrupt|Warning)\b")
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


class Answer(Protocol):
    """What the client needs of an HTTP answer."""

    @property
    def status(self) -> int: ...  # noqa: D102 - see the class
    def expect(self, *statuses: int) -> Any: ...  # noqa: D102 - see the class
    def json(self) -> Any: ...  # noqa: D102 - see the class


class Http(Protocol):
    """What the client needs of an HTTP session; `graders.http.Client` is one."""

    headers: dict[str, str]

    def request(self, method: str, url: str, **options: Any) -> Answer: ...  # noqa: D102


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


class Airflow:
    """A session on an Airflow 3 server, through whatever `http` gives answers."""

    def __init__(self, http: Http, url: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._http = http
        self._url = url.rstrip("/")
        self._sleep = sleep

    def login(self, user: str, password: str) -> None:
        """Ask for a token and use it from now on; the server answers 201."""
        body = {"username": user, "password": password}
        answer = self._ask("POST", "auth/token", json=body)
        if answer.status in (400, 401, 403):
            raise ApiError(
                f"Airflow refuse le compte « {user} » : donnez le vôtre dans acces.yaml "
                "(utilisateur, mot_de_passe), ou activez SIMPLE_AUTH_MANAGER_ALL_ADMINS."
            )
        token = answer.expect(200, 201).json()
        if not isinstance(token, dict) or "access_token" not in token:
            raise ApiError("Airflow n'a pas donné de jeton (POST /auth/token).")
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def version(self) -> str:
        """Return the server's version."""
        return str(self._get("version").get("version", ""))

    def dags(self) -> list[Dag]:
        """Return the DAGs that the last parsing found."""
        return [_understood(read_dag, row) for row in self._pages("dags", "dags")]

    def dag(self, dag_id: str) -> Dag:
        """Return one DAG with its details."""
        return _understood(read_dag, self._get(f"dags/{quote(dag_id)}/details"))

    def import_failures(self) -> list[ImportFailure]:
        """Return the files that could not be imported."""
        rows = self._pages("importErrors", "import_errors")
        return [_understood(read_failure, row) for row in rows]

    def tasks(self, dag_id: str) -> list[Task]:
        """Return the tasks of a DAG."""
        rows = _understood(list, self._get(f"dags/{quote(dag_id)}/tasks").get("tasks") or [])
        return [_understood(read_task, row) for row in rows]

    def pause(self, dag_id: str, paused: bool) -> None:
        """Pause a DAG, or let it run: a paused one keeps its triggered runs in the queue."""
        self._send("PATCH", f"dags/{quote(dag_id)}", {"is_paused": paused})

    def delete(self, dag_id: str, run_id: str) -> None:
        """Forget a run. A whole DAG is never deleted: that kills a DAG processor that parses it."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"
        self._send("DELETE", path, None, 200, 204, 404)

    def trigger(self, dag_id: str, day: dt.date) -> str:
        """Start a run whose logical date is the beginning of `day`, and return its id."""
        body = {"logical_date": f"{day.isoformat()}T00:00:00Z"}  # mandatory since Airflow 3
        answer = self._send("POST", f"dags/{quote(dag_id)}/dagRuns", body, 200, 409)
        if answer.status == 409:  # an answer 500 may have made the run all the same
            for run in self.runs(dag_id):
                if run.day == day and run.kind == "manual":
                    return run.id
        return _understood(lambda row: str(row["dag_run_id"]), answer.json())

    def clear(self, dag_id: str, run_id: str) -> None:
        """Run a finished run again, as the button « Clear » does."""
        body = {"dry_run": False, "only_failed": False}
        self._send("POST", f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/clear", body)

    def end(self, dag_id: str, run_id: str) -> None:
        """Mark a run as failed, so that it frees its place."""
        path = f"api/v2/dags/{quote(dag_id)}/dagRuns/{quote(run_id)}"
        self._ask("PATCH", path, json={"state": "failed"})  # who waits for it looks, and asks again

    def runs(self, dag_id: str) -> list[DagRun]:
        """Return the runs of a DAG; none where the DAG is not there."""
        rows = self._pages(f"dags/{quote(dag_id)}/dagRuns", "dag_runs")
        return [_understood(_run, row) for row in rows]

    def task_runs(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """Return how the tasks of a run stand."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances"
        return [_understood(_task_run, row) for row in self._pages(path, "task_instances")]

    def error(self, dag_id: str, run_id: str, task: TaskRun) -> str:
        """Return the last error that a task logged, with the line where it was raised, or ""."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances/{quote(task.task)}"
        answer = self._ask("GET", f"api/v2/{path}/logs/{max(1, task.attempt)}")
        if answer.status != 200:
            return ""
        value = answer.json()
        content = value.get("content") if isinstance(value, dict) else None
        entries = [e for e in content if isinstance(e, dict)] if isinstance(content, list) else []
        for entry in reversed(entries):
            if entry.get("error_detail"):
                return _logged(entry["error_detail"])
        return ""

    def _ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request; 500 is asked again, for SQLite says so when it is locked for a while."""
        url = f"{self._url}/{path}"
        answer = self._http.request(method, url, timeout=PATIENCE, **options)
        for pause in PAUSES:
            if answer.status != 500:
                break
            self._sleep(pause)
            answer = self._http.request(method, url, timeout=PATIENCE, **options)
        return answer

    def _get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self._ask("GET", f"api/v2/{path}", params=params)
        value = answer.expect(200).json()
        if not isinstance(value, dict):
            raise ApiError(f"GET /api/v2/{path} : un objet JSON est attendu.")
        return value

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        for offset in range(0, MOST, PAGE):
            page = self._get(path, limit=PAGE, offset=offset)
            rows = _understood(list, page.get(key) or [])
            yield from rows
            if len(rows) < PAGE:
                return

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, *statuses: int) -> Any:
        answer = self._ask(method, f"api/v2/{path}", json=body)
        return answer.expect(*(statuses or (200, 201)))


def _understood(read: Callable[[Any], T], row: Any) -> T:
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


def _task_run(row: Mapping[str, Any]) -> TaskRun:
    state, attempt = row.get("state"), row.get("try_number")
    return TaskRun(str(row["task_id"]), str(state or ""), int(attempt or 0))


def _run(row: Mapping[str, Any]) -> DagRun:
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


def _logged(detail: Any) -> str:
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
