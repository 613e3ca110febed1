"""The client of Airflow's API: bounded listings, and errors that name the student's own line."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graders.clients import airflow
from graders.clients.airflow import Airflow
from graders.clients.airflow_rows import TaskRun, read_dag, read_failure, read_task
from graders.errors import ApiError
from tests.tools.airflow_fake import FakeAnswer

KEYS = (
    "dags", "dag_id", "import_errors", "tasks", "task_id", "dag_runs", "dag_run_id", "tags",
    "task_instances", "retry_delay", "days", "retries", "start_date", "content", "error_detail",
    "frames", "try_number", "max_active_runs", "downstream_task_ids", "stack_trace", "logical_date",
)  # fmt: skip
ENDPOINTS = (
    "dags", "version", "importErrors", "details", "tasks", "dagRuns", "taskInstances", "token",
)  # fmt: skip


def no_sleep(_: float) -> None:
    """Wait for nothing."""


class Server:
    """Answers by path; remembers what it was sent."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.headers: dict[str, str] = {}
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def request(self, method: str, url: str, **options: Any) -> FakeAnswer:
        path = url.partition("/api/v2/")[2] or url.rpartition("/")[2]
        self.sent.append((method, path, options))
        answer = self.answers.get(path.rpartition("/")[2], FakeAnswer(404))
        return answer if isinstance(answer, FakeAnswer) else FakeAnswer(200, answer)


def client(**answers: Any) -> tuple[Airflow, Server]:
    server = Server(**answers)
    return Airflow(server, "http://airflow:8080/", no_sleep), server


def test_a_token_is_asked_for_and_used_although_the_answer_is_201() -> None:
    found, server = client(token=FakeAnswer(201, {"access_token": "jeton"}))
    found.login("a", "b")
    assert server.headers == {"Authorization": "Bearer jeton"}
    assert server.sent[0][2]["json"] == {"username": "a", "password": "b"}


@pytest.mark.parametrize("value", [{}, [], "jeton", None])
def test_an_answer_without_a_token_is_the_services_fault(value: Any) -> None:
    found, _ = client(token=FakeAnswer(201, value))
    with pytest.raises(ApiError, match="jeton"):
        found.login("a", "b")


def test_listings_are_read_page_by_page_and_stop_at_a_bound() -> None:
    row = {"dag_id": "a"}
    found, server = client(dags={"dags": [row] * airflow.PAGE})
    assert len(found.dags()) == airflow.MOST
    offsets = [options["params"]["offset"] for _, _, options in server.sent]
    assert offsets == list(range(0, airflow.MOST, airflow.PAGE))


@pytest.mark.parametrize("value", [[], "x", 3])
def test_an_answer_of_another_shape_is_the_services_fault(value: Any) -> None:
    found, _ = client(dags=value)
    with pytest.raises(ApiError, match="objet JSON"):
        found.dags()


def test_a_run_is_asked_for_with_its_logical_date() -> None:
    found, server = client(dagRuns={"dag_run_id": "manual__1"})
    assert found.trigger("d", dt.date(2025, 3, 1)) == "manual__1"
    assert server.sent[0][2]["json"] == {"logical_date": "2025-03-01T00:00:00Z"}


class Locked(Server):
    """Answers 500 some times, as a server whose SQLite database is locked."""

    def __init__(self, times: int, after: FakeAnswer, **answers: Any) -> None:
        super().__init__(**answers)
        self.times, self.after = times, after

    def request(self, method: str, url: str, **options: Any) -> FakeAnswer:
        if method == "POST":
            self.times -= 1
            return FakeAnswer(500) if self.times >= 0 else self.after
        return super().request(method, url, **options)


RUNS = {
    "dag_runs": [
        {"dag_run_id": "s", "run_type": "scheduled", "logical_date": "2025-03-01T00:00:00Z"},
        {"dag_run_id": "m", "run_type": "manual", "logical_date": "2025-03-01T00:00:00Z"},
    ]
}


def test_a_locked_database_is_asked_again() -> None:
    server = Locked(2, FakeAnswer(200, {"dag_run_id": "m"}))
    found = Airflow(server, "http://airflow:8080", no_sleep)
    assert found.trigger("d", dt.date(2025, 3, 1)) == "m"


def test_a_run_that_a_failed_request_made_all_the_same_is_found() -> None:
    found = Airflow(Locked(1, FakeAnswer(409), dagRuns=RUNS), "http://airflow:8080", no_sleep)
    assert found.trigger("d", dt.date(2025, 3, 1)) == "m"
    with pytest.raises(ApiError):
        found.trigger("d", dt.date(2025, 3, 2))


