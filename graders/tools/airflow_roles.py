"""Recognise the parts of a pipeline by the names of its tasks, whatever exact names were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graders.clients.airflow_rows import Task
from graders.statics import fold

EXTRACT, TRANSFORM, LOAD, NOTIFY = "extract", "transform", "load", "notify"
CHAIN = (EXTRACT, TRANSFORM, LOAD, NOTIFY)
# In this order: « telecharger » holds « charg », « download » holds « load ».
WORDS = {
    EXTRACT: ("extract", "extrai", "telecharg", "download", "lire", "lecture", "read", "ingest",
              "recuper"),
    NOTIFY: ("notif", "alert", "rapport", "report", "inform", "mail"),
    TRANSFORM: ("transform", "nettoy", "clean", "prepar"),
    LOAD: ("load", "charg", "insert", "ecri"),
}  # fmt: skip


def role(task_id: str) -> str:
    """Return the part that a task plays, or "" where its name does not tell."""
    name = fold(task_id.rpartition(".")[2])
    return next((r for r, words in WORDS.items() if any(w in name for w in words)), "")


def found(tasks: Iterable[Task]) -> set[str]:
    """Return the parts that are there."""
    return {role(t.id) for t in tasks} - {""}


def chained(tasks: Iterable[Task]) -> bool:
    """Tell whether a path leads from an extracting task through the others to a notifying one."""
    tasks = list(tasks)
    below = {t.id: t.downstream for t in tasks}
    reached = {t.id for t in tasks if role(t.id) == EXTRACT}
    for part in CHAIN[1:]:
        reached = {t for t in _after(reached, below) if role(t) == part}
    return bool(reached)


def _after(start: Iterable[str], below: Mapping[str, frozenset[str]]) -> set[str]:
    """Return the tasks that can be reached from some others."""
    seen: set[str] = set()
    pending = list(start)
    while pending:
        for task in below.get(pending.pop(), frozenset()) - seen:
            seen.add(task)
            pending.append(task)
    return seen
