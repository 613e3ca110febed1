"""A session on a student's Airflow: wait for parsing, run days, remember what each run did.

A run costs seconds, so each is made once, when a check first asks for it. Runs that write to the
warehouse follow one another (a DuckDB file takes one writer); the drills' three runs, of which one
writes, go together.
"""

from __future__ import annotations

import csv
import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from datagen import daily, daily_truths
from graders.clients.airflow import Airflow
from graders.clients.airflow_rows import Dag, ImportFailure, Task, TaskRun
from graders.errors import ApiError, OutOfBounds, Unchecked
from graders.model import Work
from graders.statics import fold
from graders.suite import Say
from graders.tools import airflow_local, airflow_source
from graders.tools.airflow_local import Parsed
from graders.tools.airflow_roles import LOAD, role
from graders.tools.airflow_warehouse import COLUMNS, Contents, Row, Warehouse, normal

SERVICE, PORT = "airflow", 8080
TASKS_MOST = 60
PARSING = 90.0  # seconds: Airflow itself gives up on a file after 30 and tries again
NOTHING = 15.0  # seconds, where no file seems to define a DAG
EVER = dt.datetime.fromtimestamp(0, dt.UTC)
RUNNING = 300.0  # seconds of one group of runs
PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run for one day did."""

    day: dt.date
    state: str
    tasks: tuple[TaskRun, ...]
    error: str = ""

    @property
    def failed(self) -> tuple[TaskRun, ...]:
        """Return the tasks that failed, or wait for another attempt."""
        return tuple(t for t in self.tasks if t.state in ("failed", "up_for_retry"))

    @property
    def loaded(self) -> bool:
        """Tell whether a loading task succeeded."""
        loads = [t for t in self.tasks if role(t.task) == LOAD]
        return any(t.state == "success" for t in loads) if loads else self.state == "success"

    def __str__(self) -> str:
        steps = ", ".join(f"{t.task} {t.state or 'en attente'}" for t in self.tasks[:12])
        cause = f" ; {self.error}" if self.error else ""
        return f"{self.day} : {self.state} ({steps}){cause}"


@dataclass(frozen=True, slots=True)
class Step:
    """A run, and the warehouse after it."""

    seen: Seen
    table: Contents


@dataclass(frozen=True, slots=True)
class Drills:
    """The three runs of the drills, and the warehouse after them."""

    corrupt: Seen
    missing: Seen
    hidden: Seen
    table: Contents


@dataclass
class Session:
    """All that a live check may touch; each property is worked out once."""

    work: Work
    stack: Any
    reader: Airflow | Parsed
    warehouse: Warehouse
    say: Say
    truths: Path  # our own copy of the data, which no container sees
    failures: tuple[ImportFailure, ...] = ()
    since: dt.datetime = EVER  # what was parsed before is of another submission
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _run_ids: dict[dt.date, str] = field(default_factory=dict)

    @property
    def airflow(self) -> Airflow:
        """Return the running server; Unchecked where there is none."""
        if isinstance(self.reader, Airflow):
            return self.reader
        raise Unchecked("non vérifié sans Docker : il faut exécuter le DAG dans votre pile")

    # What is asked

    @cached_property
    def plan(self) -> daily.Plan:
        """Return the team's days."""
        return daily.plan(self.work.seed)

    @cached_property
    def days(self) -> tuple[dt.date, dt.date]:
        """Return D and D', two healthy days drawn with the hidden seed."""
        healthy = self.plan.healthy
        at = self.work.hidden_seed % (len(healthy) - 1)
        return healthy[at], healthy[at + 1]

    @cached_property
    def hidden_day(self) -> dt.date:
        """Return the hidden day."""
        return self.plan.next_day(self.work.hidden_seed)

    def wanted(self, day: dt.date) -> tuple[Row, ...]:
        """Return the rows that the warehouse must hold for a day."""
        sales = daily_truths.cleaned(daily.path(self.truths, day))
        return tuple(sorted(normal([getattr(s, c) for c in COLUMNS]) for s in sales))

    def ids(self, day: dt.date) -> set[str]:
        """Return the identifiers of all lines of a day's file, kept or not."""
        with daily.path(self.truths, day).open(encoding="utf-8", newline="") as file:
            return {fold(line["vente_id"] or "") for line in csv.DictReader(file)}

    # What is there

    @property
    def dag_id(self) -> str:
        """Return the DAG id that the statement imposes."""
        return str(self.work.rubric.options["dag_id"])

    @cached_property
    def dag(self) -> Dag:
        """Return the DAG asked for; ApiError where it is not there."""
        dags = [d for d in self.reader.dags() if d.parsed and d.parsed >= self.since]
        for dag in dags:
            if fold(dag.id) == fold(self.dag_id):
                return self.reader.dag(dag.id)
        there = ", ".join(f"« {d.id} »" for d in dags[:5]) or "aucun"
        raise ApiError(f"Airflow n'a pas de DAG « {self.dag_id} » (DAG présents : {there}).")

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """Return the DAG's tasks."""
        return tuple(self.reader.tasks(self.dag.id))

    # Runs

    @cached_property
    def first(self) -> Step:
        """Run D on an empty warehouse."""
        return self._step(self.days[0])

    @cached_property
    def again(self) -> Step:
        """Run D once more."""
        return self._step(self.first.seen.day, again=True)

    @cached_property
    def second(self) -> Step:
        """Run D' after D."""
        _ = self.again
        return self._step(self.days[1])

    @cached_property
    def drills(self) -> Drills:
        """Run the corrupt, the missing and the hidden day together."""
        _ = self.second
        daily.write_hidden(self.work.hidden_seed, self.hidden_day, self.truths)
        self.stack.replace_data(self.truths)
        asked = (self.plan.corrupt, self.plan.missing, self.hidden_day)
        self.say("exercices : jour corrompu, jour absent, jour caché")
        seen = self._run(asked)
        corrupt, missing, hidden = (seen[day] for day in asked)
        return Drills(corrupt, missing, hidden, self.warehouse.read())

    def _step(self, day: dt.date, *, again: bool = False) -> Step:
        self.say(f"exécution du {day}{' de nouveau' if again else ''}")
        return Step(self._run([day], again=again)[day], self.warehouse.read())

    def _run(self, days: Iterable[dt.date], *, again: bool = False) -> dict[dt.date, Seen]:
        """Run the DAG for these days at once and return what each run did."""
        self._let_run()
        ids: dict[dt.date, str] = {}
        for day in days:
            if again:
                ids[day] = self._run_ids[day]
                self.airflow.clear(self.dag.id, ids[day])
            else:
                ids[day] = self._run_ids[day] = self.airflow.trigger(self.dag.id, day)
        states = self._ended(set(ids.values()))
        return {day: self._seen(day, run, states[run]) for day, run in ids.items()}

    def _let_run(self) -> None:
        """Unpause the DAG, unless what would then start has no end."""
        if len(self.tasks) > TASKS_MOST:
            raise OutOfBounds(
                f"Le DAG a {len(self.tasks)} tâches ; au-delà de {TASKS_MOST} il n'est pas lancé."
            )
        if self.dag.catchup:
            raise ApiError(
                "Le DAG n'est pas lancé : avec catchup=True, Airflow rejouerait d'abord chaque "
                "jour depuis start_date. Écrivez catchup=False."
            )
        self.airflow.pause(self.dag.id, False)

    def _ended(self, wanted: set[str]) -> Mapping[str, str]:
        """Wait for runs and return their states; those that overstay are ended."""
        deadline = self.clock() + RUNNING
        while True:
            runs = {run.id: run for run in self.airflow.runs(self.dag.id)}
            for other in runs.values():
                # Unpausing starts a scheduled run; with max_active_runs=1 ours would wait for it.
                if other.id not in wanted and not other.ended:
                    self.airflow.end(self.dag.id, other.id)
            mine = {i: runs[i].state if i in runs else "" for i in wanted}
            late = self.clock() > deadline
            if late or all(i in runs and runs[i].ended for i in wanted):
                return mine
            self.sleep(PAUSE)

    def _seen(self, day: dt.date, run: str, state: str) -> Seen:
        tasks = tuple(self.airflow.task_runs(self.dag.id, run))
        broken = [t for t in tasks if t.state in ("failed", "up_for_retry")]
        error = self.airflow.error(self.dag.id, run, broken[0]) if broken else ""
        if state not in ("success", "failed"):
            self.airflow.end(self.dag.id, run)
            error = error or f"pas fini en {RUNNING:g} s"
        return Seen(day, state, tasks, error)