def test_a_database_that_stays_locked_is_the_services_fault() -> None:
    found = Airflow(Locked(99, FakeAnswer(200)), "http://airflow:8080", no_sleep)
    with pytest.raises(ApiError, match="500"):
        found.trigger("d", dt.date(2025, 3, 1))


def test_every_request_has_the_same_patience() -> None:
    found, server = client(dags={"dags": []}, tasks={"tasks": []})
    found.dags()
    found.tasks("d")
    assert {options["timeout"] for _, _, options in server.sent} == {airflow.PATIENCE}


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_an_answer_of_any_shape_is_read_or_is_the_services_fault(value: Any) -> None:
    found, _ = client(**dict.fromkeys(ENDPOINTS, value), **{"1": value})
    asked: list[Callable[[], object]] = [
        found.dags,
        found.version,
        found.import_failures,
        lambda: found.dag("d"),
        lambda: found.tasks("d"),
        lambda: found.runs("d"),
        lambda: found.task_runs("d", "r"),
        lambda: found.trigger("d", dt.date(2025, 3, 1)),
        lambda: found.login("a", "b"),
        lambda: found.error("d", "r", TaskRun("t", "failed", 1)),
    ]
    for ask in asked:
        with contextlib.suppress(ApiError):
            ask()


TRACE = """Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/opt/airflow/dags/ventes.py", line 10, in <module>
    with DAG("a", schedule_interval="@daily") as dag:
  File "/opt/airflow/dags/outils.py", line 3, in <module>
  File "/usr/lib/airflow/sdk/dag.py", line 99, in __init__
{error}
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("TypeError: DAG got 'schedule_interval'", "TypeError: DAG got 'schedule_interval'"),
        (
            "TypeError: Invalid arguments. Invalid arguments were:\n**kwargs: {'a': 1}",
            "TypeError: Invalid arguments. Invalid arguments were:",
        ),
        (
            "a.AirflowTaskTimeout: DagBag import timeout after 30s.\nPlease look at:\n* https://b",
            "a.AirflowTaskTimeout: DagBag import timeout after 30s.",
        ),
        ("", "Traceback (most recent call last):"),
    ],
)
def test_an_import_failure_names_the_line_of_the_file_itself(error: str, said: str) -> None:
    row = {
        "filename": "sous/ventes.py",
        "stack_trace": TRACE.format(error=error),
        "timestamp": "2026-01-01T00:00:00Z",
    }
    found = read_failure(row)
    assert (found.line, found.error) == (10, said)
    assert str(found) == f"sous/ventes.py:10 : {said}"


def test_an_import_failure_without_a_trace_is_still_one() -> None:
    assert str(read_failure({})) == "? : erreur inconnue"


FRAMES = [
    {"filename": "/opt/airflow/dags/ventes.py", "lineno": 23},
    {"filename": "/usr/lib/python3.11/csv.py", "lineno": 5},
]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            [{"error_detail": [{"exc_type": "KeyError", "exc_value": "'x'", "frames": FRAMES}]}],
            "KeyError: 'x' (ventes.py:23)",
        ),
        ([{"error_detail": [{"exc_type": "E", "exc_value": "v"}]}], "E: v"),
        ([{"error_detail": "autre chose"}], ""),
        ([{"event": "rien"}, "texte"], ""),
        ("texte", ""),
    ],
)
def test_the_error_of_a_task_names_the_students_line(content: Any, said: str) -> None:
    found, _ = client(**{"2": {"content": content}})
    assert found.error("d", "r", TaskRun("extract", "failed", 2)) == said


def test_a_task_without_a_log_has_no_error() -> None:
    found, _ = client()
    assert found.error("d", "r", TaskRun("extract", "failed", 1)) == ""


def test_a_parsing_is_as_old_as_its_beginning() -> None:
    row = {"dag_id": "d", "last_parsed_time": "2026-01-01T00:01:00Z", "last_parse_duration": 8.0}
    assert read_dag(row).parsed == dt.datetime(2026, 1, 1, 0, 0, 50, tzinfo=dt.UTC)


def test_what_the_api_leaves_out_is_read_all_the_same() -> None:
    dag = read_dag({"dag_id": "d"})
    assert (dag.schedule, dag.tags, dag.catchup, dag.start) == ("", (), None, None)
    task = read_task({"task_id": "t", "retry_delay": {"days": 1, "seconds": 5}})
    assert (task.retries, task.retry_delay, task.downstream) == (0, 86_405.0, frozenset())
