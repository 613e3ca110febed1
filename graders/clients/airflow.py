"""The few endpoints of Airflow 3's REST API that the grader reads and drives."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol
from urllib.parse import quote

from graders.clients.airflow_rows import (
    Dag,
    DagRun,
    ImportFailure,
    Task,
    TaskRun,
    logged,
    read_dag,
    read_failure,
    read_run,
    read_task,
    read_task_run,
    understood,
)  # fmt: skip
from graders.errors import ApiError

PAGE = 100
MOST = 2_000  # entries of one listing that are read
PAUSES = (1.0, 3.0, 6.0)  # seconds between two tries of a request that fails with 500
PATIENCE = 120.0  # seconds for one answer: a loaded machine stalls the server for half a minute


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
        return [understood(read_dag, row) for row in self._pages("dags", "dags")]

    def dag(self, dag_id: str) -> Dag:
        """Return one DAG with its details."""
        return understood(read_dag, self._get(f"dags/{quote(dag_id)}/details"))

    def import_failures(self) -> list[ImportFailure]:
        """Return the files that could not be imported."""
        rows = self._pages("importErrors", "import_errors")
        return [understood(read_failure, row) for row in rows]

    def tasks(self, dag_id: str) -> list[Task]:
        """Return the tasks of a DAG."""
        rows = understood(list, self._get(f"dags/{quote(dag_id)}/tasks").get("tasks") or [])
        return [understood(read_task, row) for row in rows]

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
        return understood(lambda row: str(row["dag_run_id"]), answer.json())

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
        return [understood(read_run, row) for row in rows]

    def task_runs(self, dag_id: str, run_id: str) -> list[TaskRun]:
        """Return how the tasks of a run stand."""
        path = f"dags/{quote(dag_id)}/dagRuns/{quote(run_id)}/taskInstances"
        return [understood(read_task_run, row) for row in self._pages(path, "task_instances")]

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
                return logged(entry["error_detail"])
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
            rows = understood(list, page.get(key) or [])
            yield from rows
            if len(rows) < PAGE:
                return

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None, *statuses: int) -> Any:
        answer = self._ask(method, f"api/v2/{path}", json=body)
        return answer.expect(*(statuses or (200, 201)))