@contextmanager
def connect(work: Work, stack: Any, say: Say) -> Iterator[Session]:
    """Open a session: log in, forget an earlier submission's runs, wait for the files' parsing."""
    truths = work.scratch / "verites"
    shutil.rmtree(truths, ignore_errors=True)
    daily.write(work.seed, truths)
    folder = work.submission.root / "dags"
    warehouse = Warehouse(stack, work.results)
    if stack is None:
        say("analyse des DAG par Airflow, sur cette machine")
        local = airflow_local.parse(folder)
        failures = tuple(local.import_failures())
        yield Session(work, stack, local, warehouse, say, truths, failures)
        return
    airflow = Airflow(stack.http, stack.url(SERVICE, PORT, ""))
    access = work.submission.access
    airflow.login(access.get("utilisateur", "admin"), access.get("mot_de_passe", "admin"))
    session = Session(work, stack, airflow, warehouse, say, truths, since=newest(folder))
    session.failures = parsed(session, airflow_source.read(folder))
    forget(session)
    yield session


def newest(folder: Path) -> dt.datetime:
    """Return when the files of the DAGs were last written; any parsing before is stale."""
    times = [p.stat().st_mtime for p in folder.rglob("*.py")] or [0.0]
    return dt.datetime.fromtimestamp(max(times), dt.UTC)


def forget(session: Session) -> None:
    """Where the stack has served another submission (self-test), delete its runs and rows."""
    for dag in session.airflow.dags():
        if fold(dag.id) != fold(session.dag_id):
            continue
        runs = session.airflow.runs(dag.id)
        if all(run.kind != "manual" for run in runs):
            continue
        session.say("remise à zéro d'Airflow et de l'entrepôt")
        session.airflow.pause(dag.id, True)
        for run in runs:
            if not run.ended:
                session.airflow.end(dag.id, run.id)
            session.airflow.delete(dag.id, run.id)
        session.warehouse.clean()


def parsed(session: Session, sources: airflow_source.Sources) -> tuple[ImportFailure, ...]:
    """Wait until each file that defines a DAG was parsed; return those that failed.

    The server is healthy long before it has parsed anything, so its health says nothing.
    """
    names = {_base(file) for file, _ in sources.dags}
    names |= {_base(line.partition(":")[0]) for line in sources.broken}
    deadline = session.clock() + (PARSING if names else NOTHING)
    session.say("analyse des DAG par Airflow")
    while True:
        failures = [f for f in session.airflow.import_failures() if f.at >= session.since]
        dags = [d for d in session.airflow.dags() if d.parsed and d.parsed >= session.since]
        seen = {_base(f.file) for f in failures} | {_base(d.file) for d in dags}
        if (names and names <= seen) or (not names and seen) or session.clock() > deadline:
            return tuple(failures)
        session.sleep(PAUSE)


def _base(file: str) -> str:
    return file.strip().rpartition("/")[2]
