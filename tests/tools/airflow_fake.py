"""An Airflow server in memory, with the habits of the real one that trap graders.

A DAG is paused until told otherwise, and keeps its runs in the queue while it is; unpausing starts
a scheduled run that never ends by itself; `max_active_runs` is heeded; a run without a logical date
is a 422, a second one for the same date a 409; a run of the future never ends; nothing is parsed at
first.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from graders.errors import ApiError

OLD = "2020-01-01T00:00:00Z"
NAMES = ("extract", "transform", "load", "notify")


@dataclass
class FakeAnswer:
    status: int
    value: Any = None

    def expect(self, *statuses: int) -> FakeAnswer:
        if self.status not in statuses:
            raise ApiError(f"{self.status} {json.dumps(self.value)}")
        return self

    def json(self) -> Any:
        return self.value


def task(name: str, *below: str, retries: int = 1, delay: int = 5) -> dict[str, Any]:
    wait = {"days": 0, "seconds": delay}
    return {
        "task_id": name,
        "downstream_task_ids": list(below),
        "retries": float(retries),
        "retry_delay": wait,
    }


CHAIN = [task(a, b) for a, b in pairwise(NAMES)] + [task("notify")]


def outcome(state: str = "success", **tasks: str) -> dict[str, tuple[str, int]]:
    """The states and attempts of the tasks of a run; `state` is that of those not named."""
    return {n: (tasks.get(n, state), 2 if tasks.get(n) == "failed" else 1) for n in NAMES}


@dataclass
class FakeAirflow:
    """`work(day)` does what a run for that day does, and returns the state of each task."""

    work: Callable[[dt.date], dict[str, tuple[str, int]]] = lambda _: outcome()
    tasks: list[dict[str, Any]] = field(default_factory=lambda: list(CHAIN))
    dag: dict[str, Any] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)
    parsing: int = 0  # how many looks at the DAGs it takes until they are parsed
    slots: int = 16
    password: str = "admin"
    today: dt.date = dt.date(2026, 1, 1)
    headers: dict[str, str] = field(default_factory=dict)
    paused: bool = True
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    instances: dict[str, dict[str, tuple[str, int]]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dag = {
            "dag_id": "pipeline_ventes_quotidien",
            "relative_fileloc": "ventes.py",
            "description": "Les ventes du jour",
            "timetable_summary": "0 0 * * *",
            "tags": [{"name": "ventes"}],
            "catchup": False,
            "max_active_runs": self.slots,
            "start_date": "2025-01-01T00:00:00Z",
            "last_parsed_time": "2030-01-01T00:00:00Z",
            **self.dag,
        }

    def request(self, method: str, url: str, **options: Any) -> FakeAnswer:
        path = url.partition("://")[2].partition("/")[2].removeprefix("api/v2/")
        self.calls.append((method, path))
        if path == "auth/token":
            right = options["json"]["password"] == self.password
            return FakeAnswer(201 if right else 401, {"access_token": "jeton"})
        if "Authorization" not in self.headers:
            return FakeAnswer(401)
        if method == "GET":
            return self.read(path)
        return self.change(method, path, options.get("json") or {})

    def read(self, path: str) -> FakeAnswer:  # noqa: PLR0911 - one per endpoint
        if path == "dags":
            self.parsing -= 1
            return FakeAnswer(200, {"dags": [] if self.parsing >= 0 else [self.dag]})
        if path == "importErrors":
            return FakeAnswer(200, {"import_errors": self.errors})
        if path.endswith("/details"):
            return FakeAnswer(200, self.dag)
        if path.endswith("/tasks"):
            return FakeAnswer(200, {"tasks": self.tasks})
        if path.endswith("/dagRuns"):
            self.tick()
            return FakeAnswer(200, {"dag_runs": list(self.runs.values())})
        if path.endswith("/taskInstances"):
            found = self.instances.get(path.split("/")[3], {})
            rows = [{"task_id": t, "state": s, "try_number": n} for t, (s, n) in found.items()]
            return FakeAnswer(200, {"task_instances": rows})
        return FakeAnswer(404)

    def change(self, method: str, path: str, body: dict[str, Any]) -> FakeAnswer:
        run = re.search(r"dagRuns/([^/]+)", path)
        if run and path.endswith("/clear"):
            self.runs[run[1]]["state"] = "queued"
        elif run and method == "DELETE":
            del self.runs[run[1]]
        elif run:
            self.runs[run[1]]["state"] = body["state"]
        elif path.endswith("/dagRuns"):
            return self.trigger(body)
        else:
            if self.paused and not body["is_paused"]:
                self.add("scheduled", self.today, "running")
            self.paused = body["is_paused"]
        return FakeAnswer(200, {})

    def trigger(self, body: dict[str, Any]) -> FakeAnswer:
        if "logical_date" not in body:
            return FakeAnswer(422)
        day = dt.datetime.fromisoformat(body["logical_date"]).date()
        if any(r["logical_date"][:10] == day.isoformat() for r in self.runs.values()):
            return FakeAnswer(409)
        return FakeAnswer(200, self.add("manual", day, "queued"))

    def add(self, kind: str, day: dt.date, state: str) -> dict[str, Any]:
        name = f"{kind}__{day}"
        self.runs[name] = {
            "dag_run_id": name,
            "run_type": kind,
            "state": state,
            "logical_date": f"{day}T00:00:00Z",
        }
        return self.runs[name]

    def tick(self) -> None:
        """Let time pass: what runs ends, what waits starts where there is room."""
        if self.paused:
            return
        for name, run in self.runs.items():
            day = dt.date.fromisoformat(run["logical_date"][:10])
            if run["state"] == "running" and run["run_type"] == "manual" and day < self.today:
                done = self.instances[name] = self.work(day)
                failed = any(s == "failed" for s, _ in done.values())
                run["state"] = "failed" if failed else "success"
        for run in self.runs.values():
            active = sum(r["state"] == "running" for r in self.runs.values())
            if run["state"] == "queued" and active < self.slots:
                run["state"] = "running"
