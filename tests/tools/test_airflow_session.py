"""Grading 06 against an Airflow in memory that has the traps of the real one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datagen import daily, daily_truths
from graders import rubric
from graders.clients.airflow import Airflow
from graders.engine import Run
from graders.errors import ApiError, OutOfBounds, Unchecked
from graders.model import Finding, Result, Stage, Status, Submission, Work
from graders.tools import airflow, airflow_local, airflow_session
from graders.tools.airflow_session import Session
from graders.tools.airflow_source import Sources
from graders.tools.airflow_warehouse import COLUMNS, Contents, Place, Row, normal
from tests.tools.airflow_fake import CHAIN, FakeAirflow, outcome, task

RULES = rubric.load(Path(__file__).parents[2] / "exercises" / "06_airflow")
SEED, HIDDEN = 11, 5
SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)  # when the files were written
Load = Callable[["Shop", dt.date, list[Row]], None]


def replace(shop: Shop, day: dt.date, rows: list[Row]) -> None:
    """The right way: the day's rows take the place of the day's rows."""
    shop.rows = [r for r in shop.rows if r[1] != day.isoformat()] + rows


@cache
def cleaned(path: Path) -> list[Row]:
    return [normal([getattr(s, c) for c in COLUMNS]) for s in daily_truths.cleaned(path)]


@dataclass
class Shop:
    """A pipeline and its warehouse: what a run for a day does to the table."""

    data: Path
    load: Load = replace
    clean: Callable[[Path], list[Row]] = cleaned
    rows: list[Row] = field(default_factory=list)
    cleaned: int = 0

    def work(self, day: dt.date) -> dict[str, tuple[str, int]]:
        path = daily.path(self.data, day)
        if not path.exists():
            return outcome("upstream_failed", extract="failed")
        try:
            rows = self.clean(path)
        except ValueError:
            return outcome("upstream_failed", extract="failed")
        self.load(self, day, rows)
        return outcome()

    def read(self) -> Contents:
        return Contents(Place("entrepot", "entrepot", "public"), (), tuple(sorted(self.rows)))

    def clean_up(self) -> None:
        self.rows = []
        self.cleaned += 1


@dataclass
class Bench:
    """A session over the fake server, with a clock that only waiting moves."""

    server: FakeAirflow
    shop: Shop
    session: Session
    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def grade(self) -> dict[str, Result]:
        run = Run(airflow.suite, RULES)
        return {r.criterion.id: r for r in run.run(self.session, Stage.LIVE, Stage.DRILL)}

    def lost(self) -> dict[str, float]:
        return {n: r.points for n, r in self.grade().items() if r.status is not Status.PASSED}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("donnees")
    airflow.write_data(SEED, folder)
    return folder


@pytest.fixture
def bench(tmp_path: Path, files: Path) -> Callable[..., Bench]:
    def make(shop: dict[str, Any] | None = None, **server: Any) -> Bench:
        data, truths = files, tmp_path / "verites"
        shutil.copytree(files, truths)
        (tmp_path / "dags").mkdir(exist_ok=True)
        work = Work(Submission("06_airflow", "x", tmp_path, "", ""), RULES, SEED, HIDDEN, tmp_path)
        store = Shop(data, **(shop or {}))
        fake = FakeAirflow(**{"work": store.work, **server})
        client = Airflow(fake, "http://airflow:8080/")
        client.login("admin", "admin")

        def replace_data(folder: Path) -> None:
            store.data = folder

        warehouse: Any = SimpleNamespace(read=store.read, clean=store.clean_up)
        stack = SimpleNamespace(services={}, replace_data=replace_data)
        session = Session(work, stack, client, warehouse, lambda _: None, truths, since=SINCE)
        bench = Bench(fake, store, session)
        session.clock, session.sleep = lambda: bench.now, bench.sleep
        return bench

    return make


def test_a_right_pipeline_loses_nothing(bench: Callable[..., Bench]) -> None:
    assert bench().lost() == {}


def test_one_run_at_a_time_is_not_blocked_by_the_scheduled_run(bench: Callable[..., Bench]) -> None:
    made = bench(slots=1)
    assert made.lost() == {}
    assert made.server.runs["scheduled__2026-01-01"]["state"] == "failed"
    assert made.now < airflow_session.RUNNING


def test_the_dag_is_unpaused_before_a_run_is_asked_for(bench: Callable[..., Bench]) -> None:
    made = bench()
    _ = made.session.first
    calls = made.server.calls
    dag = "dags/pipeline_ventes_quotidien"
    assert calls.index(("PATCH", dag)) < calls.index(("POST", f"{dag}/dagRuns"))


def test_a_run_that_never_ends_is_ended_within_bounds(bench: Callable[..., Bench]) -> None:
    made = bench(today=dt.date(2020, 1, 1))  # every day is in the future
    result = made.grade()["execution"]
    assert result.status is Status.FAILED
    assert "pas fini" in result.finding.message
    assert airflow_session.RUNNING <= made.now < airflow_session.RUNNING + 5
    assert all(r["state"] == "failed" for r in made.server.runs.values())


def test_a_thousand_tasks_are_not_run(bench: Callable[..., Bench]) -> None:
    made = bench(tasks=CHAIN + [task(f"t{i}") for i in range(1000)])
    assert "1004 tâches" in made.grade()["execution"].finding.message
    assert made.server.runs == {}


def test_catchup_is_not_let_loose(bench: Callable[..., Bench]) -> None:
    made = bench(dag={"catchup": True})
    results = made.grade()
    assert results["planification"].points == 0
    assert "catchup=False" in results["execution"].finding.message
    assert made.server.runs == {}


def append(shop: Shop, day: dt.date, rows: list[Row]) -> None:
    shop.rows = shop.rows + rows


def start_again(shop: Shop, day: dt.date, rows: list[Row]) -> None:
    shop.rows = rows


def test_a_load_that_only_appends_is_not_idempotent(bench: Callable[..., Bench]) -> None:
    assert bench({"load": append}).lost() == {"idempotence": 0}


def test_a_load_that_empties_the_table_loses_the_day_before(bench: Callable[..., Bench]) -> None:
    assert bench({"load": start_again}).lost() == {"jour_suivant": 0}


def without(column: str) -> Callable[[Path], list[Row]]:
    at = COLUMNS.index(column)

    def clean(path: Path) -> list[Row]:
        return [(*r[:at], "1.00", *r[at + 1 :]) for r in cleaned(path)]

    return clean


def test_altered_values_are_named(bench: Callable[..., Bench]) -> None:
    results = bench({"clean": without("montant_total")}).grade()
    assert results["entrepot"].points == 0
    assert "montant_total" in results["entrepot"].finding.message
    assert results["jour_cache"].points == 0


def keeping(*kinds: str) -> Callable[[Path], list[Row]]:
    """Clean, but keep the lines with some kinds of dirt."""

    def clean(path: Path) -> list[Row]:
        rows = list(cleaned(path))
        first = list(rows[0])
        if "doublons" in kinds:
            rows.append(rows[0])
        raw = [line.split(",") for line in path.read_text("utf-8").splitlines()[1:]]
        bad = [line for line in raw if line[4].startswith("-") or not line[4]]
        for line in bad:
            empty = not line[4]
            if ("vides" if empty else "negatifs") in kinds:
                rows.append(normal([*line, "" if empty else first[-1]]))
        return rows

    return clean


@pytest.mark.parametrize(
    ("kinds", "points"),
    [
        (["doublons"], 1.67),
        (["vides"], 1.67),
        (["negatifs"], 1.67),
        (["doublons", "negatifs"], 0.83),
        (["doublons", "vides", "negatifs"], 0),
    ],
)
def test_each_kind_of_dirt_left_costs_a_third(
    bench: Callable[..., Bench], kinds: list[str], points: float
) -> None:
    result = bench({"clean": keeping(*kinds)}).grade()["entrepot"]
    assert result.points == points
    assert result.finding.message.startswith("Reste à nettoyer : ")


def test_nothing_loaded_is_said(bench: Callable[..., Bench]) -> None:
    results = bench({"load": lambda *_: None}).grade()
    for name in ("entrepot", "idempotence", "jour_suivant", "jour_corrompu", "jour_absent"):
        assert results[name].points == 0
    assert "vide" in results["entrepot"].finding.message


def bad_days(session: Session, corrupt: Any, missing: Any) -> Callable[[dt.date], Any]:
    """A pipeline that is right on healthy days, and does these on the two bad ones."""
    plan = daily.plan(SEED)

    def work(day: dt.date) -> Any:
        return {plan.corrupt: corrupt, plan.missing: missing}.get(day) or outcome()

    return work


@pytest.mark.parametrize(
    ("states", "ratio"),
    [
        (outcome("upstream_failed", extract="failed"), 1.0),  # retried, then failed
        (outcome("success", transform="skipped", load="skipped"), 1.0),  # the quality branch
        ({**outcome("upstream_failed"), "extract": ("failed", 1)}, 0.5),  # failed at once
        ({**outcome(""), "extract": ("up_for_retry", 1)}, 1.0),  # still waits to be retried
        (outcome("success"), 0.0),  # an empty load that succeeds
    ],
)
def test_how_a_corrupt_day_may_end(
    bench: Callable[..., Bench], states: dict[str, tuple[str, int]], ratio: float
) -> None:
    made = bench()
    right = made.shop.work
    corrupt = daily.plan(SEED).corrupt
    made.server.work = lambda day: states if day == corrupt else right(day)
    finding = made.grade()["jour_corrompu"].finding
    assert finding.ratio == ratio
    assert ratio == 1.0 or finding.message


def test_a_missing_day_loaded_as_empty_is_not_reported(bench: Callable[..., Bench]) -> None:
    made = bench()
    right, missing = made.shop.work, daily.plan(SEED).missing
    made.server.work = lambda day: outcome() if day == missing else right(day)
    assert made.lost() == {"jour_absent": 0}


def test_rows_of_a_corrupt_day_must_not_enter(bench: Callable[..., Bench]) -> None:
    made = bench()
    right, corrupt = made.shop.work, daily.plan(SEED).corrupt

    def work(day: dt.date) -> dict[str, tuple[str, int]]:
        if day == corrupt:
            made.shop.rows.append(normal(["X1", day, "p", "c", 1, 1, "C1", 1]))
        return right(day)

    made.server.work = work
    assert made.lost() == {"jour_corrompu": 0}


def test_a_corrupt_day_that_empties_the_table_is_seen(bench: Callable[..., Bench]) -> None:
    made = bench()
    right, corrupt = made.shop.work, daily.plan(SEED).corrupt

    def work(day: dt.date) -> dict[str, tuple[str, int]]:
        if day == corrupt:
            made.shop.rows = []
        return right(day)

    made.server.work = work
    lost = made.lost()
    assert lost["jour_corrompu"] == 0
    assert "jour_cache" not in lost


@pytest.mark.parametrize(
    ("dag", "tasks", "lost"),
    [
        ({"timetable_summary": "0 6 * * *"}, CHAIN, set()),
        ({"timetable_summary": "1 day, 0:00:00"}, CHAIN, set()),
        ({"timetable_summary": "0 * * * *"}, CHAIN, {"planification"}),
        ({"start_date": "2027-01-01T00:00:00Z"}, CHAIN, {"planification"}),
        ({"tags": []}, CHAIN, {"robustesse"}),
        ({"description": None}, CHAIN, {"robustesse"}),
        ({}, [dict(t, retries=0.0) for t in CHAIN], {"robustesse"}),
        ({}, [*CHAIN[:3], task("notify", delay=300)], {"robustesse"}),
        ({}, CHAIN[:3], {"dag"}),
        ({"dag_id": "Pipeline_Ventes_Quotidien"}, CHAIN, set()),
    ],
)
def test_what_the_dag_says_of_itself(
    bench: Callable[..., Bench], dag: Any, tasks: Any, lost: set[str]
) -> None:
    assert set(bench(dag=dag, tasks=tasks).lost()) == lost


def test_another_id_is_shown(bench: Callable[..., Bench]) -> None:
    results = bench(dag={"dag_id": "mon_dag"}).grade()
    assert "« mon_dag »" in results["dag"].finding.message
    assert results["execution"].status is Status.FAILED
    assert results["jour_cache"].status is Status.SKIPPED


# Parsing


def failure(file: str, at: str) -> dict[str, Any]:
    trace = f'File "/opt/airflow/dags/{file}", line 7, in <module>\n    x\nNameError: x\n'
    return {"filename": file, "stack_trace": trace, "timestamp": at}


EXPECTED = Sources(("dags/ventes.py",), (("dags/ventes.py", "pipeline_ventes_quotidien"),))


def test_health_comes_before_parsing(bench: Callable[..., Bench]) -> None:
    made = bench(parsing=20)
    assert airflow_session.parsed(made.session, EXPECTED) == ()
    assert made.now == 20 * airflow_session.PAUSE


def test_failures_of_an_earlier_submission_do_not_count(bench: Callable[..., Bench]) -> None:
    made = bench(errors=[failure("autre.py", "2025-01-01T00:00:00Z")])
    assert airflow_session.parsed(made.session, EXPECTED) == ()


def test_a_dag_of_an_earlier_submission_is_not_there(bench: Callable[..., Bench]) -> None:
    results = bench(dag={"last_parsed_time": "2025-01-01T00:00:00Z"}).grade()
    assert "aucun" in results["dag"].finding.message


def test_a_failure_is_shown_with_its_line(bench: Callable[..., Bench]) -> None:
    made = bench(errors=[failure("ventes.py", "2026-02-01T00:00:00Z")], parsing=10**6)
    made.session.failures = airflow_session.parsed(made.session, EXPECTED)
    assert made.now == 0
    found = made.grade()["import_dag"].finding
    assert found.message == "Import impossible : ventes.py:7 : NameError: x."


def test_a_file_that_sleeps_while_it_is_parsed_costs_bounded_time(
    bench: Callable[..., Bench],
) -> None:
    made = bench(parsing=10**6)
    assert airflow_session.parsed(made.session, EXPECTED) == ()
    assert airflow_session.PARSING <= made.now < airflow_session.PARSING + 2


def test_an_empty_folder_is_not_waited_for_long(bench: Callable[..., Bench]) -> None:
    made = bench(parsing=10**6)
    airflow_session.parsed(made.session, Sources())
    assert made.now < airflow_session.NOTHING + 2


def test_a_stack_that_served_another_submission_starts_from_nothing(
    bench: Callable[..., Bench],
) -> None:
    made = bench()
    airflow_session.forget(made.session)
    assert made.shop.cleaned == 0, "a fresh stack is left alone"
    _ = made.session.first
    assert made.shop.rows
    airflow_session.forget(made.session)
    assert made.shop.rows == []
    assert made.server.runs == {}
    assert made.server.paused


def test_a_wrong_account_is_said() -> None:
    client = Airflow(FakeAirflow(password="autre"), "http://airflow:8080")
    with pytest.raises(ApiError, match=r"acces\.yaml"):
        client.login("admin", "admin")


# Without Docker


def test_without_docker_the_dag_is_checked_and_its_runs_are_not(
    bench: Callable[..., Bench],
) -> None:
    session = bench().session
    row = {**FakeAirflow().dag, "tasks": CHAIN}
    local = airflow_local.Parsed({"dags": [row], "import_errors": []})
    offline = dataclasses.replace(session, reader=local, stack=None)
    run = Run(airflow.suite, RULES)
    results = {r.criterion.id: r for r in run.run(offline, Stage.LIVE, Stage.DRILL)}
    passed = {n for n, r in results.items() if r.status is Status.PASSED}
    skipped = {n for n, r in results.items() if r.status is Status.SKIPPED}
    assert passed == {"import_dag", "dag", "planification", "robustesse"}
    assert passed | skipped == results.keys()
    assert "sans Docker" in results["execution"].finding.message
    with pytest.raises(Unchecked):
        _ = offline.airflow


def test_100_a_parsing_that_does_not_end_is_out_of_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(airflow_local.airflow_parser, "__file__", str(slow))
    monkeypatch.setattr(airflow_local, "TIME", 0.3)
    with pytest.raises(OutOfBounds, match="hors des tâches"):
        airflow_local.parse(tmp_path)


def test_days_are_drawn_among_the_healthy_ones(bench: Callable[..., Bench]) -> None:
    session = bench().session
    healthy = daily.plan(SEED).healthy
    drawn = set()
    for hidden in range(50):
        work = dataclasses.replace(session.work, hidden_seed=hidden)
        first, second = dataclasses.replace(session, work=work).days
        assert healthy.index(second) == healthy.index(first) + 1
        drawn.add(first)
    assert len(drawn) == len(healthy) - 1


def test_findings_of_passed_criteria_do_not_complain(bench: Callable[..., Bench]) -> None:
    findings: list[Finding] = [r.finding for r in bench().grade().values()]
    assert not [f.message for f in findings if "disparu" in f.message or "0 ligne" in f.message]
